"""Suppliers and the people there, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection
from topics.supplier import SaveSupplier, SupplierContact

_SAVE: Final = """
INSERT INTO suppliers (supplier_id, version, name, address, created_at, modified_at)
VALUES ($1, 1, $2, $3, $4, $4)
ON CONFLICT (supplier_id) DO UPDATE
SET version = suppliers.version + 1, name = excluded.name, address = excluded.address,
    modified_at = excluded.modified_at
RETURNING version
"""
_CONTACTS: Final = """
INSERT INTO contacts (supplier_id, place, name, role, email, phone, notified)
SELECT $1, place, name, role, email, phone, notified
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[]) WITH ORDINALITY
    AS contact (name, role, email, phone, notified, place)
"""
_PAGE: Final = """
SELECT supplier_id, version, name, address FROM suppliers WHERE supplier_id > $1
ORDER BY supplier_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier with its contacts."""

    supplier_id: UUID
    version: int
    name: str
    address: str
    contacts: tuple[SupplierContact, ...]


class SupplierStore:
    """Suppliers; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, command: SaveSupplier, now: datetime) -> int:
        """Write a supplier with its contacts, and return its new version."""
        version: int = await self._connection.fetchval(
            _SAVE, command.supplier_id, command.name, command.address, now
        )
        await self._connection.execute(
            "DELETE FROM contacts WHERE supplier_id = $1", command.supplier_id
        )
        people = command.contacts
        await self._connection.execute(
            _CONTACTS,
            command.supplier_id,
            *([getattr(one, name) for one in people] for name in ("name", "role", "email")),
            *([getattr(one, name) for one in people] for name in ("phone", "notified")),
        )
        return version

    async def exists(self, supplier_id: UUID) -> bool:
        """Whether a supplier is saved."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM suppliers WHERE supplier_id = $1)", supplier_id
        )
        return found

    async def page(self, after: UUID, limit: int) -> Sequence[Supplier]:
        """Return suppliers in the order of their ids, those after an id."""
        rows = await self._connection.fetch(_PAGE, after, limit)
        people = await self._connection.fetch(
            "SELECT supplier_id, name, role, email, phone, notified FROM contacts"
            " WHERE supplier_id = ANY ($1::uuid[]) ORDER BY supplier_id, place",
            [row["supplier_id"] for row in rows],
        )
        contacts: dict[UUID, list[SupplierContact]] = {}
        for row in people:
            fields = dict(row)
            contacts.setdefault(fields.pop("supplier_id"), []).append(SupplierContact(**fields))
        return [
            Supplier(**dict(row), contacts=tuple(contacts.get(row["supplier_id"], ())))
            for row in rows
        ]

    async def notified(self, service_id: UUID) -> list[str]:
        """Return the addresses that mails about a service's files go to, beside the router's."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT c.email FROM services s JOIN contacts c USING (supplier_id)"
            " WHERE s.service_id = $1 AND c.notified AND c.email <> s.router_address"
            " ORDER BY c.email",
            service_id,
        )
        return [row["email"] for row in rows]

    async def forget(self, address: str) -> int:
        """Remove the contacts with an address; return how many there were."""
        done = await self._connection.execute(
            "DELETE FROM contacts WHERE lower(email) = lower($1)", address
        )
        return int(done.rpartition(" ")[2])
