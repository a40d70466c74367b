"""Action models as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.actions.domain import Model
from shared.database import Connection
from topics.actions import Filing, ModelKind, SaveActionModel

COLUMNS: Final = (
    "model_id, version, code, label, kind, reason, subject, sender, recipient, delay_days, filing,"
    " item_type, processed, business_line, market, product"
)
_SAVE: Final = f"""
INSERT INTO models ({COLUMNS}, created_at, modified_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
ON CONFLICT (model_id) DO UPDATE
SET version = models.version + 1, code = excluded.code, label = excluded.label,
    kind = excluded.kind, reason = excluded.reason, subject = excluded.subject,
    sender = excluded.sender, recipient = excluded.recipient, delay_days = excluded.delay_days,
    filing = excluded.filing, item_type = excluded.item_type, processed = excluded.processed,
    business_line = excluded.business_line, market = excluded.market,
    product = excluded.product, modified_at = excluded.modified_at
RETURNING version
"""


def model_of(row: asyncpg.Record) -> Model:
    """Return a row as a model."""
    fields = {name: row[name] for name in COLUMNS.replace(" ", "").split(",")}
    return Model(**fields | {"kind": ModelKind(row["kind"]), "filing": Filing(row["filing"])})


class ModelStore:
    """Action models; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def code_owner(self, code: str) -> UUID | None:
        """Return the model that has a code."""
        owner: UUID | None = await self._connection.fetchval(
            "SELECT model_id FROM models WHERE code = $1", code
        )
        return owner

    async def save(self, command: SaveActionModel, now: datetime) -> int:
        """Write a model and return its new version."""
        fields = command.model_dump(exclude={"model_id", "actor"})
        version: int = await self._connection.fetchval(
            _SAVE, command.model_id, *fields.values(), now
        )
        return version

    async def page(self, after: UUID | None, limit: int) -> Sequence[Model]:
        """Return models in the order of their ids, those after an id."""
        rows = await self._connection.fetch(
            f"SELECT {COLUMNS} FROM models WHERE $1::uuid IS NULL OR model_id > $1"
            " ORDER BY model_id LIMIT $2",
            after,
            limit,
        )
        return [model_of(row) for row in rows]

    async def among(self, model_ids: Sequence[UUID]) -> Sequence[Model]:
        """Return those of some models that exist."""
        rows = await self._connection.fetch(
            f"SELECT {COLUMNS} FROM models WHERE model_id = ANY ($1::uuid[]) ORDER BY model_id",
            list(model_ids),
        )
        return [model_of(row) for row in rows]


def frozen(model: Model, place: int, fits: Sequence[str]) -> dict[str, object]:
    """Return a model as a generation keeps it."""
    fields = asdict(model)
    del fields["version"]
    return fields | {"place": place, "fits": list(fits)}
