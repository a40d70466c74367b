"""What a seed draws: where one of the two services dies, and what campaigns do meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.faults.kinds import Kind

BOTH: Final = ("budget", "stock")


@dataclass(frozen=True, slots=True)
class Place:
    """A crash point, the kind of work it is aimed at (``None``: the point is in one alone)."""

    point: str
    services: tuple[str, ...]
    kind: Kind | None = None
    hits: int = 3
    """The latest hit to die at; each seed gets there."""

    @property
    def name(self) -> str:
        """The place in words."""
        return f"{self.point} ({self.kind})" if self.kind else self.point


PLACES: Final = (
    Place("budget.held", ("budget",)),
    Place("stock.reserved", ("stock",)),
    Place("stock.consumed", ("stock",), hits=2),
    Place("budget.spent", ("budget",), hits=2),
    Place("budget.invoiced", ("budget",), hits=1),
    Place("uow.before_commit", BOTH, Kind.SINGLE),
    Place("consumer.after_commit", BOTH, Kind.SINGLE),
    Place("relay.before_send", BOTH, Kind.RELAY),
    Place("relay.between_send_and_mark", BOTH, Kind.RELAY),
    Place("workflow.before_commit", BOTH, Kind.WORKFLOW, hits=2),
)


class Fate(StrEnum):
    """What becomes of a campaign whose money and goods are held."""

    USED = "used"
    """Two files take all of it."""
    PARTLY = "partly used"
    """One file takes less; the rest goes back."""
    GIVEN_BACK = "given back"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One campaign: how many letters it wants, and what becomes of it when it gets them."""

    letters: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed.

    Attributes:
        nth: the hit that kills.
        both: whether the other service is killed, too, while campaigns go on.
        stock: pieces of the scarce line; not all campaigns get what they want.
    """

    seed: int
    place: Place
    service: str
    nth: int
    both: bool
    stock: int
    campaigns: tuple[Drawn, ...]

    @property
    def fault(self) -> str:
        """The value of ``MUSTER_FAULT``."""
        return f"kill:{self.place.point}:{self.nth}"

    @property
    def name(self) -> str:
        """The fault in words, for tables."""
        return f"kill at {self.place.name}"


def draw(seed: int) -> Draw:
    """Return the seed's draw, counted from 1; places take turns, the rest is chance.

    The first two campaigns get what they want and use it, so that every place is reached.
    """
    chance = random.Random(seed)
    place = PLACES[(seed - 1) % len(PLACES)]
    sure = (Drawn(3, Fate.USED), Drawn(4, Fate.PARTLY))
    others = tuple(
        Drawn(chance.randint(1, 12), chance.choice(list(Fate))) for _ in range(chance.randint(2, 6))
    )
    return Draw(
        seed=seed,
        place=place,
        service=chance.choice(place.services),
        nth=chance.randint(1, place.hits),
        both=chance.random() < 0.3,
        stock=chance.randint(10, 40),
        campaigns=sure + others,
    )


def not_hit(names: Iterable[str]) -> list[str]:
    """Return the places that none of the faults hit."""
    found = set(names)
    return [one.name for one in PLACES if one.name not in found]
