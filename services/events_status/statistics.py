"""agg_messageCenter_full: events by channel, day, status and type, counted anew where they changed.

A day is counted as a whole from its rows, so that a late bounce moves an event from one line to
another, and counting twice changes nothing (source: Adobe Campaign, agg_messageCenter_full).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.uow import Work
from shared.workflows import Step

# A change is stamped when its transaction begins, and seen when it ends.
LONGEST_TRANSACTION: Final = timedelta(minutes=2)
_DAY: Final = "(received_at AT TIME ZONE $1)::date"
_LOOK: Final = f"""
INSERT INTO statistics_due
SELECT DISTINCT {_DAY} FROM events
WHERE changed_at > (SELECT looked_at FROM statistics_pointer) - $2::interval
ON CONFLICT DO NOTHING
"""
_TAKE: Final = """
DELETE FROM statistics_due
WHERE day = (SELECT day FROM statistics_due ORDER BY day LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING day
"""
_COUNT: Final = """
INSERT INTO event_statistics (day, channel, event_type, status, events)
SELECT $2::date, channel, event_type, status, count(*) FROM events
WHERE received_at >= ($2::date)::timestamp AT TIME ZONE $1
  AND received_at < ($2::date + 1)::timestamp AT TIME ZONE $1
GROUP BY channel, event_type, status
ON CONFLICT (day, channel, event_type, status) DO UPDATE SET events = excluded.events
"""

_KEEP: Final = f"""
INSERT INTO event_statistics AS s (day, channel, event_type, status, purged)
SELECT {_DAY}, channel, event_type, status, count(*) FROM events
WHERE event_id = ANY ($2::uuid[]) GROUP BY 1, 2, 3, 4
ON CONFLICT (day, channel, event_type, status) DO UPDATE
SET purged = s.purged + excluded.purged, events = greatest(s.events - excluded.purged, 0)
RETURNING day
"""


async def count_events(work: Work) -> Step:
    """Count one day anew; a run looks once for the days whose events changed since the last."""
    connection, zone = work.connection, work.settings.muster_zone
    if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM statistics_due)"):
        await _look(work, zone)
    day = await connection.fetchval(_TAKE)
    if day is None:
        return Step()
    await connection.execute("UPDATE event_statistics SET events = 0 WHERE day = $1", day)
    await connection.execute(_COUNT, zone, day)
    await connection.execute(
        "DELETE FROM event_statistics WHERE day = $1 AND events = 0 AND purged = 0", day
    )
    counted = await connection.fetchval(
        "SELECT coalesce(sum(events), 0)::bigint FROM event_statistics WHERE day = $1", day
    )
    left = await connection.fetchval("SELECT EXISTS (SELECT 1 FROM statistics_due)")
    return Step(rows_in=counted, rows_out=1, more=left)


async def _look(work: Work, zone: str) -> None:
    await work.connection.execute(_LOOK, zone, LONGEST_TRANSACTION)
    await work.connection.execute(
        "UPDATE statistics_pointer SET looked_at = $1, counted_at = $1", work.now
    )


async def keep_purged(work: Work, event_ids: Sequence[UUID]) -> None:
    """Have the statistics go on counting events that are about to be removed."""
    days = await work.connection.fetch(_KEEP, work.settings.muster_zone, list(event_ids))
    await work.connection.execute(
        "INSERT INTO statistics_due SELECT unnest($1::date[]) ON CONFLICT DO NOTHING",
        sorted({row["day"] for row in days}),
    )
