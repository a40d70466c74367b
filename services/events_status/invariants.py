"""What must hold of the event rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from services.events_status.archive.invariants import INVARIANTS as ARCHIVE
from services.events_status.domain import ALLOWED, COPIED
from shared.database import Connection

_PAIRS: Final = ", ".join(
    f"('{before or ''}', '{after}')"
    for before, allowed in ALLOWED.items()
    for after in sorted(allowed)
)
_FROM_DELIVERY: Final = ", ".join(f"('{after}', '{said}')" for said, after in COPIED.items())

_LATEST: Final = """
SELECT e.event_id, e.status, e.version, h.after, h.lines
FROM events e LEFT JOIN (
    SELECT event_id, count(*) AS lines, (array_agg(after ORDER BY version DESC))[1] AS after
    FROM event_history GROUP BY event_id) h USING (event_id)
WHERE (e.status, e.version) IS DISTINCT FROM (h.after, h.lines)
"""
_PATH: Final = f"""
SELECT event_id, version, before, after FROM (
    SELECT event_id, version, before, after,
           lag(after) OVER (PARTITION BY event_id ORDER BY version) AS previous
    FROM event_history) step
WHERE before IS DISTINCT FROM previous
   OR (coalesce(before, ''), after) NOT IN (VALUES {_PAIRS})
"""
_MESSAGES: Final = """
SELECT e.event_id, e.status, e.template_id, m.template_id AS message_template_id
FROM events e LEFT JOIN event_messages m USING (event_id)
WHERE (e.status IN ('pending_delivery', 'sent', 'ignored', 'delivery_error'))
      <> (m.event_id IS NOT NULL)
   OR e.template_id IS DISTINCT FROM m.template_id
"""
_COPIES: Final = f"""
SELECT e.event_id, e.status
FROM events e JOIN (VALUES {_FROM_DELIVERY}) AS copy (status, outcome) USING (status)
WHERE NOT EXISTS (
    SELECT 1 FROM outcomes o
    WHERE o.event_id = e.event_id AND o.outcome = copy.outcome AND o.copied_at IS NOT NULL)
"""
# What was routed before there were versions has none; what was not pinned yet has no content.
_VERSIONS: Final = """
SELECT e.event_id, e.event_type, e.channel, e.template_version
FROM events e LEFT JOIN event_template_versions v ON v.event_type = e.event_type
    AND v.channel = e.channel AND v.version = e.template_version
WHERE e.template_version IS NOT NULL
  AND (v.template_id IS DISTINCT FROM e.template_id
       OR e.content_hash IS NOT NULL AND v.content_hash IS DISTINCT FROM e.content_hash)
"""
_COUNTS: Final = """
SELECT events, taken_in, finished, open
FROM (SELECT count(*) AS events,
             count(*) FILTER (WHERE status IN ('pending', 'paused', 'pending_delivery')) AS open,
             count(*) FILTER (WHERE status IN ('sent', 'ignored', 'delivery_error',
                                               'not_covered', 'expired')) AS finished
      FROM events) counted,
     (SELECT count(*) AS taken_in FROM event_history WHERE before IS NULL) history
WHERE events <> taken_in OR events <> finished + open
"""
# A day counts once it was looked at and counted since its last change; in the transaction's zone.
_STATISTICS: Final = """
WITH waiting AS (
    SELECT day FROM statistics_due
    UNION SELECT received_at::date FROM events, statistics_pointer
    WHERE changed_at > looked_at - interval '2 minutes'
), rows_of AS (
    SELECT received_at::date AS day, channel, event_type, status, count(*) AS events
    FROM events GROUP BY 1, 2, 3, 4)
