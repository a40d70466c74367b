"""Summaries for the view of service levels: what one transaction did to events, numbered."""

from __future__ import annotations

import asyncio
import heapq
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from services.events_status.domain import Move
from shared.ids import new_id
from shared.uow import Work
from topics.events import EventStatus
from topics.levels import MOST_LINES, OTHER, ActivityLine, EventsActivity, QueueLength

_MILLISECOND: Final = timedelta(milliseconds=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FIELDS: Final = tuple(
    name for name in ActivityLine.model_fields if name not in {"channel", "event_type", "minute"}
)
_QUEUED: Final = _FIELDS.index("queued")
_ENTERED: Final = _FIELDS.index("entered")
_ROUTED_EVENTS: Final = _FIELDS.index("routed")
_QUEUE_MS: Final = _FIELDS.index("queue_ms")
_PROCESSING_MS: Final = _FIELDS.index("processing_ms")
_SENDING_MS: Final = _FIELDS.index("sending_ms")
_PENDING: Final = EventStatus.PENDING
_ROUTED: Final = EventStatus.PENDING_DELIVERY
_ENDS: Final = {
    status: _FIELDS.index(status)
    for status in (
        EventStatus.SENT,
        EventStatus.IGNORED,
        EventStatus.DELIVERY_ERROR,
        EventStatus.NOT_COVERED,
        EventStatus.EXPIRED,
    )
}
"""The statuses that are counted by their own name."""
Line = tuple[str, str, datetime]
"""Channel, event type, and the minute's beginning."""


class Lanes:
    """Names whose summaries follow one another: a task has one at a time, and returns it.

    Transactions of one task commit in their order; those of two tasks do not, so each has numbers
    of its own. Lanes are used again, so there are as few as tasks ever worked at once.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._name = new_id().hex
        self._sequences: list[int] = []
        self._free: list[int] = []
        self._of: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()

    def next(self) -> tuple[str, int]:
        """Return the running task's source, and its next number."""
        task = asyncio.current_task()
        if task is None:
            message = "summaries are told by tasks"
            raise RuntimeError(message)
        if self._process != os.getpid():
            self._begin()  # forked: its parent and its siblings count under the former name
        lane = self._of.get(task)
        if lane is None:
            lane = self._of[task] = self._take()
            task.add_done_callback(lambda _: heapq.heappush(self._free, lane))
        self._sequences[lane] += 1
        return f"{self._name}:{lane}", self._sequences[lane]

    def _take(self) -> int:
        if self._free:
            return heapq.heappop(self._free)
        self._sequences.append(0)
        return len(self._sequences) - 1


_LANES: Final = Lanes()


def note_activity(work: Work, moves: Sequence[Move]) -> None:
    """Have the view told, when this transaction commits, what changes did."""
    if moves:
        _tell(work, lines_of(moves))


def note_queue(work: Work, lengths: Mapping[tuple[str, str], int]) -> None:
    """Have the view told how long the queue is, by channel and type."""
    _tell(work, (), _shortened(lengths))


def _tell(
    work: Work, lines: Sequence[ActivityLine], queue: tuple[QueueLength, ...] | None = None
) -> None:
    source, sequence = _LANES.next()
    work.emit(
        EventsActivity(
            source=source, sequence=sequence, lines=tuple(lines), queue=queue, at=work.now
        )
    )


def lines_of(moves: Sequence[Move]) -> list[ActivityLine]:
    """Return what changes did by channel, type and minute; types beyond the bound as others.

    Every event of the hot path passes here, a few times: so it adds up in plain lists.
    """
    found: dict[Line, list[int]] = {}
    at, minute = None, _NEVER
    for one in moves:
        event, happened_at = one.event, one.happened_at
        if happened_at is not at:
            at, minute = happened_at, happened_at.replace(second=0, microsecond=0)
        counts = found.get((event.channel, event.event_type, minute))
        if counts is None:
            counts = _new_line(found, (event.channel, event.event_type, minute))
        counts[_QUEUED] += _queued(one)
        if one.before is None:
            counts[_ENTERED] += 1
        if one.after is _ROUTED:
            counts[_ROUTED_EVENTS] += 1
            counts[_QUEUE_MS] += _elapsed(one.since, one.at)
        elif one.after is not _PENDING:
            _end(counts, one, happened_at)
    return [
        ActivityLine(
            channel=channel, event_type=kind, minute=minute, **dict(zip(_FIELDS, line, strict=True))
        )
        for (channel, kind, minute), line in found.items()
    ]


def _new_line(found: dict[Line, list[int]], key: Line) -> list[int]:
    if len(found) >= MOST_LINES:
        key = (key[0], OTHER, key[2])
    return found.setdefault(key, [0] * len(_FIELDS))


def _end(counts: list[int], one: Move, happened_at: datetime) -> None:
    field = _ENDS.get(one.after)
    if field is not None:
        counts[field] += 1
    if one.after is EventStatus.SENT:
        counts[_PROCESSING_MS] += _elapsed(one.since, happened_at)
        counts[_SENDING_MS] += _elapsed(one.event.due_at, happened_at)


def _queued(one: Move) -> int:
    """Return by how many a change makes the queue longer.

    What is scheduled, or waits for its next try, joins it unseen once its time has come, so it does
    not leave it either; a count sets it right.
    """
    event = one.event
    if event.due_at is not None and event.due_at > event.received_at:
        return 0
    if event.errors:
        is_first = one.failed and event.errors == 1
        return -1 if is_first and one.before is _PENDING else 0
    return (one.after is _PENDING) - (one.before is _PENDING)


def _elapsed(since: datetime | None, until: datetime) -> int:
    return 0 if since is None else max((until - since) // _MILLISECOND, 0)


def _shortened(lengths: Mapping[tuple[str, str], int]) -> tuple[QueueLength, ...]:
    """Return the longest queues by type, and the rest by channel."""
    longest = sorted(lengths.items(), key=lambda one: (-one[1], one[0]))
    shown = Counter(dict(longest[:MOST_LINES]))
    for (channel, _), events in longest[MOST_LINES:]:
        shown[channel, OTHER] += events
    return tuple(
        QueueLength(channel=channel, event_type=kind, events=events)
        for (channel, kind), events in shown.items()
    )
