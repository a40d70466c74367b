"""Seeds as rows: of a template, of a campaign, and what became of those of a campaign's runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.delivery.store.runs import Run
from shared.database import Connection
from topics.delivery import Seed

_OF: Final = """
SELECT coalesce(
    (SELECT seeds FROM campaign_seeds WHERE campaign_id = $1),
    (SELECT t.seeds FROM deliveries d JOIN templates t USING (template_id)
     WHERE d.campaign_id = $1 ORDER BY d.prepared_at DESC LIMIT 1),
    '[]'::jsonb)
"""
_SAVE: Final = """
INSERT INTO campaign_seeds (campaign_id, seeds, saved_by, saved_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (campaign_id) DO UPDATE
SET seeds = excluded.seeds, saved_by = excluded.saved_by, saved_at = excluded.saved_at
"""
# Also from an earlier run of the campaign, as a recipient or as a seed.
_REACHED: Final = """
SELECT DISTINCT l.recipient_key FROM runs r JOIN ledger l ON l.run_id = r.run_id
WHERE r.campaign_id = $1 AND r.kind IN ('campaign', 'seeds')
  AND l.recipient_key = ANY ($2::text[]) AND l.channel = 'email'
  AND l.outcome IN ('sent', 'pending', 'ambiguous')
"""
_SITE: Final = """
SELECT members -> ($3::int % size) -> 'site' FROM snapshot_chunks
WHERE snapshot_id = $1 AND index = $2::int AND size > 0
"""


class SeedStore:
    """Seeds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of(self, campaign_id: UUID) -> list[Seed]:
        """Return a campaign's seeds: its own, or else those of its template."""
        found: list[dict[str, Any]] = await self._connection.fetchval(_OF, campaign_id)
        return [Seed.model_validate(one) for one in found]

    async def save(self, campaign_id: UUID, seeds: Sequence[Seed], by: str, at: datetime) -> None:
        """Give a campaign seeds of its own; without any it has none, whatever its template has."""
        rows = [seed.model_dump() for seed in seeds]
        await self._connection.execute(_SAVE, campaign_id, rows, by, at)

    async def remove(self, campaign_id: UUID) -> None:
        """Give a campaign the seeds of its template again."""
        await self._connection.execute(
            "DELETE FROM campaign_seeds WHERE campaign_id = $1", campaign_id
        )

    async def reached(self, campaign_id: UUID, recipient_keys: Sequence[str]) -> set[str]:
        """Return those of the addresses that get a campaign, or may have got it, already."""
        rows = await self._connection.fetch(_REACHED, campaign_id, list(recipient_keys))
        return {row["recipient_key"] for row in rows}

    async def site(self, run: Run, draw: int) -> dict[str, Any]:
        """Return a site of a run's target: the same one for the same ``draw``."""
        if run.chunks == 0:
            return {}
        chunk, place = draw % run.chunks, draw // run.chunks % 1_000
        site: dict[str, Any] | None = await self._connection.fetchval(
            _SITE, run.snapshot_id, chunk, place
        )
        return site or {}
