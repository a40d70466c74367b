"""What an outside event may become, and what makes one acceptable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from topics.delivery import Outcome
from topics.events import EventStatus
from topics.outside import Queue

DEFAULT_CHANNEL: Final = "email"
LONGEST_WAIT_SECONDS: Final = 3600.0


class IllegalMove(Exception):
    """A status cannot follow another."""


ALLOWED: Final[dict[EventStatus | None, frozenset[EventStatus]]] = {
    None: frozenset({EventStatus.PENDING}),
    # From pending to pending a try has failed: the reason says why, and the next one is set.
    EventStatus.PENDING: frozenset(
        {
            EventStatus.PENDING,
            EventStatus.PENDING_DELIVERY,
            EventStatus.NOT_COVERED,
            EventStatus.EXPIRED,
            EventStatus.PAUSED,
        }
    ),
    EventStatus.PAUSED: frozenset({EventStatus.PENDING, EventStatus.EXPIRED}),
    # Back to pending, or expired, when the delivery has not taken the message.
    EventStatus.PENDING_DELIVERY: frozenset(
        {
            EventStatus.SENT,
            EventStatus.IGNORED,
            EventStatus.DELIVERY_ERROR,
            EventStatus.PENDING,
            EventStatus.EXPIRED,
        }
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
    others: Mapping[str, str] = field(default_factory=dict)
    """Its addresses for channels other than its own, by channel."""

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
        errors: how many tries failed.
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
    errors: int = 0
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an event's status; ``event`` is the event afterwards.

    Attributes:
        since: since when the event had its former status.
        told_at: when the delivery says that it happened, of a copied status.
        failed: whether a try failed.
        next_try_at: when there is another one then.
    """

    event: Tracked
    before: EventStatus | None
    after: EventStatus
    reason: str
    at: datetime
    since: datetime | None = None
    told_at: datetime | None = None
    failed: bool = False
    next_try_at: datetime | None = None

    @property
    def happened_at(self) -> datetime:
        """When it happened; copying may be late, and another machine's clock ahead."""
        return self.at if self.told_at is None else min(self.told_at, self.at)


@dataclass(frozen=True, slots=True)
class Told:
    """What the delivery said of an event's message.

    ``not_taken`` when nothing was attempted and another message may go well later.
    """

    event_id: UUID
    outcome: Outcome
    reason: str
    at: datetime
    not_taken: bool = False


@dataclass(frozen=True, slots=True)
class Retries:
    """How often an event is tried, and how long after the first failure again; then doubling.

    ``spread`` from 0 to 1 shortens the waits by up to a fifth, so that what failed together does
    not come back together.
    """

    most: int = 10
    base_seconds: float = 10.0
    spread: float = 0.0

    def wait(self, errors: int) -> timedelta:
        """Return how long to wait after a number of failures, at most an hour."""
        doubled = self.base_seconds * 2 ** min(errors - 1, 40)
        return timedelta(seconds=min(doubled, LONGEST_WAIT_SECONDS) * (1 - self.spread / 5))


DEFAULT_RETRIES: Final = Retries()


def move(event: Tracked, to: EventStatus, *, at: datetime, reason: str = "") -> Move:
    """Return the change to a status; raise :class:`IllegalMove` when ALLOWED lacks the pair."""
    if to not in ALLOWED[event.status]:
        raise IllegalMove(f"{event.status or 'nothing'} -> {to}")
    after = replace(event, status=to, version=event.version + 1, since=at)
    return Move(after, event.status, to, reason, at, event.since)


def put_off(event: Tracked, *, at: datetime, reason: str, retries: Retries) -> Move:
    """Return the change that a failed try makes: pending until the next one, or expired.

    Raises:
        IllegalMove: the event is neither pending nor pending delivery.
    """
    tried = replace(event, errors=event.errors + 1)
    if tried.errors >= retries.most:
        last = f"{reason}; given up after {tried.errors} tries"
        return replace(move(tried, EventStatus.EXPIRED, at=at, reason=last), failed=True)
    next_try_at = at + retries.wait(tried.errors)
    waits = move(tried, EventStatus.PENDING, at=at, reason=reason)
    return replace(waits, failed=True, next_try_at=next_try_at)


def copy_outcomes(
    event: Tracked,
    told: Sequence[Told],
    *,
    now: datetime,
    retries: Retries = DEFAULT_RETRIES,
) -> list[Move]:
    """Return the changes that outcomes make, oldest first; those that come too late make none."""
    moves: list[Move] = []
    for one in sorted(told, key=lambda said: said.at):
        to = COPIED.get(one.outcome)
        if one.not_taken and event.status is EventStatus.PENDING_DELIVERY:
            moved = put_off(event, at=now, reason=one.reason, retries=retries)
        elif not one.not_taken and to is not None and to in ALLOWED[event.status]:
            moved = move(event, to, at=now, reason=one.reason)
        else:
            continue
        moves.append(replace(moved, told_at=one.at))
        event = moved.event
    return moves


def message_id(event_id: UUID, errors: int) -> UUID:
    """Return the id of an event's message after a number of failed tries: its own at first.

    The delivery knows a message by its id and never sends two of one id, so another try is another
    message.
    """
    return uuid5(event_id, f"try {errors + 1}") if errors else event_id


def due_timer(queue: Queue) -> str:
    """Return the kind of timers that are due when scheduled events of a queue are."""
    return f"events.scheduled.{queue}"


def processing_of(queue: Queue) -> str:
    """Return the technical workflow that processes a queue."""
    return "rtEventsProcessing" if queue is Queue.REALTIME else "batchEventsProcessing"
