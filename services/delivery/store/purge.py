"""Old runs: their rows go, their totals stay."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection

_OLD: Final = """
SELECT run_id FROM runs WHERE state = 'finished' AND purged_at IS NULL AND finished_at < $1
ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_ROWS: Final = """
DELETE FROM {table} WHERE run_id = $1 AND ctid IN (
    SELECT ctid FROM {table} WHERE run_id = $1 LIMIT $2)
"""


class PurgeStore:
    """Removes the rows of old runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock_old(self, before: datetime, limit: int) -> list[UUID]:
        """Return runs that ended before a time and still have rows, locked."""
        return [row["run_id"] for row in await self._connection.fetch(_OLD, before, limit)]

    async def rows_of(self, run_id: UUID, limit: int) -> int:
        """Remove up to ``limit`` ledger rows and as many attempts; return how many went."""
        gone = 0
        for table in ("attempts", "ledger"):
            done = await self._connection.execute(_ROWS.format(table=table), run_id, limit)
            gone += int(done.rpartition(" ")[2])
        return gone

    async def done(self, run_id: UUID, at: datetime) -> None:
        """Note that a run has no rows any more."""
        await self._connection.execute(
            "UPDATE runs SET purged_at = $2 WHERE run_id = $1", run_id, at
        )