SELECT day, channel, event_type, status, s.events AS counted, r.events AS rows
FROM event_statistics s FULL JOIN rows_of r USING (day, channel, event_type, status)
WHERE coalesce(s.events, 0) <> coalesce(r.events, 0) AND day NOT IN (SELECT day FROM waiting)
ORDER BY 1, 2, 3, 4
"""
_ORPHANS: Final = """
SELECT DISTINCT event_id FROM (SELECT event_id FROM event_history
    UNION ALL SELECT event_id FROM event_messages UNION ALL SELECT event_id FROM outcomes) parts
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = parts.event_id)
"""
# Minutes that are over in the view, also for the longest transaction; where the queue was counted
# the view ran. What is told later than a view that does not keep up is not held against it.
_LEVELS: Final = """
WITH shown AS (
    SELECT (m ->> 'minute')::timestamptz AS minute, (m ->> 'incoming')::bigint AS shown
    FROM level_snapshots s, jsonb_array_elements(s.snapshot -> 'minutes') m
    WHERE (m ->> 'minute')::timestamptz <= s.told_until - interval '4 minutes'
      AND m ->> 'queued' IS NOT NULL)
SELECT minute, shown, count(e.event_id) AS rows
FROM shown LEFT JOIN events e
    ON e.received_at >= minute AND e.received_at < minute + interval '1 minute'
GROUP BY minute, shown HAVING shown <> count(e.event_id) ORDER BY minute
"""

# An event once recycled names the channels before its own, and what it was recycled from failed.
_RECYCLED: Final = """
SELECT e.event_id, e.channel, e.tried_channels, e.recycled_from, f.status, f.channel AS from_channel
FROM events e LEFT JOIN events f ON f.event_id = e.recycled_from
WHERE e.recycled_from IS NOT NULL
  AND (e.tried_channels IS NULL OR e.channel = ANY (e.tried_channels)
       OR (f.event_id IS NOT NULL
           AND (f.status <> 'delivery_error' OR NOT f.channel = ANY (e.tried_channels))))
   OR EXISTS (SELECT 1 FROM events o WHERE o.recycled_from = e.recycled_from
              AND o.channel = e.channel AND o.event_id <> e.event_id)
"""
# Each failed try is a line of the history; a pending event with failures has a next try before it.
_TRIES: Final = """
SELECT e.event_id, e.status, e.errors, tries.failed
FROM events e LEFT JOIN (
    SELECT event_id, count(*) AS failed FROM event_history
    WHERE after = 'pending' AND before IN ('pending', 'pending_delivery')
       OR after = 'expired' AND before = 'pending_delivery'
       OR after = 'expired' AND reason LIKE '%; given up after % tries'
    GROUP BY event_id) tries USING (event_id)
WHERE e.errors <> coalesce(tries.failed, 0)
"""

INVARIANTS: Final[dict[str, str]] = {
    "I4 an event's status is its last change, its version their number": _LATEST,
    "I4 an event goes one legal way from intake to its end": _PATH,
    "I4 history, message and outcomes leave with their event": _ORPHANS,
    "I2 events taken in = finished + still open, each taken in once": _COUNTS,
    "I2 the statistics of a day are its events, counted": _STATISTICS,
    "I2 the minutes of the live view are the events that came in": _LEVELS,
    "I1 an event has one message from its routing on, and none before": _MESSAGES,
    "I6 an event is sent with what its published version pins": _VERSIONS,
    "I4 an event has failed as often as its history says": _TRIES,
    "I1 an event is recycled once to each channel, from one that failed": _RECYCLED,
    "I4 a status copied from the delivery is one that it gave": _COPIES,
} | ARCHIVE
SHOWN: Final = 20


async def broken(connection: Connection) -> list[str]:
    """Return what does not hold, one line a row, at most 20 of each; empty when all does.

    Days are those of the transaction's TimeZone, which is to be the instance's.
    """
    found = []
    for sentence, query in INVARIANTS.items():
        for row in await connection.fetch(f"{query} LIMIT {SHOWN}"):
            facts = ", ".join(f"{name} {value}" for name, value in row.items())
            found.append(f"{sentence}: {facts}")
    return found
