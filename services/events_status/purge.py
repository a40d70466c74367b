"""The purge of Message Center: what was kept long enough goes, in small steps.

Source: Adobe Campaign, options NmsCleanup_EventPurgeDelay (a month),
NmsCleanup_EventHistoPurgeDelay and NmsCleanup_EventStatPurgeDelay (a year each).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.events_status.announcing import announce
from services.events_status.archive.purging import ARCHIVED, note_purged, purge_archive, recall
from services.events_status.domain import move
from services.events_status.settings import settings_of
from services.events_status.statistics import keep_purged
from services.events_status.steering import forget_controls
from services.events_status.store import EventStore
from shared.uow import Work
from shared.workflows import Step
from topics.events import EventState, EventStatus

CHUNK: Final = 2_000
TOO_LONG: Final = "it waited longer than events are kept"
_OF_AN_EVENT: Final = ("outcomes", "event_messages", "event_history", "events")
_WAITING: Final = """
SELECT event_id FROM events
WHERE status IN ('pending', 'paused') AND received_at < $1
  AND coalesce(scheduled_at, received_at) < $1
ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
# An event whose message is still on its way is never removed, nor one that the archive lacks.
_OVER: Final = f"""
SELECT event_id FROM events e
WHERE changed_at < $1 AND status NOT IN ('pending', 'paused', 'pending_delivery') AND {ARCHIVED}
ORDER BY changed_at, event_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""


async def purge_events(work: Work) -> Step:
    """Expire what waited too long, remove what is past its time: events, archive, statistics."""
    settings = settings_of(work.settings)
    before = work.now - timedelta(days=settings.events_retention_days)
    expired = await _expire(work, before)
    if expired:
        return Step(expired, expired, more=True)
    over = [row["event_id"] for row in await work.connection.fetch(_OVER, before, CHUNK)]
    if over:
        await keep_purged(work, over)
        await note_purged(work, over)
        for table in _OF_AN_EVENT:
            await work.connection.execute(
                f"DELETE FROM {table} WHERE event_id = ANY ($1::uuid[])", over
            )
        for event_id in over:
            work.bury(EventState, str(event_id))
        if len(over) == CHUNK:
            return Step(CHUNK, CHUNK, more=True)
    await forget_controls(work, before)
    await recall(work, before)
    old = await purge_archive(work)
    if old:
        return Step(old, old, more=True)
    oldest = (work.now - timedelta(days=settings.statistics_retention_days)).date()
    await work.connection.execute("DELETE FROM event_statistics WHERE day < $1", oldest)
    return Step(len(over), len(over))


async def _expire(work: Work, before: object) -> int:
    store = EventStore(work.connection)
    rows = await work.connection.fetch(_WAITING, before, CHUNK)
    events = await store.lock([row["event_id"] for row in rows])
    moves = [
        move(event, EventStatus.EXPIRED, at=work.now, reason=TOO_LONG) for event in events.values()
    ]
    if moves:
        await store.move(moves)
        announce(work, moves)
    return len(moves)
