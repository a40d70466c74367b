"""What a seed draws: where, how and when one service fails, and how much goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.faults.kinds import Kind


@dataclass(frozen=True, slots=True)
class Place:
    """A crash point in one kind of work, and the services that do such work in a scenario."""

    point: str
    kind: Kind
    services: tuple[str, ...]
    hits: int = 1
    """The latest hit to fail at: how often the quietest service gets there in a scenario."""


CONDUCTED: Final = ("campaign", "targeting", "delivery", "budget", "actions")
DRIVEN: Final = ("campaign", "delivery", "budget", "stock", "supplier")
# The first ones are those that are also frozen within the first twenty seeds.
PLACES: Final = (
    Place("uow.before_commit", Kind.SINGLE, CONDUCTED, 2),
    Place("relay.between_send_and_mark", Kind.RELAY, (*CONDUCTED, "events_status"), 2),
    Place("sender.after_call", Kind.SENDER, ("delivery",), 12),
    Place("uow.before_commit", Kind.BATCH, ("delivery", "actions", "events_status")),
    Place("workflow.before_commit", Kind.WORKFLOW, (*DRIVEN, "events_status")),
    Place("consumer.after_commit", Kind.SINGLE, CONDUCTED, 2),
    Place("consumer.after_commit", Kind.BATCH, ("delivery", "actions", "events_status")),
    Place("uow.before_commit", Kind.INTAKE, ("events_status",)),
    Place("consumer.after_commit", Kind.INTAKE, ("events_status",)),
    Place("relay.before_send", Kind.RELAY, (*CONDUCTED, "events_status"), 2),
    Place("retry.before_commit", Kind.RETRY, ("targeting", *DRIVEN)),
    Place("sender.before_call", Kind.SENDER, ("delivery",), 12),
    Place("uow.before_commit", Kind.SENDER, ("delivery",), 2),
    Place("uow.before_commit", Kind.WORKFLOW, DRIVEN),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """One scenario.

    Attributes:
        how: ``kill`` or ``freeze``.
        nth: the hit that fails.
    """

    seed: int
    place: Place
    service: str
    how: str
    nth: int
    campaigns: int
    events: int

    @property
    def fault(self) -> str:
        """The value of ``MUSTER_FAULT``."""
        return f"{self.how}:{self.place.point}:{self.nth}"

    @property
    def name(self) -> str:
        """The fault in words, for tables."""
        return f"{self.how} at {self.place.point} ({self.place.kind})"


def draw(seed: int) -> Draw:
    """Return the scenario of a seed, counted from 1; the places take turns, the rest is chance."""
    chance = random.Random(seed)
    turn, index = divmod(seed - 1, len(PLACES))
    place = PLACES[index]
    return Draw(
        seed=seed,
        place=place,
        service=chance.choice(place.services),
        how="freeze" if turn % 2 else "kill",
        nth=chance.randint(1, place.hits),
        campaigns=chance.randint(1, 2),
        events=chance.randint(3, 6),
    )


def not_hit(hits: Iterable[tuple[str, str]]) -> list[str]:
    """Return the places that no fault has hit; ``hits`` are (point, kind)."""
    found = set(hits)
    return [f"{one.point} ({one.kind})" for one in PLACES if (one.point, one.kind) not in found]
