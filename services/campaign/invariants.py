"""What must hold of the campaign rows: each query returns the rows that break its sentence."""

from __future__ import annotations

from typing import Final

from shared.database import Connection

_ONE_CAMPAIGN: Final = """
SELECT c.campaign_id, c.series_id, c.occurrence, o.campaign_id AS date_of, o.number
FROM campaigns c FULL JOIN occurrences o ON o.occurrence_id = c.campaign_id
WHERE (c.series_id IS NOT NULL OR o.occurrence_id IS NOT NULL)
  AND (c.series_id, c.occurrence) IS DISTINCT FROM (o.campaign_id, o.number)
"""
_NUMBERED: Final = """
SELECT s.campaign_id, s.created, count(o.number) AS dates, max(o.number) AS last
FROM schedules s LEFT JOIN occurrences o ON o.campaign_id = s.campaign_id
GROUP BY s.campaign_id
HAVING s.created <> count(o.number) OR s.created <> coalesce(max(o.number), 0)
"""

INVARIANTS: Final[dict[str, str]] = {
    "I9 a date of a schedule is one campaign, and an occurrence has its date": _ONE_CAMPAIGN,
    "I9 the occurrences of a schedule are numbered from 1 without a gap": _NUMBERED,
}
SHOWN: Final = 20


async def broken(connection: Connection) -> list[str]:
    """Return what does not hold, one line a row, at most 20 of each; empty when all does."""
    found = []
    for sentence, query in INVARIANTS.items():
        for row in await connection.fetch(f"{query} LIMIT {SHOWN}"):
            facts = ", ".join(f"{name} {value}" for name, value in row.items())
            found.append(f"{sentence}: {facts}")
    return found
