"""What must hold of the archive: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from services.events_status.archive.events import ENDS
from services.events_status.archive.pointers import NOBODY, Stage

_ENDS: Final = ", ".join(f"'{one}'" for one in ENDS)
# Only at rest: during a run the pointer is ahead of what is committed late.
_REACHED: Final = f"""
SELECT e.event_id, e.status, e.version, e.changed_at
FROM events e, (
    SELECT min(p.reached_at) AS at, bool_and(p.reached_id = '{NOBODY}') AS rests
    FROM archive_pointers p JOIN execution_accounts a ON a.name = p.account
    WHERE a.active AND p.step = '{Stage.EVENTS}') reached
WHERE reached.rests AND e.changed_at <= reached.at AND e.status IN ({_ENDS})
  AND NOT EXISTS (SELECT 1 FROM archived_events a
                  WHERE a.event_id = e.event_id AND a.version >= e.version)
"""
_SAME: Final = """
SELECT e.event_id, e.status, a.status AS archived, a.version
FROM events e JOIN archived_events a USING (event_id)
WHERE a.version > e.version OR a.purged_at IS NOT NULL
   OR (a.version = e.version AND a.status <> e.status)
"""
_LINES: Final = """
SELECT week, template_id, channel, event_type, status, d.events AS counted, a.events
FROM (SELECT week, coalesce(template_id::text, '') AS template_id, channel, event_type, status,
             events FROM archived_deliveries WHERE events <> 0) d
FULL JOIN (SELECT week, coalesce(template_id::text, '') AS template_id, channel, event_type,
                  status, count(*) AS events FROM archived_events GROUP BY 1, 2, 3, 4, 5) a
    USING (week, template_id, channel, event_type, status)
WHERE d.events IS DISTINCT FROM a.events
"""

INVARIANTS: Final[dict[str, str]] = {
    "I4 what ended up to the pointer is in the archive": _REACHED,
    "I4 an archived event stands as its event does": _SAME,
    "I2 the archive's deliveries are its counted events": _LINES,
}
