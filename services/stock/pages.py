"""What the API shows: stock lines, orders, ledgers and campaigns' goods, read by key."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, computed_field

from services.stock.domain import Account, EntryKind, ReservationStatus
from shared import movements
from shared.database import Connection

_COLUMNS: Final = """
SELECT line_id, version, stock, label, initial, delivered, consumed, reserved,
       initial + delivered - consumed AS in_stock,
       initial + delivered - consumed - reserved AS available,
       on_order, alert_level, alert_group AS group, alert, crossing
FROM stock_lines
"""
_LIST: Final = f"""{_COLUMNS}
WHERE ($1::uuid IS NULL OR line_id > $1) AND ($2::boolean IS NULL OR alert = $2)
ORDER BY line_id LIMIT $3
"""
# What was in stock after an entry is the sum up to it: counted from the rows, kept nowhere.
_LEDGER: Final = """
SELECT seq, cause, kind, account, quantity, in_stock, booked_at FROM (
    SELECT seq, cause, kind, account, quantity, booked_at, sum(
        CASE account WHEN 'consumed' THEN -quantity WHEN 'reserved' THEN 0 ELSE quantity END
    ) OVER (ORDER BY seq)::bigint AS in_stock
    FROM ledger_entries WHERE line_id = $1) entry
WHERE seq > $2 ORDER BY seq LIMIT $3
"""
_ORDERS: Final = """
SELECT order_id, quantity, due_on, ordered_at, received_at FROM orders
WHERE line_id = $1 AND ($2::uuid IS NULL OR order_id > $2) ORDER BY order_id LIMIT $3
"""
_CAMPAIGN: Final = """
SELECT r.reservation_id, r.line_id, r.status, r.quantity, r.rest,
       coalesce(sum(c.taken), 0)::bigint AS consumed,
       coalesce(sum(c.asked - c.taken), 0)::bigint AS short
FROM reservations r LEFT JOIN consumptions c USING (reservation_id)
WHERE r.campaign_id = $1 GROUP BY r.reservation_id ORDER BY r.asked_at, r.reservation_id
"""


class LineView(BaseModel):
    """A stock line; ``available`` is what nobody reserved of ``in_stock``."""

    line_id: UUID
    version: int
    stock: str
    label: str
    initial: int
    delivered: int
    consumed: int
    reserved: int
    in_stock: int
    available: int
    on_order: int
    alert_level: int
    group: str
    alert: bool
    crossing: int


class LinePage(BaseModel):
    """Lines, and the key of the next page when there may be one."""

    items: tuple[LineView, ...]
    next: UUID | None


class LedgerRow(BaseModel):
    """One movement: what moved on which account, why, and what was in stock after it."""

    seq: int
    cause: UUID
    kind: EntryKind
    account: Account
    quantity: int
    in_stock: int
    booked_at: datetime

    @computed_field(description="what the movement is called")  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        """What the movement is called in English."""
        return movements.label(self.kind)

    @computed_field(description="what it is called in French")  # type: ignore[prop-decorator]
    @property
    def label_fr(self) -> str:
        """What the movement is called in French."""
        return movements.label_fr(self.kind)


class LedgerPage(BaseModel):
    """Movements, and the key of the next page when there may be one."""

    items: tuple[LedgerRow, ...]
    next: int | None


class OrderView(BaseModel):
    """An order; on its way while ``received_at`` is empty."""

    order_id: UUID
    quantity: int
    due_on: date
    ordered_at: datetime
    received_at: datetime | None


class OrderPage(BaseModel):
    """Orders, and the key of the next page when there may be one."""

    items: tuple[OrderView, ...]
    next: UUID | None


class ReservationView(BaseModel):
    """A campaign's goods; ``short`` is what extractions needed beyond what was there."""

    reservation_id: UUID
    line_id: UUID | None
    status: ReservationStatus
    quantity: int
    rest: int
    consumed: int
    short: int


async def find_line(connection: Connection, line_id: UUID) -> LineView | None:
    """Return a line, or ``None``."""
    row = await connection.fetchrow(f"{_COLUMNS} WHERE line_id = $1", line_id)
    return LineView(**dict(row)) if row else None


async def line_page(
    connection: Connection, after: UUID | None, limit: int, *, alert: bool | None
) -> LinePage:
    """Return lines after a key; ``alert`` keeps those with or without one."""
    items = tuple(
        LineView(**dict(row)) for row in await connection.fetch(_LIST, after, alert, limit)
    )
    return LinePage(items=items, next=items[-1].line_id if len(items) == limit else None)


async def ledger_page(connection: Connection, line_id: UUID, after: int, limit: int) -> LedgerPage:
    """Return a line's movements after a sequence number."""
    rows = await connection.fetch(_LEDGER, line_id, after, limit)
    items = tuple(LedgerRow(**dict(row)) for row in rows)
    return LedgerPage(items=items, next=items[-1].seq if len(items) == limit else None)


async def order_page(
    connection: Connection, line_id: UUID, after: UUID | None, limit: int
) -> OrderPage:
    """Return a line's orders after a key."""
    rows = await connection.fetch(_ORDERS, line_id, after, limit)
    items = tuple(OrderView(**dict(row)) for row in rows)
    return OrderPage(items=items, next=items[-1].order_id if len(items) == limit else None)


async def campaign_goods(connection: Connection, campaign_id: UUID) -> list[ReservationView]:
    """Return what is reserved and was consumed for a campaign."""
    rows = await connection.fetch(_CAMPAIGN, campaign_id)
    return [ReservationView(**dict(row)) for row in rows]
