"""Orders, invoices and rates, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.budget.domain.invoices import Charge
from services.budget.domain.rates import Rate
from shared.database import Connection
from topics.expenses import ExpenseKind
from topics.invoices import InvoiceLine, InvoiceStatus, SaveInvoice, SaveOrder, SaveRate

_SAVE_ORDER: Final = """
INSERT INTO orders (order_id, number, supplier, supplier_id, budget_id, currency, total_minor,
    ordered_on, saved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (order_id) DO UPDATE
SET number = excluded.number, supplier = excluded.supplier, supplier_id = excluded.supplier_id,
    budget_id = excluded.budget_id, currency = excluded.currency,
    total_minor = excluded.total_minor, ordered_on = excluded.ordered_on,
    saved_at = excluded.saved_at
"""
_SAVE_INVOICE: Final = """
INSERT INTO invoices (invoice_id, number, supplier, supplier_id, budget_id, currency, total_minor,
    invoiced_on, status, saved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'received', $9)
ON CONFLICT (invoice_id) DO UPDATE
SET number = excluded.number, supplier = excluded.supplier, supplier_id = excluded.supplier_id,
    budget_id = excluded.budget_id, currency = excluded.currency,
    total_minor = excluded.total_minor, invoiced_on = excluded.invoiced_on,
    saved_at = excluded.saved_at
"""
_SAVE_RATE: Final = """
INSERT INTO rates (base, quote, valid_from, rate) VALUES ($1, $2, $3, $4)
ON CONFLICT (base, quote, valid_from) DO UPDATE SET rate = excluded.rate
"""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as its row says."""

    invoice_id: UUID
    number: str
    supplier: str
    budget_id: UUID
    currency: str
    total_minor: int
    invoiced_on: date
    status: InvoiceStatus
    charged_minor: int


class InvoiceStore:
    """Orders and invoices in the caller's transaction; an invoice is locked before its budget."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def order_of_number(self, supplier: str, number: str) -> UUID | None:
        """Return the order that has a supplier's number."""
        order_id: UUID | None = await self._connection.fetchval(
            "SELECT order_id FROM orders WHERE supplier = $1 AND number = $2", supplier, number
        )
        return order_id

    async def invoice_of_number(self, supplier: str, number: str) -> UUID | None:
        """Return the invoice, not cancelled, that has a supplier's number."""
        invoice_id: UUID | None = await self._connection.fetchval(
            "SELECT invoice_id FROM invoices"
            " WHERE supplier = $1 AND number = $2 AND status <> 'cancelled'",
            supplier,
            number,
        )
        return invoice_id

    async def known_orders(self, order_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Return those of some orders that were saved."""
        rows = await self._connection.fetch(
            "SELECT order_id FROM orders WHERE order_id = ANY ($1::uuid[])", list(order_ids)
        )
        return frozenset(row["order_id"] for row in rows)

    async def save_order(self, command: SaveOrder, now: datetime) -> None:
        """Write an order and its lines in place of those it had."""
        await self._connection.execute(
            _SAVE_ORDER,
            command.order_id,
            command.number,
            command.supplier,
            command.supplier_id,
            command.budget_id,
            command.currency,
            command.total_minor,
            command.ordered_on,
            now,
        )
        await self._connection.execute(
            "DELETE FROM order_lines WHERE order_id = $1", command.order_id
        )
        await self._connection.executemany(
            "INSERT INTO order_lines (order_id, position, label, amount_minor)"
            " VALUES ($1, $2, $3, $4)",
            [
                (command.order_id, position, line.label, line.amount_minor)
                for position, line in enumerate(command.lines)
            ],
        )

    async def lock(self, invoice_id: UUID) -> Invoice | None:
        """Return an invoice, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            "SELECT invoice_id, number, supplier, budget_id, currency, total_minor, invoiced_on,"
            " status, charged_minor FROM invoices WHERE invoice_id = $1 FOR UPDATE",
            invoice_id,
        )
        return Invoice(**dict(row) | {"status": InvoiceStatus(row["status"])}) if row else None

    async def save(self, command: SaveInvoice, now: datetime) -> None:
        """Write an invoice that is not paid, and its lines in place of those it had."""
        await self._connection.execute(
            _SAVE_INVOICE,
            command.invoice_id,
            command.number,
            command.supplier,
            command.supplier_id,
            command.budget_id,
            command.currency,
            command.total_minor,
            command.invoiced_on,
            now,
        )
        await self._connection.execute(
            "DELETE FROM invoice_lines WHERE invoice_id = $1", command.invoice_id
        )
        await self._connection.executemany(
            "INSERT INTO invoice_lines (invoice_id, position, label, amount_minor, order_id, kind,"
            " object_id) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                (
                    command.invoice_id,
                    position,
                    line.label,
                    line.amount_minor,
                    line.order_id,
                    line.kind.value if line.kind else None,
                    line.object_id,
                )
                for position, line in enumerate(command.lines)
            ],
        )

    async def lines(self, invoice_id: UUID) -> tuple[InvoiceLine, ...]:
        """Return an invoice's lines in their order."""
        rows = await self._connection.fetch(
            "SELECT label, amount_minor, order_id, kind, object_id FROM invoice_lines"
            " WHERE invoice_id = $1 ORDER BY position",
            invoice_id,
        )
        return tuple(
            InvoiceLine(
                label=row["label"],
                amount_minor=row["amount_minor"],
                order_id=row["order_id"],
                kind=ExpenseKind(row["kind"]) if row["kind"] else None,
                object_id=row["object_id"],
            )
            for row in rows
        )

    async def move(self, invoice_id: UUID, to: InvoiceStatus, on: date, charged_minor: int) -> None:
        """Write how an invoice stands, and what was charged in its budget's currency."""
        await self._connection.execute(
            "UPDATE invoices SET status = $2, moved_on = $3, charged_minor = $4"
            " WHERE invoice_id = $1",
            invoice_id,
            to.value,
            on,
            charged_minor,
        )

    async def charge(self, invoice: Invoice, charges: Sequence[Charge]) -> None:
        """Write to what a paid invoice was charged."""
        await self._connection.executemany(
            "INSERT INTO invoice_charges (invoice_id, kind, object_id, budget_id, amount_minor)"
            " VALUES ($1, $2, $3, $4, $5)",
            [
                (
                    invoice.invoice_id,
                    one.kind.value,
                    one.object_id,
                    invoice.budget_id,
                    one.amount_minor,
                )
                for one in charges
            ],
        )

    async def save_rate(self, command: SaveRate) -> None:
        """Write a rate of a day."""
        await self._connection.execute(
            _SAVE_RATE, command.base, command.quote, command.valid_from, command.rate
        )

    async def rates(self, one: str, other: str) -> Sequence[Rate]:
        """Return the rates between two currencies, either way round."""
        rows = await self._connection.fetch(
            "SELECT base, quote, valid_from, rate FROM rates"
            " WHERE (base, quote) IN (($1, $2), ($2, $1)) ORDER BY valid_from",
            one,
            other,
        )
        return [Rate(**dict(row)) for row in rows]
