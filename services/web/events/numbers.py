"""The 64-bit numbers of events, for callers that keep one: the instance in the high byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.database import Connection

# Two statements in one: the number of an event that has one stays.
_GIVE: Final = """
WITH wanted AS (SELECT event_id, min(place) AS place
                FROM unnest($1::uuid[]) WITH ORDINALITY AS one (event_id, place) GROUP BY event_id),
     made AS (
    INSERT INTO event_numbers (number, event_id)
    SELECT ($2::bigint << 56) + nextval('event_numbers_seq'), event_id
    FROM (SELECT event_id FROM wanted ORDER BY place) AS in_order
    ON CONFLICT (event_id) DO NOTHING RETURNING event_id, number)
SELECT event_id, number FROM made
UNION ALL SELECT n.event_id, n.number FROM event_numbers n JOIN wanted USING (event_id)
"""


async def give(connection: Connection, event_ids: Sequence[UUID], instance: int) -> dict[UUID, int]:
    """Return the number of each event, the same whenever it is asked for.

    Args:
        connection: the caller's transaction.
        event_ids: the events.
        instance: 1 to 127, the instance's own.
    """
    rows = await connection.fetch(_GIVE, list(event_ids), instance)
    return {row["event_id"]: row["number"] for row in rows}


async def find(connection: Connection, number: int) -> UUID | None:
    """Return the event of a number; ``None`` when there is none."""
    found: UUID | None = await connection.fetchval(
        "SELECT event_id FROM event_numbers WHERE number = $1", number
    )
    return found
