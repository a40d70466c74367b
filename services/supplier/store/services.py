"""Suppliers' services as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from shared.database import Connection
from topics.supplier import SaveService

_COLUMNS: Final = (
    "service_id, version, supplier, label, router_address, file_pattern, columns, language"
)
_SAVE: Final = """
INSERT INTO services (service_id, version, supplier, label, router_address, file_pattern, columns,
                      language, created_at, modified_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (service_id) DO UPDATE
SET version = services.version + 1, supplier = excluded.supplier, label = excluded.label,
    router_address = excluded.router_address, file_pattern = excluded.file_pattern,
    columns = excluded.columns, language = excluded.language, modified_at = excluded.modified_at
RETURNING version
"""


@dataclass(frozen=True, slots=True)
class SupplierService:
    """A supplier's service as it is saved."""

    service_id: UUID
    version: int
    supplier: str
    label: str
    router_address: str
    file_pattern: str
    columns: tuple[str, ...]
    language: str


def _service(row: asyncpg.Record) -> SupplierService:
    return SupplierService(**dict(row) | {"columns": tuple(row["columns"])})


class ServiceStore:
    """Suppliers' services; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, command: SaveService, now: datetime) -> int:
        """Write a service and return its new version."""
        version: int = await self._connection.fetchval(
            _SAVE,
            *(command.service_id, command.supplier, command.label, command.router_address),
            *(command.file_pattern, list(command.columns), command.language, now),
        )
        return version

    async def find(self, service_id: UUID) -> SupplierService | None:
        """Return a service, ``None`` when there is none of this id."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM services WHERE service_id = $1", service_id
        )
        return _service(row) if row else None

    async def page(self, after: UUID, limit: int) -> Sequence[SupplierService]:
        """Return services in the order of their ids, those after an id."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM services WHERE service_id > $1 ORDER BY service_id LIMIT $2",
            after,
            limit,
        )
        return [_service(row) for row in rows]
