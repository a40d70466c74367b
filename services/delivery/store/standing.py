"""Occurrences of recurring campaigns of which one approval stands for all."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.delivery.domain.approvals import Approval
from services.delivery.store.approvals import ApprovalStore
from shared.database import Connection

_ADD: Final = """
INSERT INTO occurrences (campaign_id, series_id) VALUES ($1, $2)
ON CONFLICT (campaign_id) DO NOTHING RETURNING 1
"""
# What people answered, not what stood on it; a withdrawal since then is the latest word as well.
_LATEST: Final = """
SELECT a.approval_id FROM approvals a JOIN occurrences o ON o.campaign_id = a.campaign_id
WHERE o.series_id = $1 AND o.stands_on IS NULL AND a.kind = 'proof' AND a.content_hash = $2
  AND a.decided_at IS NOT NULL
ORDER BY a.decided_at DESC, a.approval_id DESC LIMIT 1
"""


class StandingStore:
    """Which occurrences stand on which approval, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, campaign_id: UUID, series_id: UUID) -> bool:
        """Note an occurrence that is asked for itself; false when it was asked for before."""
        return bool(await self._connection.fetchval(_ADD, campaign_id, series_id))

    async def stand(self, campaign_id: UUID, approval_id: UUID) -> None:
        """Note that an occurrence stands on an approval of another one."""
        await self._connection.execute(
            "UPDATE occurrences SET stands_on = $2 WHERE campaign_id = $1", campaign_id, approval_id
        )

    async def latest(self, series_id: UUID, content_hash: str) -> Approval | None:
        """Return the latest of a series' approvals of a content that ended, its row locked."""
        found: UUID | None = await self._connection.fetchval(_LATEST, series_id, content_hash)
        return await ApprovalStore(self._connection).lock(found) if found is not None else None
