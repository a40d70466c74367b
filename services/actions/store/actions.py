"""Generated actions, deals and dossier items, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

import asyncpg

from shared.database import Connection

_ACTION: Final = (
    "a.action_id, a.status, g.label AS action, g.code AS model_code, g.reason, g.subject, g.sender,"
    " g.recipient, a.due_on, g.delay_days, a.site_id, a.site_name AS site, a.postal_code,"
    " a.town AS city, a.phone, a.contact_id, a.contact_name AS contact, a.direct_line, a.mobile,"
    " a.email AS mail, a.executed_at AS executed_on, a.report, a.cancelled_at AS cancelled_on,"
    " a.created_at AS created"
)
_FROM: Final = "FROM actions a JOIN generation_models g USING (run_id, model_id)"
_RESULTS: Final = f"""
SELECT {_ACTION} {_FROM}
WHERE a.campaign_id = $1 AND a.action_id > $2 AND ($3::text IS NULL OR a.status = $3)
ORDER BY a.action_id LIMIT $4
"""
# The predicate is written out so that the partial index of the next actions serves it.
_NEXT: Final = f"""
SELECT {_ACTION} {_FROM}
WHERE a.campaign_id = $1 AND (a.due_on, a.action_id) > ($2, $3)
  AND a.status IN ('waiting', 'suspended')
ORDER BY a.due_on, a.action_id LIMIT $4
"""
_DEALS: Final = """
SELECT deal_id, business_line, market, offer_owner, product, status, expected_signature_on,
       revenue_minor, currency, site_id, site_name AS site, contact_id, contact_name AS contact,
       margin_minor, probability_percent, success_percent, comment, handled_on, cancel_reason,
       created_at AS created
FROM deals WHERE campaign_id = $1 AND deal_id > $2 ORDER BY deal_id LIMIT $3
"""
_ITEMS: Final = """
SELECT i.item_id, g.item_type, g.label AS action, g.subject, i.site_name AS site,
       i.contact_name AS contact, i.processed, i.processed_at, i.created_at AS created
FROM dossier_items i JOIN generation_models g USING (run_id, model_id)
WHERE i.campaign_id = $1 AND i.item_id > $2 AND ($3::boolean IS NULL OR i.processed = $3)
ORDER BY i.item_id LIMIT $4
"""
_SET_PROCESSED: Final = """
UPDATE dossier_items
SET processed_at = CASE WHEN NOT $3 THEN NULL WHEN processed THEN processed_at ELSE $4 END,
    processed = $3
WHERE campaign_id = $1 AND item_id = $2 RETURNING true
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the next actions starts: after this due day and id."""

    due_on: date
    action_id: UUID


class ActionStore:
    """Actions, deals and dossier items; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def exists(self, campaign_id: UUID, member_id: UUID) -> bool:
        """Whether a member has an action in a campaign already."""
        # The models used by the campaign come first, so that the unique index finds the member.
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM generation_jobs j"
            " JOIN generation_models g USING (run_id)"
            " JOIN actions a ON a.campaign_id = $1 AND a.model_id = g.model_id"
            " AND a.member_id = $2 WHERE j.campaign_id = $1)",
            campaign_id,
            member_id,
        )
        return found

    async def results(
        self, campaign_id: UUID, *, after: UUID, status: str | None, limit: int
    ) -> Sequence[asyncpg.Record]:
        """Return actions in the order they were made, those after an id."""
        return await self._connection.fetch(_RESULTS, campaign_id, after, status, limit)

    async def next(
        self, campaign_id: UUID, *, after: Place, limit: int
    ) -> Sequence[asyncpg.Record]:
        """Return the next actions, the earliest due first, those after a place."""
        return await self._connection.fetch(
            _NEXT, campaign_id, after.due_on, after.action_id, limit
        )

    async def deals(
        self, campaign_id: UUID, *, after: UUID, limit: int
    ) -> Sequence[asyncpg.Record]:
        """Return the deals obtained, those after an id."""
        return await self._connection.fetch(_DEALS, campaign_id, after, limit)

    async def items(
        self, campaign_id: UUID, *, after: UUID, processed: bool | None, limit: int
    ) -> Sequence[asyncpg.Record]:
        """Return dossier items, those after an id; ``processed=False`` is the to-do list."""
        return await self._connection.fetch(_ITEMS, campaign_id, after, processed, limit)

    async def set_processed(
        self, campaign_id: UUID, item_id: UUID, *, processed: bool, now: datetime
    ) -> bool:
        """Note whether a dossier item needs more work; False when there is none of this id."""
        found: bool | None = await self._connection.fetchval(
            _SET_PROCESSED, campaign_id, item_id, processed, now
        )
        return found is True
