"""The 64-bit numbers of events, for callers that keep one: the instance in the high byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.database import Connection

# The number of an event that has one stays. Two statements: what another call gave while this one
# waited for it is seen by the second alone.
_GIVE: Final = """
INSERT INTO event_numbers (number, event_id)
SELECT ($2::bigint << 56) + nextval('event_numbers_seq'), event_id
FROM (SELECT event_id FROM unnest($1::uuid[]) WITH ORDINALITY AS one (event_id, place)
      GROUP BY event_id ORDER BY min(place)) AS in_order
ON CONFLICT (event_id) DO NOTHING
"""
_GIVEN: Final = "SELECT event_id, number FROM event_numbers WHERE event_id = ANY ($1::uuid[])"


async def give(connection: Connection, event_ids: Sequence[UUID], instance: int) -> dict[UUID, int]:
    """Return the number of each event, the same whenever it is asked for.

    Args:
        connection: the caller's transaction.
        event_ids: the events.
        instance: 1 to 127, the instance's own.
    """
    await connection.execute(_GIVE, list(event_ids), instance)
    rows = await connection.fetch(_GIVEN, list(event_ids))
    return {row["event_id"]: row["number"] for row in rows}


async def find(connection: Connection, number: int) -> UUID | None:
    """Return the event of a number; ``None`` when there is none."""
    found: UUID | None = await connection.fetchval(
        "SELECT event_id FROM event_numbers WHERE number = $1", number
    )
    return found
