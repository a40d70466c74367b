"""Forgetting a person: their address and what an event said of them leave the rows."""

from __future__ import annotations

from typing import Final

from services.events_status.announcing import announce
from services.events_status.domain import move
from services.events_status.store import EventStore
from shared.uow import Work
from topics.events import EventStatus

# Rows of one person; more are left for the next call.
LIMIT: Final = 20_000
REASON: Final = "the address was erased"
_FIND: Final = """
SELECT event_id FROM events WHERE recipient_key = $1
UNION SELECT event_id FROM event_addresses WHERE recipient_key = $1 LIMIT $2
"""
_ERASE: Final = """
UPDATE events SET address = '', recipient_key = '', ctx = '{}', erased_at = $2
WHERE event_id = ANY ($1::uuid[])
"""

# The archive never had an address; the key that an address leads to goes too.
_ERASE_ARCHIVED: Final = """
UPDATE archived_events SET recipient_key = NULL WHERE event_id IN (
    SELECT event_id FROM archived_events WHERE recipient_key = $1 LIMIT $2)
"""


async def erase(work: Work, recipient_key: str, address: str) -> int:  # noqa: ARG001
    """Forget an address in up to 20,000 events, found by its key; return how many were cleared.

    So are those with the address for another channel than theirs, as it is the same person's.
    An event that still waits for its template expires, for there is nobody to write to. The
    identity (source, id) stays, so that a replayed intake topic cannot bring the address back, and
    so does the sender's external id, by which they know what became of it.
    """
    rows = await work.connection.fetch(_FIND, recipient_key, LIMIT)
    found = [row["event_id"] for row in rows]
    for table in ("incoming_quarantine", "archived_quarantine"):
        await work.connection.execute(
            f"DELETE FROM {table} WHERE recipient_key = $1", recipient_key
        )
    done = await work.connection.execute(_ERASE_ARCHIVED, recipient_key, LIMIT)
    archived = int(done.rpartition(" ")[2])
    if not found:
        return archived
    store = EventStore(work.connection)
    events = await store.lock(found)
    expired = [
        move(event, EventStatus.EXPIRED, at=work.now, reason=REASON)
        for event in events.values()
        if event.status in {EventStatus.PENDING, EventStatus.PAUSED}
    ]
    await store.move(expired)
    announce(work, expired)
    await work.connection.execute(_ERASE, found, work.now)
    for table in ("event_addresses", "event_enrichments"):
        await work.connection.execute(
            f"DELETE FROM {table} WHERE event_id = ANY ($1::uuid[])", found
        )
    return len(found) + archived
