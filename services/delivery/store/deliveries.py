"""Deliveries: which template a campaign sends, and which service takes its letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.database import Connection

_COLUMNS: Final = """
delivery_id, campaign_id, template_id, supplier_service_id, template_hash, content_hash, proofs
"""
_SAVE: Final = """
INSERT INTO deliveries AS d (delivery_id, campaign_id, template_id, supplier_service_id,
    template_hash, content_hash, prepared_at)
VALUES ($1, $2, $3, $4, $5, $6, now())
ON CONFLICT (delivery_id) DO UPDATE
SET template_id = excluded.template_id, supplier_service_id = excluded.supplier_service_id,
    template_hash = excluded.template_hash, content_hash = excluded.content_hash
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as its row holds it; ``proofs`` numbers its proofs."""

    delivery_id: UUID
    campaign_id: UUID
    template_id: UUID
    supplier_service_id: UUID | None
    template_hash: str
    content_hash: str
    proofs: int


class DeliveryStore:
    """Deliveries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, delivery_id: UUID) -> Delivery | None:
        """Return a delivery, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM deliveries WHERE delivery_id = $1 FOR UPDATE", delivery_id
        )
        return Delivery(**dict(row)) if row else None

    async def find(self, delivery_id: UUID) -> Delivery | None:
        """Return a delivery."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM deliveries WHERE delivery_id = $1", delivery_id
        )
        return Delivery(**dict(row)) if row else None

    async def lock_over(self, template_id: UUID) -> list[Delivery]:
        """Return the deliveries that send a template, locked, in order of id."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM deliveries WHERE template_id = $1"
            " ORDER BY delivery_id FOR UPDATE",
            template_id,
        )
        return [Delivery(**dict(row)) for row in rows]

    async def page(
        self, *, campaign_id: UUID | None, after: UUID | None, limit: int
    ) -> list[Delivery]:
        """Return deliveries in order of id, of one campaign when named."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM deliveries"
            " WHERE ($1::uuid IS NULL OR campaign_id = $1)"
            " AND ($2::uuid IS NULL OR delivery_id > $2) ORDER BY delivery_id LIMIT $3",
            campaign_id,
            after,
            limit,
        )
        return [Delivery(**dict(row)) for row in rows]

    async def save(self, delivery: Delivery) -> None:
        """Write a delivery's content; its proof number is kept."""
        await self._connection.execute(
            _SAVE,
            delivery.delivery_id,
            delivery.campaign_id,
            delivery.template_id,
            delivery.supplier_service_id,
            delivery.template_hash,
            delivery.content_hash,
        )

    async def has_started(self, delivery_id: UUID) -> bool:
        """Whether a run of a delivery goes on or has ended: its content is history then."""
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM runs WHERE delivery_id = $1 AND kind = 'campaign'"
                " AND state IN ('started', 'finished') LIMIT 1",
                delivery_id,
            )
        )

    async def next_proof(self, delivery_id: UUID) -> int:
        """Return the number of a delivery's next proof; no number is given twice."""
        number: int = await self._connection.fetchval(
            "UPDATE deliveries SET proofs = proofs + 1 WHERE delivery_id = $1 RETURNING proofs",
            delivery_id,
        )
        return number
