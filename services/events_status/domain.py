"""What an outside event may become, and what makes one acceptable."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from topics.delivery import Outcome
from topics.events import EventStatus

NAMESPACE: Final = UUID("823796f8-6e05-540d-a289-af091b7fad21")
"""Event ids are UUIDv5 in this namespace, over the CloudEvent's source, a NUL and its id."""

MAX_CTX_BYTES: Final = 262_144
MAX_TYPE: Final = 200
DEFAULT_CHANNEL: Final = "email"
_ADDRESS: Final = re.compile(
    r"^[^\s@\x00-\x1f\x7f<>,;:\"()\[\]\\]{1,64}@[^\s@\x00-\x1f\x7f]{1,250}$"
)


class Queue(StrEnum):
    """The two queues of events; real-time ones are always processed first."""

    REALTIME = "realtime"
    BATCH = "batch"


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


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is published of an event: neither address nor ``ctx``."""

    event_id: UUID
    event_type: str
    external_id: str | None
    received_at: datetime
    status: EventStatus | None
    version: int


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an event's status; ``event`` is the event afterwards."""

    event: Tracked
    before: EventStatus | None
    after: EventStatus
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the delivery said of an event's message."""

    event_id: UUID
    outcome: Outcome
    reason: str
    at: datetime


def event_id(source: str, ce_id: str) -> UUID:
    """Return the id of the event with this CloudEvents identity: the same whenever it comes.

    Neither part can hold a NUL, so two identities never make one name.
    """
    return uuid5(NAMESPACE, f"{source}\x00{ce_id}")


def move(event: Tracked, to: EventStatus, *, at: datetime, reason: str = "") -> Move:
    """Return the change to a status; raise :class:`IllegalMove` when ALLOWED lacks the pair."""
    if to not in ALLOWED[event.status]:
        raise IllegalMove(f"{event.status or 'nothing'} -> {to}")
    after = replace(event, status=to, version=event.version + 1)
    return Move(after, event.status, to, reason, at)


def copy_outcomes(event: Tracked, told: Sequence[Told], *, now: datetime) -> list[Move]:
    """Return the changes that outcomes make, oldest first; those that come too late make none."""
    moves: list[Move] = []
    for one in sorted(told, key=lambda said: said.at):
        to = COPIED.get(one.outcome)
        if to is not None and to in ALLOWED[event.status]:
            moves.append(move(event, to, at=now, reason=one.reason))
            event = moves[-1].event
    return moves


def processing_of(queue: Queue) -> str:
    """Return the technical workflow that processes a queue."""
    return "rtEventsProcessing" if queue is Queue.REALTIME else "batchEventsProcessing"


def is_address(text: str) -> bool:
    """Whether a text looks like one e-mail address, good enough to hand to a server."""
    return _ADDRESS.match(text.strip()) is not None


def unstorable(value: Any) -> str | None:
    """Return why a JSON value cannot be kept as it is, or ``None``.

    PostgreSQL keeps no NUL in text, and JSON has no infinite numbers nor, here, over 64 bits.
    """
    if isinstance(value, str):
        return "holds a NUL character" if "\x00" in value else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "holds a number that is not finite"
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else "holds a number of over 64 bits"
    return _first(_parts(value))


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _first(values: Sequence[Any]) -> str | None:
    return next((why for why in map(unstorable, values) if why is not None), None)
