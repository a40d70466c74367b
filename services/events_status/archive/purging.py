"""What the purge asks of the archive: which events may go, what is too old, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.events_status.archive.events import ENDS
from services.events_status.archive.pointers import Stage
from services.events_status.settings import settings_of
from shared.database import Connection
from shared.logs import logger
from shared.uow import Work

log = logger(__name__)

CHUNK: Final = 2_000
ARCHIVED: Final = """(
    EXISTS (SELECT 1 FROM archived_events a
            WHERE a.event_id = e.event_id AND a.version >= e.version)
    AND NOT EXISTS (SELECT 1 FROM archive_due d WHERE d.event_id = e.event_id))"""
"""Whether the event ``e`` is in the archive as it stands, with its delivery logs."""
# Outcomes that changed no status made no new version: they are taken over at last.
_LOGS: Final = """
INSERT INTO archived_delivery_logs (event_id, at, outcome, reason, archived_at)
SELECT event_id, at, outcome, reason, $2 FROM outcomes WHERE event_id = ANY ($1::uuid[])
ON CONFLICT DO NOTHING
"""
_OLD: Final = """
WITH gone AS (
    DELETE FROM archived_events WHERE event_id IN (
        SELECT event_id FROM archived_events
        WHERE changed_at < $1 AND purged_at IS NOT NULL
        ORDER BY changed_at, event_id LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING week, template_id, channel, event_type, status
), fewer AS (
    UPDATE archived_deliveries d SET events = d.events - g.events
    FROM (SELECT week, template_id, channel, event_type, status, count(*) AS events
          FROM gone GROUP BY 1, 2, 3, 4, 5) g
    WHERE (d.week, d.channel, d.event_type, d.status) = (g.week, g.channel, g.event_type, g.status)
      AND d.template_id IS NOT DISTINCT FROM g.template_id
)
SELECT count(*) FROM gone
"""
_MISSING: Final = f"""
SELECT count(*) AS events, min(changed_at) AS since FROM (
    SELECT changed_at FROM events e
    WHERE changed_at < $1 AND status = ANY ($2::text[]) AND NOT {ARCHIVED}
    ORDER BY changed_at LIMIT 100000) missing
"""
_RECALL: Final = """
UPDATE archive_pointers SET reached_at = $2, reached_id = DEFAULT
WHERE step = $1 AND reached_at > $2 AND account IN (
    SELECT name FROM execution_accounts WHERE active)
"""


async def note_purged(work: Work, event_ids: Sequence[UUID]) -> None:
    """Have the archive alone answer for events that are about to be removed."""
    await work.connection.execute(_LOGS, list(event_ids), work.now)
    await work.connection.execute(
        "UPDATE archived_events SET purged_at = $2 WHERE event_id = ANY ($1::uuid[])",
        list(event_ids),
        work.now,
    )


async def missing(connection: Connection, before: datetime) -> tuple[int, datetime | None]:
    """Return how many events past their time the archive lacks (100,000 at most), since when."""
    row = await connection.fetchrow(_MISSING, before, ENDS)
    assert row is not None  # counts always make a row
    return row["events"], row["since"]


async def recall(work: Work, before: datetime) -> None:
    """Have the synchronisations look again at what the purge waits for, and say that it waits.

    Usually one of them is stopped. A change that was stamped by a clock far behind the others', or
    an account that was given up, would else be waited for for ever.
    """
    events, since = await missing(work.connection, before)
    if since is not None:
        log.warning("purge.waits_for_archive", events=events, since=since.isoformat())
        await work.connection.execute(
            _RECALL, Stage.EVENTS.value, since - timedelta(microseconds=1)
        )


async def purge_archive(work: Work) -> int:
    """Remove a chunk of archived events that are too old, with their logs; return how many."""
    days = settings_of(work.settings).events_archive_retention_days
    gone = await work.connection.fetchval(_OLD, work.now - timedelta(days=days), CHUNK)
    if not gone:
        await work.connection.execute("DELETE FROM archived_deliveries WHERE events = 0")
    return int(gone)
