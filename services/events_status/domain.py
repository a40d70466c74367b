"""What an outside event may become, and what makes one acceptable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from topics.delivery import Outcome
from topics.events import EventStatus
from topics.outside import Queue

DEFAULT_CHANNEL: Final = "email"


class IllegalMove(Exception):
    """A status cannot follow another."""


ALLOWED: Final[dict[EventStatus | None, frozenset[EventStatus]]] = {
    None: frozenset({EventStatus.PENDING}),
    EventStatus.PENDING: frozenset(
        {
            EventStatus.PENDING_DELIVERY,
            EventStatus.NOT_COVERED,
            EventStatus.EXPIRED,
            EventStatus.PAUSED,
        }
    ),
    EventStatus.PAUSED: frozenset({EventStatus.PENDING, EventStatus.EXPIRED}),
    EventStatus.PENDING_DELIVERY: frozenset(
        {EventStatus.SENT, EventStatus.IGNORED, EventStatus.DELIVERY_ERROR}
    ),
    # A bounce may come long after the server took the message.
    EventStatus.SENT: frozenset({EventStatus.DELIVERY_ERROR}),
    EventStatus.IGNORED: frozenset(),
    EventStatus.DELIVERY_ERROR: frozenset(),
    EventStatus.NOT_COVERED: frozenset(),
    EventStatus.EXPIRED: frozenset(),
}
"""Which status may follow which (source: Adobe Campaign, Message Center statuses)."""

COPIED: Final[dict[Outcome, EventStatus]] = {
    Outcome.SENT: EventStatus.SENT,
    Outcome.IGNORED: EventStatus.IGNORED,
    Outcome.FAILED: EventStatus.DELIVERY_ERROR,
}
"""The statuses copied from the delivery; its other outcomes are not final and change nothing."""


class Route(NamedTuple):
    """What an event template is for."""

    event_type: str
    channel: str


@dataclass(frozen=True, slots=True)
class Published:
    """A published version of an event template; without a hash, of its template's content then."""

    template_id: UUID
    version: int
    content_hash: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """The template that an event type and channel is linked to, and what of it was published.

    Attributes:
        content_hash: the content it holds, as far as it is known here.
    """

    template_id: UUID
    content_hash: str | None
    published: Published | None

    @property
    def differs(self) -> bool:
        """Whether events are sent with anything else than it now, if with anything."""
        live = self.published
        if live is None or live.template_id != self.template_id:
            return live is not None
        return live.content_hash not in {None, self.content_hash}

    @property
    def to_publish(self) -> bool:
        """Whether publishing it makes another version."""
        live = self.published
        return live is None or (live.template_id, live.content_hash) != (
            self.template_id,
            self.content_hash,
        )


@dataclass(frozen=True, slots=True)
class Received:
    """An acceptable event as it came in."""

    event_id: UUID
    source: str
    ce_id: str
    event_type: str
    queue: Queue
    channel: str
    address: str
    language: str
    external_id: str | None
    ctx: dict[str, Any]
    origin: str | None = None
    country: str | None = None
    email_format: str | None = None
    scheduled: datetime | None = None
    expiration: datetime | None = None
    identity: tuple[str, str] | None = None
    """The channel and address its recipient is known by, where they are not its own."""

    @property
    def known_by(self) -> tuple[str, str]:
        """The channel and address that its recipient's key is made of."""
        return self.identity or (self.channel, self.address)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is published of an event: neither address nor ``ctx``.

    Attributes:
        since: when it got its status, or the time it is scheduled for where that is later.
        due_at: when it came in, or the time it is scheduled for where that is later.
    """

    event_id: UUID
    event_type: str
    external_id: str | None
    received_at: datetime
    status: EventStatus | None
    version: int
    channel: str = DEFAULT_CHANNEL
    since: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an event's status; ``event`` is the event afterwards.

    Attributes:
        since: since when the event had its former status.
        told_at: when the delivery says that it happened, of a copied status.
    """

    event: Tracked
    before: EventStatus | None
    after: EventStatus
    reason: str
    at: datetime
    since: datetime | None = None
    told_at: datetime | None = None

    @property
    def happened_at(self) -> datetime:
        """When it happened; copying may be late, and another machine's clock ahead."""
        return self.at if self.told_at is None else min(self.told_at, self.at)


@dataclass(frozen=True, slots=True)
class Told:
    """What the delivery said of an event's message."""

    event_id: UUID
    outcome: Outcome
    reason: str
    at: datetime


def move(event: Tracked, to: EventStatus, *, at: datetime, reason: str = "") -> Move:
    """Return the change to a status; raise :class:`IllegalMove` when ALLOWED lacks the pair."""
    if to not in ALLOWED[event.status]:
        raise IllegalMove(f"{event.status or 'nothing'} -> {to}")
    after = replace(event, status=to, version=event.version + 1, since=at)
    return Move(after, event.status, to, reason, at, event.since)


def copy_outcomes(event: Tracked, told: Sequence[Told], *, now: datetime) -> list[Move]:
    """Return the changes that outcomes make, oldest first; those that come too late make none."""
    moves: list[Move] = []
    for one in sorted(told, key=lambda said: said.at):
        to = COPIED.get(one.outcome)
        if to is not None and to in ALLOWED[event.status]:
            moved = move(event, to, at=now, reason=one.reason)
            moves.append(replace(moved, told_at=one.at))
            event = moved.event
    return moves


def due_timer(queue: Queue) -> str:
    """Return the kind of timers that are due when scheduled events of a queue are."""
    return f"events.scheduled.{queue}"


def processing_of(queue: Queue) -> str:
    """Return the technical workflow that processes a queue."""
    return "rtEventsProcessing" if queue is Queue.REALTIME else "batchEventsProcessing"
