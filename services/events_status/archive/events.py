"""The first step: events that came to an end, as they stand, into the archive.

A change is stamped when its transaction begins and seen when it ends, so a pointer over the time of
change would pass by what commits late. At the end of a run it is therefore set back behind the
longest transaction; the version keeps what is read again from being written again.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.events_status.archive.accounts import OWN
from services.events_status.archive.late import change_archived
from services.events_status.archive.pointers import Pointer, PointerStore, Stage
from services.events_status.domain import ALLOWED
from services.events_status.statistics import LONGEST_TRANSACTION
from shared.uow import Work
from topics.events import EventStatus

CHUNK: Final = 5_000
OPEN: Final = frozenset({EventStatus.PENDING, EventStatus.PAUSED, EventStatus.PENDING_DELIVERY})
ENDS: Final = sorted(
    status.value for status in ALLOWED if status is not None and status not in OPEN
)
"""The statuses that end an event, as far as anybody knows: a bounce may still come."""
_SCAN: Final = """
SELECT event_id, changed_at FROM events
WHERE (changed_at, event_id) > ($1::timestamptz, $2::uuid)
ORDER BY changed_at, event_id LIMIT $3
"""
COLUMNS: Final = (
    "event_id, seq, account, event_type, queue, channel, language, country, email_format, origin,"
    " source, ce_id, external_id, recipient_key, status, reason, version, template_id,"
    " template_version, resent_from, received_at, scheduled_at, expires_at, changed_at"
)
# What changed since it was archived leaves its week and line for those of its new status.
PUT: Final = f"""
known AS (
    SELECT a.event_id, a.week, a.template_id, a.channel, a.event_type, a.status
    FROM archived_events a JOIN fresh USING (event_id)
), put AS (
    INSERT INTO archived_events AS a ({COLUMNS}, week, archived_at, purged_at)
    SELECT {COLUMNS}, date_trunc('week', changed_at AT TIME ZONE $1)::date,
           $2::timestamptz, purged_at
    FROM fresh ORDER BY event_id
    ON CONFLICT (event_id) DO UPDATE
    SET status = excluded.status, reason = excluded.reason, version = excluded.version,
        template_id = excluded.template_id, template_version = excluded.template_version,
        recipient_key = excluded.recipient_key,
        changed_at = excluded.changed_at, week = excluded.week, archived_at = excluded.archived_at
    WHERE a.version < excluded.version
       OR (a.version = excluded.version AND a.status <> excluded.status)
    RETURNING event_id, account, week, template_id, channel, event_type, status
), due AS (
    INSERT INTO archive_due (event_id, account) SELECT event_id, account FROM put
    ON CONFLICT DO NOTHING
), moved AS (
    SELECT week, template_id, channel, event_type, status, 1 AS n FROM put
    UNION ALL
    SELECT k.week, k.template_id, k.channel, k.event_type, k.status, -1
    FROM known k JOIN put USING (event_id)
), counted AS (
    INSERT INTO archived_deliveries AS d (week, template_id, channel, event_type, status, events)
    SELECT week, template_id, channel, event_type, status, sum(n) FROM moved
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (week, template_id, channel, event_type, status) DO UPDATE
    SET events = d.events + excluded.events
)
SELECT count(*) FROM put
"""
"""Puts the rows of ``fresh`` into the archive, once per version; $1 is the zone, $2 the time."""
_ARCHIVE: Final = f"""
WITH fresh AS (
    SELECT e.event_id, e.seq, e.account, e.event_type, e.queue, e.channel, e.language, e.country,
           e.email_format, e.origin, e.source, e.ce_id, e.external_id,
           nullif(e.recipient_key, '') AS recipient_key, e.status, e.reason, e.version,
           e.template_id, e.template_version, e.resent_from, e.received_at, e.scheduled_at,
           e.expires_at, e.changed_at,
           NULL::timestamptz AS purged_at
    FROM (SELECT e.*, {OWN} AS account FROM events e
          WHERE e.event_id = ANY ($3::uuid[]) AND e.status = ANY ($4::text[])) e
    WHERE e.account = $5
), {PUT}
"""


async def archive_events(work: Work, account: str, pointer: Pointer) -> tuple[int, bool]:
    """Archive a chunk of events that ended; return how many, and whether others may follow."""
    since = pointer.reached_at, pointer.reached_id
    rows = await work.connection.fetch(_SCAN, *since, CHUNK)
    put = 0
    if rows:
        put = await put_events(work, account, [row["event_id"] for row in rows])
    pointers = PointerStore(work.connection, account)
    if len(rows) == CHUNK:
        await pointers.move(Stage.EVENTS, rows[-1]["changed_at"], put, rows[-1]["event_id"])
        return put, True
    await pointers.move(Stage.EVENTS, work.now - LONGEST_TRANSACTION, put)
    late, more = await change_archived(work)
    return put + late, more


async def put_events(work: Work, account: str, event_ids: list[UUID]) -> int:
    """Put those events into the archive that ended and are an account's; return how many."""
    return int(
        await work.connection.fetchval(
            _ARCHIVE, work.settings.muster_zone, work.now, event_ids, ENDS, account
        )
    )
