"""Tries that failed: their rows, and when there is another."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.events_status.domain import (
    Move,
    Retries,
    Tracked,
    due_timer,
    message_id,
    put_off,
)
from services.events_status.settings import settings_of
from shared.database import Connection
from shared.timers import set_timer
from shared.uow import Work
from topics.outside import Queue

_spread: Final = random.Random()
_FAILED: Final = """
UPDATE events e
SET errors = f.errors, waits_until = f.next_try_at, template_id = NULL, template_version = NULL,
    content_hash = NULL
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS f (event_id, errors, next_try_at)
WHERE e.event_id = f.event_id
"""
_AGAIN: Final = """
INSERT INTO event_retries (message_id, event_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING
"""


def retries_of(work: Work) -> Retries:
    """Return how often events are tried here, and how long after each failure."""
    settings = settings_of(work.settings)
    return Retries(settings.events_max_tries, settings.events_retry_base_seconds, _spread.random())


def failed_try(work: Work, event: Tracked, reason: str) -> Move:
    """Return the change that a failed try makes now."""
    return put_off(event, at=work.now, reason=reason, retries=retries_of(work))


async def note_failures(connection: Connection, failed: Sequence[Move]) -> None:
    """Write how often events failed and until when they wait; they have no message any more."""
    if not failed:
        return
    ids = [one.event.event_id for one in failed]
    errors = [one.event.errors for one in failed]
    await connection.execute(_FAILED, ids, errors, [one.next_try_at for one in failed])
    for table in ("event_messages", "event_retries"):
        await connection.execute(f"DELETE FROM {table} WHERE event_id = ANY ($1::uuid[])", ids)


async def note_again(connection: Connection, given: Collection[Tracked]) -> None:
    """Note whose message each is that is asked for after a failed try."""
    again = [one for one in given if one.errors]
    if again:
        messages = [message_id(one.event_id, one.errors) for one in again]
        await connection.execute(_AGAIN, messages, [one.event_id for one in again])


async def await_tries(work: Work, moves: Sequence[Move]) -> None:
    """Have the queues processed when failed events have their next tries."""
    times = {one.event.event_id: one.next_try_at for one in moves if one.next_try_at}
    if not times:
        return
    rows = await work.connection.fetch(
        "SELECT event_id, queue FROM events WHERE event_id = ANY ($1::uuid[])", list(times)
    )
    seconds = {(row["queue"], next_second(times[row["event_id"]])) for row in rows}
    for queue, second in sorted(seconds):
        await set_timer(work, due_timer(Queue(queue)), second.isoformat(), second)


def next_second(at: datetime) -> datetime:
    """Return the full second at or after a time: one timer serves all events of one."""
    return at.replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)
