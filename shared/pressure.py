"""Pressure: which of the messages meant for one person are too many. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID


class Grouping(StrEnum):
    """The calendar period that a rule's window is extended to the beginning of."""

    NONE = "none"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class PressureRule:
    """At most ``most`` messages in any ``days`` days, whole calendar periods counted."""

    most: int
    days: int
    per: Grouping = Grouping.NONE

    def window_start(self, day: date) -> date:
        """Return the first day that counts together with a day (0 days: its own period alone)."""
        first = day - timedelta(days=max(self.days - 1, 0))
        match self.per:
            case Grouping.WEEK:
                return first - timedelta(days=first.weekday())
            case Grouping.MONTH:
                return first.replace(day=1)
            case Grouping.QUARTER:
                return first.replace(month=(first.month - 1) // 3 * 3 + 1, day=1)
            case Grouping.YEAR:
                return first.replace(month=1, day=1)
            case _:
                return first


@dataclass(frozen=True, slots=True)
class Meant:
    """One message that is meant for a person; the heavier one goes before the lighter."""

    message_id: UUID
    day: date
    weight: int = 1


def too_many(messages: Sequence[Meant], rule: PressureRule) -> set[UUID]:
    """Return the ids of messages that a rule leaves out.

    The heaviest are kept first, of equal ones the earliest; one is left out when keeping it would
    make a window that ends with it, or with one that is kept, hold more than the rule allows.
    """
    kept: list[Meant] = []
    for one in sorted(messages, key=lambda meant: (-meant.weight, meant.day)):
        days = [meant.day for meant in (*kept, one)]
        ends = [end for end in days if rule.window_start(end) <= one.day <= end]
        if all(_within(days, rule.window_start(end), end) <= rule.most for end in ends):
            kept.append(one)
    return {one.message_id for one in messages} - {one.message_id for one in kept}


def _within(days: Sequence[date], first: date, last: date) -> int:
    return sum(first <= day <= last for day in days)
