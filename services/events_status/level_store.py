"""What the view of service levels shows, as a row: any replica can answer for all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from shared.database import Connection
from topics.levels import Level, MinuteFigures

LATE: Final = timedelta(minutes=3)
"""messageCenterLevels tells each minute how long the queue is: older than this is out of date."""
# A replica that has lost the topic to another shows an older state of it; one that begins anew
# (an emptied topic) shows less than was known, and is believed once nobody else has written.
_SHOW: Final = """
INSERT INTO level_snapshots AS s (told_until, as_of, snapshot) VALUES ($1, $2, $3)
ON CONFLICT (single) DO UPDATE
SET told_until = excluded.told_until, as_of = excluded.as_of, snapshot = excluded.snapshot
WHERE (s.told_until <= excluded.told_until AND s.as_of <= excluded.as_of)
   OR s.as_of < excluded.as_of - interval '1 minute'
"""


class Snapshot(BaseModel):
    """Service levels at a moment; ``told_until`` is the time of the latest summary in them."""

    told_until: datetime
    as_of: datetime
    levels: Sequence[Level]
    minutes: Sequence[MinuteFigures]

    def is_late(self, now: datetime) -> bool:
        """Whether the view is behind what happens, or does not run."""
        return min(self.told_until, self.as_of) < now - LATE


class LevelStore:
    """The row of service levels; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def show(self, snapshot: Snapshot) -> None:
        """Write how service levels stand now."""
        await self._connection.execute(
            _SHOW, snapshot.told_until, snapshot.as_of, snapshot.model_dump(mode="json")
        )

    async def latest(self) -> Snapshot | None:
        """Return how service levels stood last; ``None`` before the view ever ran."""
        found = await self._connection.fetchval("SELECT snapshot FROM level_snapshots")
        return None if found is None else Snapshot.model_validate(found)
