"""Suppliers' services as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from shared.database import Connection
from topics.supplier import Ending, FileLayout, Handover, SaveService, SftpServer

_COLUMNS: Final = (
    "service_id, version, supplier, label, router_address, file_pattern, columns, language, layout,"
    " file_approval, handover, ending, folder, sftp, router_proof,"
    " supplier_id"
)
_SAVE: Final = """
INSERT INTO services (service_id, version, supplier, label, router_address, file_pattern, columns,
                      language, created_at, modified_at, layout, file_approval, handover, ending,
                      folder, sftp, router_proof, supplier_id)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (service_id) DO UPDATE
SET version = services.version + 1, supplier = excluded.supplier, label = excluded.label,
    router_address = excluded.router_address, file_pattern = excluded.file_pattern,
    columns = excluded.columns, language = excluded.language, modified_at = excluded.modified_at,
    layout = excluded.layout, file_approval = excluded.file_approval,
    handover = excluded.handover, ending = excluded.ending, folder = excluded.folder,
    sftp = excluded.sftp, router_proof = excluded.router_proof,
    supplier_id = excluded.supplier_id,
    -- What signs in to one server is not shown to another.
    sftp_secret = CASE WHEN services.sftp IS NOT DISTINCT FROM excluded.sftp
                       THEN services.sftp_secret END
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
    layout: FileLayout
    file_approval: bool
    handover: Handover
    ending: Ending
    folder: str
    sftp: SftpServer | None
    router_proof: bool
    supplier_id: UUID | None


def _service(row: asyncpg.Record) -> SupplierService:
    fields = {
        "columns": tuple(row["columns"]),
        "layout": FileLayout.model_validate(row["layout"]),
        "handover": Handover(row["handover"]),
        "ending": Ending(row["ending"]),
        "sftp": SftpServer.model_validate(row["sftp"]) if row["sftp"] else None,
    }
    return SupplierService(**dict(row) | fields)


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
            command.layout.model_dump(mode="json"),
            command.file_approval,
            command.handover.value,
            command.ending.value,
            command.folder,
            command.sftp.model_dump(mode="json") if command.sftp else None,
            command.router_proof,
            command.supplier_id,
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

    async def keep_secret(self, service_id: UUID, sealed: bytes) -> bool:
        """Keep what signs in to a service's server; False when it has none."""
        done: bool | None = await self._connection.fetchval(
            "UPDATE services SET sftp_secret = $2 WHERE service_id = $1 AND sftp IS NOT NULL"
            " RETURNING true",
            *(service_id, sealed),
        )
        return done is True

    async def secret(self, service_id: UUID) -> bytes | None:
        """Return what signs in to a service's server, sealed."""
        found: bytes | None = await self._connection.fetchval(
            "SELECT sftp_secret FROM services WHERE service_id = $1", service_id
        )
        return found
