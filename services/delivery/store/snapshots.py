"""Snapshots: the chunks that targeting publishes, kept until a run over them has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_ADD: Final = """
INSERT INTO snapshot_chunks (snapshot_id, index, size, members)
SELECT $1, $2, $3, $4 FROM snapshots WHERE snapshot_id = $1 AND NOT spent
ON CONFLICT (snapshot_id, index) DO NOTHING
"""
_ARRIVED: Final = """
SELECT count(c.index)::int AS chunks, coalesce(sum(c.size), 0)::int AS members, s.first_at
FROM snapshots s LEFT JOIN snapshot_chunks c USING (snapshot_id)
WHERE s.snapshot_id = $1 GROUP BY s.first_at
"""
_SAMPLE: Final = """
SELECT m.member FROM snapshot_chunks c
CROSS JOIN LATERAL jsonb_array_elements(c.members) WITH ORDINALITY AS m (member, place)
WHERE c.snapshot_id = $1 AND c.index < 20
ORDER BY m.member ->> 'email' IS NULL, (m.member ->> 'opted_out')::boolean, c.index, m.place
LIMIT 1
"""
_OLD: Final = """
SELECT snapshot_id FROM snapshots s
WHERE NOT spent AND first_at < $1 AND NOT EXISTS (
    SELECT 1 FROM runs r
    WHERE r.snapshot_id = s.snapshot_id AND r.state IN ('waiting', 'started'))
LIMIT 10
"""
_DROP: Final = """
DELETE FROM snapshot_chunks WHERE (snapshot_id, index) IN (
    SELECT c.snapshot_id, c.index FROM snapshot_chunks c JOIN snapshots s USING (snapshot_id)
    WHERE s.spent LIMIT $1)
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """How much of a snapshot is here."""

    chunks: int
    members: int
    first_at: datetime | None


class SnapshotStore:
    """Snapshots and their chunks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        *,
        snapshot_id: UUID,
        campaign_id: UUID,
        index: int,
        members: Sequence[dict[str, Any]],
        at: datetime,
    ) -> None:
        """Keep a chunk; the same one once, one of a spent snapshot never."""
        await self._connection.execute(
            "INSERT INTO snapshots (snapshot_id, campaign_id, first_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (snapshot_id) DO NOTHING",
            snapshot_id,
            campaign_id,
            at,
        )
        await self._connection.execute(_ADD, snapshot_id, index, len(members), members)

    async def arrived(self, snapshot_id: UUID) -> Arrived:
        """Return how much of a snapshot is here."""
        row = await self._connection.fetchrow(_ARRIVED, snapshot_id)
        return Arrived(**dict(row)) if row else Arrived(0, 0, None)

    async def sample(self, snapshot_id: UUID) -> dict[str, Any] | None:
        """Return a member to show in a proof: the first who can be written to, else the first."""
        member: dict[str, Any] | None = await self._connection.fetchval(_SAMPLE, snapshot_id)
        return member

    async def spend(self, snapshot_id: UUID) -> None:
        """Mark a snapshot as used up; its chunks go step by step."""
        await self._connection.execute(
            "UPDATE snapshots SET spent = true WHERE snapshot_id = $1", snapshot_id
        )

    async def drop_chunks(self, *, unused_since: datetime, limit: int) -> int:
        """Remove chunks of snapshots used up, or too old to be used; return how many."""
        await self._connection.execute(
            f"UPDATE snapshots SET spent = true WHERE snapshot_id IN ({_OLD})", unused_since
        )
        return int((await self._connection.execute(_DROP, limit)).rpartition(" ")[2])
