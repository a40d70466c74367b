"""Waves of runs: when each opens, and up to which position of the ledger it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.delivery.store.slices import EMAIL
from shared.database import Connection
from shared.waves import Wave
from topics.waves import WaveProgress

_DUE: Final = """
SELECT r.run_id FROM runs r
WHERE r.wave_until IS NOT NULL AND r.state = 'started' AND r.filled AND NOT r.paused
  AND r.stop_reason IS NULL
  AND EXISTS (SELECT 1 FROM waves w
              WHERE w.run_id = r.run_id AND w.opened_at IS NULL AND w.starts_at <= $1)
ORDER BY r.run_id LIMIT 1 FOR UPDATE OF r
"""
_CUT: Final = f"""
SELECT l.position FROM ledger l
WHERE l.run_id = $1 AND l.position >= $2 AND l.outcome = 'pending' AND {EMAIL}
ORDER BY l.position OFFSET $3 LIMIT 1
"""
_PROGRESS: Final = """
SELECT count(opened_at)::int AS opened, count(*)::int AS total,
       min(starts_at) FILTER (WHERE opened_at IS NULL) AS next_at
FROM waves WHERE run_id = $1
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The next wave of a run; ``size`` is ``None`` for all that is left."""

    number: int
    starts_at: datetime
    size: int | None


class WaveStore:
    """Waves in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def plan(self, run_id: UUID, waves: Sequence[Wave]) -> None:
        """Write a run's waves; known ones stay as they are."""
        await self._connection.executemany(
            "INSERT INTO waves (run_id, number, starts_at, size) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            [(run_id, number, wave.at, wave.size) for number, wave in enumerate(waves, 1)],
        )

    async def lock_due(self, now: datetime) -> UUID | None:
        """Return a run under way whose next wave's time has come, locked."""
        found: UUID | None = await self._connection.fetchval(_DUE, now)
        return found

    async def next(self, run_id: UUID) -> Waiting | None:
        """Return a run's next wave; ``None`` when all are open."""
        row = await self._connection.fetchrow(
            "SELECT number, starts_at, size FROM waves WHERE run_id = $1 AND opened_at IS NULL"
            " ORDER BY number LIMIT 1",
            run_id,
        )
        return Waiting(**dict(row)) if row else None

    async def cut(self, run_id: UUID, *, first: int, size: int) -> int | None:
        """Return where a wave ends that begins at position ``first``; ``None``: it is the last."""
        found: int | None = await self._connection.fetchval(_CUT, run_id, first, size)
        return found

    async def open(self, run_id: UUID, number: int, at: datetime) -> None:
        """Note that a wave opened."""
        await self._connection.execute(
            "UPDATE waves SET opened_at = $3 WHERE run_id = $1 AND number = $2", run_id, number, at
        )

    async def put_off(self, run_id: UUID, number: int, until: datetime) -> None:
        """Have a wave open later than planned."""
        await self._connection.execute(
            "UPDATE waves SET starts_at = $3 WHERE run_id = $1 AND number = $2",
            run_id,
            number,
            until,
        )

    async def drop_rest(self, run_id: UUID) -> None:
        """Forget waves that are not open: nothing is left for them."""
        await self._connection.execute(
            "DELETE FROM waves WHERE run_id = $1 AND opened_at IS NULL", run_id
        )

    async def progress(self, run_id: UUID) -> WaveProgress | None:
        """Return how far a run's waves are; ``None`` when it has none, or not yet."""
        row = await self._connection.fetchrow(_PROGRESS, run_id)
        return WaveProgress(**dict(row)) if row and row["total"] else None
