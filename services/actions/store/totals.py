"""The counter row of a campaign: locked first, changed with the rows it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from services.actions.domain import ActionStatus, Generated, Totals
from shared.database import Connection

_COLUMNS: Final = (
    "revision, waiting, suspended, executed, finished, cancelled, deals, dossier_items"
)
_ADD: Final = f"""
UPDATE totals
SET revision = revision + 1, waiting = waiting + $2, deals = deals + $3,
    dossier_items = dossier_items + $4
WHERE campaign_id = $1 RETURNING {_COLUMNS}
"""
_SHIFT: Final = f"""
UPDATE totals
SET revision = revision + 1, waiting = waiting + $2, suspended = suspended + $3,
    executed = executed + $4, finished = finished + $5, cancelled = cancelled + $6
WHERE campaign_id = $1 RETURNING {_COLUMNS}
"""


class TotalsStore:
    """Totals of campaigns; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, campaign_id: UUID) -> Totals:
        """Return a campaign's totals, made when there are none, the row locked until the end."""
        await self._connection.execute(
            "INSERT INTO totals (campaign_id) VALUES ($1) ON CONFLICT DO NOTHING", campaign_id
        )
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM totals WHERE campaign_id = $1 FOR UPDATE", campaign_id
        )
        return Totals(**dict(row or {}))

    async def read(self, campaign_id: UUID) -> Totals:
        """Return a campaign's totals; zeros when it has no actions."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM totals WHERE campaign_id = $1", campaign_id
        )
        return Totals(**dict(row or {}))

    async def add(self, campaign_id: UUID, made: Generated) -> Totals:
        """Count what a step made, and return the totals with their next revision."""
        row = await self._connection.fetchrow(
            _ADD, campaign_id, made.actions, made.deals, made.dossier_items
        )
        return Totals(**dict(row or {}))

    async def shift(
        self, campaign_id: UUID, taken: Mapping[ActionStatus, int], to: ActionStatus
    ) -> Totals:
        """Count a move from some states to another; return the totals with their revision."""
        change = {status: -taken.get(status, 0) for status in ActionStatus}
        change[to] += sum(taken.values())
        row = await self._connection.fetchrow(_SHIFT, campaign_id, *change.values())
        return Totals(**dict(row or {}))
