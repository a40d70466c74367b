"""What the API shows of orders, invoices and rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from services.budget.store.invoices import InvoiceStore
from shared.database import Connection
from topics.invoices import InvoiceLine, InvoiceStatus, OrderLine

# What is invoiced of an order is in the order's currency only where the invoice is too.
_ORDERS: Final = """
SELECT o.order_id, o.number, o.supplier, o.supplier_id, o.budget_id, o.currency, o.total_minor,
       o.ordered_on, coalesce(sum(l.amount_minor), 0)::bigint AS invoiced_minor
FROM orders o LEFT JOIN (
    SELECT l.order_id, l.amount_minor, i.currency FROM invoice_lines l JOIN invoices i
    USING (invoice_id) WHERE i.status <> 'cancelled'
) l ON l.order_id = o.order_id AND l.currency = o.currency
WHERE ($1::uuid IS NULL OR o.order_id > $1) AND ($2::uuid IS NULL OR o.order_id = $2)
GROUP BY o.order_id ORDER BY o.order_id LIMIT $3
"""
_INVOICES: Final = """
SELECT invoice_id, number, supplier, supplier_id, budget_id, currency, total_minor, invoiced_on,
       status, moved_on, charged_minor
FROM invoices
WHERE ($1::uuid IS NULL OR invoice_id > $1) AND ($2::uuid IS NULL OR invoice_id = $2)
  AND ($3::uuid IS NULL OR budget_id = $3) AND ($4::text IS NULL OR status = $4)
ORDER BY invoice_id LIMIT $5
"""


class OrderRow(BaseModel):
    """An order; ``invoiced_minor`` is what invoices in its currency charge for it."""

    order_id: UUID
    number: str
    supplier: str
    supplier_id: UUID | None
    budget_id: UUID | None
    currency: str
    total_minor: int
    ordered_on: date | None
    invoiced_minor: int


class OrderDetail(OrderRow):
    """An order with its lines."""

    lines: tuple[OrderLine, ...]


class OrderPage(BaseModel):
    """Orders, and the key of the next page when there may be one."""

    items: tuple[OrderRow, ...]
    next: UUID | None


class InvoiceRow(BaseModel):
    """An invoice; ``charged_minor`` is in its budget's currency, once it is paid."""

    invoice_id: UUID
    number: str
    supplier: str
    supplier_id: UUID | None
    budget_id: UUID
    currency: str
    total_minor: int
    invoiced_on: date
    status: InvoiceStatus
    moved_on: date | None
    charged_minor: int


class InvoiceDetail(InvoiceRow):
    """An invoice with its lines."""

    lines: tuple[InvoiceLine, ...]


class InvoicePage(BaseModel):
    """Invoices, and the key of the next page when there may be one."""

    items: tuple[InvoiceRow, ...]
    next: UUID | None


class RateRow(BaseModel):
    """How many ``quote`` one ``base`` is, from a date on."""

    base: str
    quote: str
    valid_from: date
    rate: Decimal


async def order_page(connection: Connection, after: UUID | None, limit: int) -> OrderPage:
    """Return orders after a key."""
    rows = await connection.fetch(_ORDERS, after, None, limit)
    items = tuple(OrderRow(**dict(row)) for row in rows)
    return OrderPage(items=items, next=items[-1].order_id if len(items) == limit else None)


async def order_detail(connection: Connection, order_id: UUID) -> OrderDetail | None:
    """Return an order with its lines, or ``None`` when there is none."""
    row = await connection.fetchrow(_ORDERS, None, order_id, 1)
    if row is None:
        return None
    lines = await connection.fetch(
        "SELECT label, amount_minor FROM order_lines WHERE order_id = $1 ORDER BY position",
        order_id,
    )
    return OrderDetail(**dict(row), lines=tuple(OrderLine(**dict(one)) for one in lines))


async def invoice_page(
    connection: Connection,
    *,
    budget_id: UUID | None,
    status: InvoiceStatus | None,
    after: UUID | None,
    limit: int,
) -> InvoicePage:
    """Return invoices after a key, of a budget or status."""
    word = status.value if status else None
    rows = await connection.fetch(_INVOICES, after, None, budget_id, word, limit)
    items = tuple(InvoiceRow(**dict(row)) for row in rows)
    return InvoicePage(items=items, next=items[-1].invoice_id if len(items) == limit else None)


async def invoice_detail(connection: Connection, invoice_id: UUID) -> InvoiceDetail | None:
    """Return an invoice with its lines, or ``None`` when there is none."""
    row = await connection.fetchrow(_INVOICES, None, invoice_id, None, None, 1)
    if row is None:
        return None
    return InvoiceDetail(**dict(row), lines=await InvoiceStore(connection).lines(invoice_id))


async def rate_rows(connection: Connection) -> tuple[RateRow, ...]:
    """Return the known rates, the latest 1,000."""
    rows = await connection.fetch(
        "SELECT base, quote, valid_from, rate FROM rates"
        " ORDER BY base, quote, valid_from DESC LIMIT 1000"
    )
    return tuple(RateRow(**dict(row)) for row in rows)
