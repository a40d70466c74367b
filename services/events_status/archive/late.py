"""Outcomes that come after an event was purged: they change the archive, and are told as ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from services.events_status.domain import Move, Told, Tracked, copy_outcomes
from shared.uow import Work
from topics.delivery import Outcome
from topics.events import EventStatus, EventStatusChanged

CHUNK: Final = 500
_TAKE: Final = """
WITH due AS (
    SELECT DISTINCT event_id FROM late_outcomes ORDER BY event_id LIMIT $1
)
DELETE FROM late_outcomes o USING due WHERE o.event_id = due.event_id
RETURNING o.event_id, o.outcome, o.at, o.reason
"""
_LOCK: Final = """
SELECT event_id, event_type, external_id, received_at, status, version FROM archived_events
WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE
"""
_LOG: Final = """
INSERT INTO archived_delivery_logs (event_id, at, outcome, reason, archived_at)
SELECT told.*, $5 FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[])
    AS told (event_id, at, outcome, reason)
JOIN archived_events a USING (event_id) ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""
# The line it leaves is the one that it was counted in, of the archive and of the statistics alike.
_CHANGE: Final = """
WITH new AS (
    SELECT n.*, date_trunc('week', $5::timestamptz AT TIME ZONE $6)::date AS week
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[])
        AS n (event_id, status, version, reason)
), changed AS (
    UPDATE archived_events a
    SET status = new.status, version = new.version, reason = new.reason, changed_at = $5,
        week = new.week, archived_at = $5
    FROM new, archived_events old
    WHERE a.event_id = new.event_id AND old.event_id = a.event_id
    RETURNING a.template_id, a.channel, a.event_type, a.received_at, a.week, a.status,
              old.week AS old_week, old.status AS old_status
), moved AS (
    SELECT week, template_id, channel, event_type, status, 1 AS n FROM changed
    UNION ALL
    SELECT old_week, template_id, channel, event_type, old_status, -1 FROM changed
), counted AS (
    INSERT INTO archived_deliveries AS d (week, template_id, channel, event_type, status, events)
    SELECT week, template_id, channel, event_type, status, sum(n) FROM moved
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (week, template_id, channel, event_type, status) DO UPDATE
    SET events = d.events + excluded.events
), days AS (
    SELECT (received_at AT TIME ZONE $6)::date AS day, channel, event_type, status, 1 AS n
    FROM changed
    UNION ALL
    SELECT (received_at AT TIME ZONE $6)::date, channel, event_type, old_status, -1 FROM changed
)
INSERT INTO event_statistics AS s (day, channel, event_type, status, purged)
SELECT day, channel, event_type, status, sum(n) FROM days
GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4
ON CONFLICT (day, channel, event_type, status) DO UPDATE SET purged = s.purged + excluded.purged
"""


async def change_archived(work: Work) -> tuple[int, bool]:
    """Do what a chunk of late outcomes makes of archived events; return how many there were."""
    rows = await work.connection.fetch(_TAKE, CHUNK)
    if not rows:
        return 0, False
    by_event: defaultdict[UUID, list[Told]] = defaultdict(list)
    for row in rows:
        told = Told(row["event_id"], Outcome(row["outcome"]), row["reason"], row["at"])
        by_event[told.event_id].append(told)
    locked = await work.connection.fetch(_LOCK, list(by_event))
    moves = [
        one
        for row in locked
        for one in copy_outcomes(_tracked(row), by_event[row["event_id"]], now=work.now)
    ]
    await _write(work, moves)
    await work.connection.execute(
        _LOG,
        [row["event_id"] for row in rows],
        [row["at"] for row in rows],
        [row["outcome"] for row in rows],
        [row["reason"] for row in rows],
        work.now,
    )
    return len(rows), len(by_event) == CHUNK


async def _write(work: Work, moves: Sequence[Move]) -> None:
    if not moves:
        return
    latest = {one.event.event_id: one for one in moves}
    await work.connection.execute(
        _CHANGE,
        list(latest),
        [one.after.value for one in latest.values()],
        [one.event.version for one in latest.values()],
        [one.reason for one in latest.values()],
        work.now,
        work.settings.muster_zone,
    )
    for one in moves:  # its state stays buried: the event itself is gone
        work.emit(
            EventStatusChanged(
                event_id=one.event.event_id,
                event_type=one.event.event_type,
                before=one.before,
                after=one.after,
                reason=one.reason,
                at=one.at,
            )
        )


def _tracked(row: Any) -> Tracked:
    values: dict[str, Any] = dict(row)
    return Tracked(**values | {"status": EventStatus(values["status"])})
