"""The archive beside the rows it is made of: each end once, each outcome, the sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.faults.events.center import Center

SYNCHRONISATION: Final = "mcSynch_default"
_EVENTS: Final = """
SELECT e.external_id, e.status, a.status AS archived
FROM events_status.events e LEFT JOIN events_status.archived_events a USING (event_id)
WHERE e.external_id = ANY ($1::text[])
  AND (a.status, a.version, a.changed_at) IS DISTINCT FROM (e.status, e.version, e.changed_at)
"""
_LOGS: Final = """
SELECT e.external_id, coalesce(o.outcome, l.outcome) AS outcome
FROM events_status.events e
JOIN (events_status.outcomes o
      FULL JOIN events_status.archived_delivery_logs l USING (event_id, at, outcome))
    USING (event_id)
WHERE e.external_id = ANY ($1::text[]) AND (o.reason IS NULL OR l.reason IS NULL)
"""
_SUMS: Final = """
SELECT event_type, status, counted.events AS counted, d.events AS summed
FROM (SELECT week, coalesce(template_id::text, '') AS id, channel, event_type, status,
             count(*) AS events
      FROM events_status.archived_events GROUP BY 1, 2, 3, 4, 5) counted
FULL JOIN (SELECT week, coalesce(template_id::text, '') AS id, channel, event_type, status, events
           FROM events_status.archived_deliveries WHERE events <> 0) d
    USING (week, id, channel, event_type, status)
WHERE counted.events IS DISTINCT FROM d.events
"""


async def archived(center: Center, names: Sequence[str]) -> list[str]:
    """I2: each event stands in the archive as it ended, with what the delivery said of it."""
    broken = [
        f"I2 event {row['external_id']} is {row['status']}, in the archive {row['archived']}"
        for row in await center.rig.rows(_EVENTS, list(names))
    ]
    broken += [
        f"I2 event {row['external_id']}: {row['outcome']} is not in both rows and archive"
        for row in await center.rig.rows(_LOGS, list(names))
    ]
    broken += [
        f"I2 the archive counts {row['counted']} {row['event_type']} {row['status']}, sums up"
        f" {row['summed']}"
        for row in await center.rig.rows(_SUMS)
    ]
    return broken
