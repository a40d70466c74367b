"""Pressure rules over runs and plans: which campaigns count against another, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from shared.pressure import Grouping, PressureRule
from topics.delivery import Channel

LONGEST: Final = timedelta(days=2 * 366)
"""How far back a rule may look: a year of days, extended to a whole year."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is kept: of one channel or of all; ``planned`` counts what is to leave too."""

    rule_id: UUID
    label: str
    channel: Channel | None
    most: int
    days: int
    per: Grouping
    planned: bool

    @property
    def limit(self) -> PressureRule:
        """What it allows."""
        return PressureRule(self.most, self.days, self.per)


@dataclass(frozen=True, slots=True)
class Other:
    """Another campaign that reached people on a day, or is planned to.

    ``source`` names its recipients: a run of the ledger, or the snapshot of a plan.
    """

    source: UUID
    day: date
    planned: bool = False
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """Campaigns that one rule counts together; of ``most`` or more of them nobody gets another."""

    most: int
    channel: Channel | None
    others: tuple[Other, ...]


def windows(
    rules: Sequence[Rule], others: Sequence[Other], *, day: date, weight: int
) -> Iterator[Window]:
    """Yield the windows in which a message of ``day`` may be too many.

    What has left counts whatever its weight. A plan counts where it is heavier, or as heavy and
    earlier; each window ends with the message, or with a plan that it would be counted against.
    Windows that hold too few campaigns to fill them are left out.
    """
    for rule in rules:
        # A plan whose day has passed leaves today at the earliest.
        counted = [
            replace(one, day=max(one.day, day)) if one.planned else one
            for one in others
            if not one.planned or (rule.planned and (-one.weight, one.day) < (-weight, day))
        ]
        ends = {day} | {
            one.day
            for one in counted
            if one.planned and rule.limit.window_start(one.day) <= day < one.day
        }
        for end in sorted(ends):
            first = rule.limit.window_start(end)
            within = tuple(one for one in counted if first <= one.day <= end)
            if len(within) >= rule.most:
                yield Window(rule.most, rule.channel, within)
