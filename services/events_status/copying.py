"""Copying what the delivery said of messages into the statuses of their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.events_status.announcing import announce
from services.events_status.archive.incoming import keep_late
from services.events_status.archive.logs import archive_again
from services.events_status.at_once import is_at_hand, take_tally, tally
from services.events_status.domain import Move, Told, copy_outcomes
from services.events_status.recycling import note_errors
from services.events_status.store import EventStore
from services.events_status.tries import await_tries, retries_of
from shared.uow import Work
from shared.workflows import Step, wake

UPDATING: Final = "updateEventsStatus"
CHUNK: Final = 500
_FORGET: Final = "DELETE FROM outcomes WHERE event_id = ANY ($1::uuid[])"


async def note_told(work: Work, told: Sequence[Told]) -> None:
    """Keep what the delivery said, and copy it, at once or by updateEventsStatus."""
    store = EventStore(work.connection)
    at_once = not await store.has_told() and await is_at_hand(work, UPDATING)
    new = await store.note(told, work.now if at_once else None)
    if len(new) < len(told):
        await keep_late(work.connection, told)
    if not new:
        return
    if at_once:
        if len(told) > 1:
            work.cause = None  # what is emitted here is of many messages, as in a workflow's step
        await tally(work, UPDATING, rows_in=len(new), rows_out=await _copy(work, new))
    else:
        await wake(work, UPDATING)


async def update_statuses(work: Work) -> Step:
    """Copy a chunk of the delivery's outcomes into the statuses of their events."""
    store = EventStore(work.connection)
    before = await take_tally(work, UPDATING)
    told = await store.told(CHUNK)
    if not told:
        return before
    changed = await _copy(work, told)
    await store.mark_copied(told, work.now)
    return Step(before.rows_in + len(told), before.rows_out + changed, more=len(told) == CHUNK)


async def _copy(work: Work, told: Sequence[Told]) -> int:
    store = EventStore(work.connection)
    events = await store.lock({one.event_id for one in told})
    await _forget_purged(work, [one for one in told if one.event_id not in events])
    by_event: defaultdict[UUID, list[Told]] = defaultdict(list)
    for one in told:
        by_event[one.event_id].append(one)
    moves: list[Move] = []
    for event_id, event in events.items():
        moves += copy_outcomes(event, by_event[event_id], now=work.now, retries=retries_of(work))
    await store.move(moves)
    await await_tries(work, moves)
    await note_errors(work, moves)
    await archive_again(work, events.keys() - {one.event.event_id for one in moves})
    announce(work, moves)
    return len(moves)


async def _forget_purged(work: Work, told: Sequence[Told]) -> None:
    """Leave what was said of events while they were purged to the archive alone."""
    if told:
        await work.connection.execute(_FORGET, [one.event_id for one in told])
        await keep_late(work.connection, told)
