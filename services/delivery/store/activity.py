"""What the live view shows, as rows: any replica can answer for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_SHOW: Final = """
INSERT INTO live_activity AS a (run_id, totals, minute, hour, last_at, as_of)
SELECT s.*, $6 FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::jsonb[], $5::timestamptz[])
    AS s (run_id, totals, minute, hour, last_at)
ORDER BY s.run_id
ON CONFLICT (run_id) DO UPDATE
SET totals = excluded.totals, minute = excluded.minute, hour = excluded.hour,
    last_at = excluded.last_at, as_of = excluded.as_of
WHERE a.as_of < excluded.as_of
"""
_OF_DELIVERY: Final = """
SELECT a.run_id, a.as_of, a.last_at, a.minute, a.hour, a.totals AS total
FROM live_activity a JOIN runs r USING (run_id)
WHERE r.delivery_id = $1 AND r.kind = 'campaign' ORDER BY r.asked_at DESC LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A run's picture at a moment, by kind."""

    run_id: UUID
    total: Mapping[str, int]
    minute: Mapping[str, int]
    hour: Mapping[str, int]
    last_at: datetime


class ActivityStore:
    """Rows of the live view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def show(self, pictures: Sequence[Shown], at: datetime) -> None:
        """Write how runs look now."""
        await self._connection.execute(
            _SHOW,
            [one.run_id for one in pictures],
            [dict(one.total) for one in pictures],
            [dict(one.minute) for one in pictures],
            [dict(one.hour) for one in pictures],
            [one.last_at for one in pictures],
            at,
        )

    async def forget(self, *, still_since: datetime) -> int:
        """Remove runs where nothing happened since a time; return how many."""
        done = await self._connection.execute(
            "DELETE FROM live_activity WHERE last_at < $1", still_since
        )
        return int(done.rpartition(" ")[2])

    async def of_delivery(self, delivery_id: UUID) -> list[dict[str, Any]]:
        """Return what is shown of a delivery's runs, latest first."""
        rows = await self._connection.fetch(_OF_DELIVERY, delivery_id)
        return [dict(row) for row in rows]
