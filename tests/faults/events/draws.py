"""What a seed draws: what is pushed by which door, and which process dies where meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.events_status.archive.pointers import Stage
from tests.faults.delivery.receiver import Manners
from tests.faults.kinds import Kind

BROKER: Final = "restart of the broker in mid-run"
DATABASE: Final = "restart of PostgreSQL in mid-run"
LOST_SHARE: Final = 0.3
"""How many answers never reach the client."""


@dataclass(frozen=True, slots=True)
class Place:
    """A crash point in one kind of a service's work; without a point, a server that restarts.

    Attributes:
        hits: the latest hit to die at; each seed gets there.
    """

    point: str
    service: str = ""
    kind: Kind | None = None
    hits: int = 1

    @property
    def name(self) -> str:
        """The fault in words, for tables."""
        return f"kill at {self.point} ({self.service}, {self.kind})" if self.service else self.point


def _at(service: str, kind: Kind, *points: str, hits: int = 1) -> tuple[Place, ...]:
    return tuple(Place(point, service, kind, hits) for point in points)


COMMITS: Final = ("uow.before_commit", "consumer.after_commit")
STEP: Final = ("workflow.before_commit", "uow.before_commit")
RELAYED: Final = ("relay.before_send", "relay.between_send_and_mark")
PUSHED: Final = ("intake.keys_written", "intake.before_publish", "intake.after_publish")
CALLED: Final = ("sender.window_open", "sender.before_call", "sender.after_call")
WRITTEN: Final = ("sender.before_results", "uow.before_commit", "sender.after_results")
HELD: Final[dict[Kind | None, str]] = {
    Kind.ROUTING: "rtEventsProcessing",
    Kind.BATCH_ROUTING: "batchEventsProcessing",
    Kind.STATUSES: "updateEventsStatus",
}
ARCHIVED: Final = tuple(f"archive.{stage}" for stage in Stage)
PLACES: Final = (
    *_at("web", Kind.PUSH, *PUSHED, hits=4),
    Place("uow.before_commit", "web", Kind.PUSH, 8),
    Place("uow.before_commit", "web", Kind.NUMBERS, 2),
    *_at("events_status", Kind.INTAKE, *COMMITS, hits=2),
    *_at("events_status", Kind.ROUTING, *STEP),
    *_at("events_status", Kind.BATCH_ROUTING, *STEP),
    *_at("events_status", Kind.BATCH, *COMMITS),
    *_at("events_status", Kind.STATUSES, *STEP),
    *_at("events_status", Kind.ARCHIVE, *ARCHIVED, *STEP),
    *_at("events_status", Kind.RELAY, *RELAYED, hits=3),
    *_at("delivery", Kind.BATCH, *COMMITS),
    *_at("delivery", Kind.URGENT, *CALLED, hits=2),
    *_at("delivery", Kind.URGENT, *WRITTEN),
    *_at("delivery", Kind.RELAY, *RELAYED, hits=2),
    Place(BROKER),
    Place(DATABASE),
)


class Door(StrEnum):
    """A way in."""

    ONE = "REST, one"
    ARRAY = "REST, an array"
    LINES = "NDJSON"
    SOAP_ONE = "SOAP, one"
    SOAP_MANY = "SOAP, several"
    BINARY = "Kafka, binary"
    STRUCTURED = "Kafka, structured"


HTTP: Final = frozenset({Door.ONE, Door.ARRAY, Door.LINES, Door.SOAP_ONE, Door.SOAP_MANY})
SINGLE: Final = frozenset({Door.ONE, Door.SOAP_ONE})


class Fate(StrEnum):
    """What is the matter with an event."""

    PLAIN = "plain"
    SCHEDULED = "scheduled"
    EXPIRED = "expired"
    NOT_COVERED = "not covered"
    REFUSED = "refused by its server"
    NO_MAILBOX = "an address that no mail goes to"
    BOUNCED = "sent back later"


@dataclass(frozen=True, slots=True)
class Push:
    """One call, or one batch of records: by which door, to which queue, and what is in it.

    Attributes:
        own_keys: each event has an idempotency key of its own, in place of the request's.
        copies: how often it is sent again once it was taken, or beside itself.
    """

    door: Door
    queue: str
    fates: tuple[Fate, ...]
    own_keys: bool
    copies: int


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed.

    Attributes:
        nth: the hit that kills.
        again_after: after so many seconds the successor is killed, too.
        resends: what a person does with ambiguous messages; else they are taken for sent.
        held: a technical workflow that is stopped while the first events come, if any: what it does
            is then done by its steps, not where events and outcomes come in.
    """

    seed: int
    place: Place
    nth: int
    pushes: tuple[Push, ...]
    manners: Manners
    window: int
    again_after: float | None
    resends: bool
    held: str | None

    @property
    def fault(self) -> str:
        """The value of ``MUSTER_FAULT``."""
        return f"kill:{self.place.point}:{self.nth}"

    @property
    def name(self) -> str:
        """The fault in words, for tables."""
        return self.place.name

    @property
    def events(self) -> int:
        """How many events are pushed, each counted once."""
        return sum(len(one.fates) for one in self.pushes)


def draw(seed: int) -> Draw:
    """Return the draw of a seed, counted from 1; places take turns, the rest is chance."""
    chance = random.Random(seed)
    place = PLACES[(seed - 1) % len(PLACES)]
    return Draw(
        seed=seed,
        place=place,
        nth=chance.randint(1, place.hits),
        pushes=_pushes(chance),
        manners=_manners(chance),
        window=chance.randint(1, 6),
        again_after=chance.uniform(0.3, 1.0) if chance.random() < 0.2 else None,
        resends=chance.random() < 0.6,
        held=HELD.get(place.kind) or chance.choice((None, None, None, *HELD.values())),
    )


def _pushes(chance: random.Random) -> tuple[Push, ...]:
    """Return pushes by every door, to both queues, with events of every fate among them."""
    doors = [*Door, *chance.choices(list(Door), k=chance.randint(3, 7))]
    fates = [Fate.PLAIN, *Fate]
    made = []
    for number, door in enumerate(doors):
        size = 1 if door in SINGLE else chance.randint(2, 5)
        drawn = [chance.choice((Fate.PLAIN, chance.choice(list(Fate)))) for _ in range(size)]
        # So that every place is reached: each queue has plain ones, and each fate comes about.
        drawn[0] = fates[number] if number < len(fates) else Fate.PLAIN
        queue = ("realtime", "batch")[number % 2]
        copies = chance.choice((0, 0, 1, 2))
        made.append(Push(door, queue, tuple(drawn), chance.random() < 0.4, copies))
    chance.shuffle(made)
    return tuple(made)


def _manners(chance: random.Random) -> Manners:
    """Draw a mail server; half of them are polite."""
    if chance.random() < 0.5:
        return Manners()
    return Manners(
        pipelining=chance.random() < 0.7,
        slow_share=chance.choice((0.0, 0.1)),
        deferred_share=chance.choice((0.0, 0.3)),
        dropped_share=chance.choice((0.0, 0.1)),
        swallowed_share=chance.choice((0.0, 0.1)),
        farewell_share=chance.choice((0.0, 0.05)),
        per_connection=chance.choice((0, 5)),
    )


def not_hit(names: Iterable[str]) -> list[str]:
    """Return the places that none of the faults hit."""
    found = set(names)
    return [one.name for one in PLACES if one.name not in found]
