"""Stock lines, their orders and their ledger, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.stock.domain import Alert, Entry, Levels
from shared.database import Connection
from topics.stock import OrderStock, SaveStockLine, StockLineState

_COLUMNS: Final = (
    "line_id, version, stock, label, initial, delivered, consumed, reserved, on_order,"
    " alert_level, alert_group, alert, crossing"
)
_SAVE: Final = """
INSERT INTO stock_lines (line_id, version, stock, label, alert_level, alert_group)
VALUES ($1, 1, $2, $3, $4, $5)
ON CONFLICT (line_id) DO UPDATE
SET stock = excluded.stock, label = excluded.label, alert_level = excluded.alert_level,
    alert_group = excluded.alert_group, version = stock_lines.version + 1
RETURNING 1
"""
_BOOK: Final = """
INSERT INTO ledger_entries (line_id, cause, kind, account, quantity, booked_at)
SELECT $1, $2, kind, account, quantity, $6
FROM unnest($3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY
    AS entry (kind, account, quantity, position)
ORDER BY position
"""
_LEVELS: Final = """
UPDATE stock_lines
SET initial = $2, delivered = $3, consumed = $4, reserved = $5, version = version + 1
WHERE line_id = $1
"""
_ORDER: Final = """
INSERT INTO orders (order_id, line_id, quantity, due_on, ordered_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (order_id) DO NOTHING RETURNING 1
"""
_NEXT_ORDER: Final = """
SELECT order_id, line_id, quantity, due_on FROM orders
WHERE received_at IS NULL AND due_on <= $1
ORDER BY due_on, order_id LIMIT 1 FOR UPDATE
"""
_NEXT_CROSSED: Final = """
SELECT line_id FROM stock_lines
WHERE alert <> (initial + delivered - consumed <= alert_level)
ORDER BY line_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A stock line as its row says."""

    line_id: UUID
    version: int
    stock: str
    label: str
    levels: Levels
    on_order: int
    alert_level: int
    group: str
    alert: Alert

    @property
    def state(self) -> StockLineState:
        """The line as read models know it."""
        return StockLineState(
            line_id=self.line_id,
            version=self.version,
            stock=self.stock,
            label=self.label,
            initial=self.levels.initial,
            delivered=self.levels.delivered,
            consumed=self.levels.consumed,
            reserved=self.levels.reserved,
            in_stock=self.levels.in_stock,
            on_order=self.on_order,
            alert_level=self.alert_level,
            alert=self.alert.raised,
            available=self.levels.available,
            group=self.group,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """Goods on their way."""

    order_id: UUID
    line_id: UUID
    quantity: int
    due_on: date


class LineStore:
    """Stock lines and orders in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, line_id: UUID) -> Line | None:
        """Return a line, its row free to change."""
        return await self._read(line_id, "")

    async def lock(self, line_id: UUID) -> Line | None:
        """Return a line, its row locked until the transaction ends."""
        return await self._read(line_id, "FOR UPDATE")

    async def _read(self, line_id: UUID, locking: str) -> Line | None:
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM stock_lines WHERE line_id = $1 {locking}", line_id
        )
        if row is None:
            return None
        return Line(
            row["line_id"],
            row["version"],
            row["stock"],
            row["label"],
            Levels(row["initial"], row["delivered"], row["consumed"], row["reserved"]),
            row["on_order"],
            row["alert_level"],
            row["alert_group"],
            Alert(raised=row["alert"], crossing=row["crossing"]),
        )

    async def save(self, command: SaveStockLine) -> Line:
        """Write what was typed, the row locked; the initial stock is booked apart."""
        await self._connection.execute(
            _SAVE,
            command.line_id,
            command.stock,
            command.label,
            command.alert_level,
            command.group,
        )
        line = await self.find(command.line_id)
        if line is None:
            raise LookupError(command.line_id)
        return line

    async def book(self, line: Line, cause: UUID, entries: Sequence[Entry], now: datetime) -> Line:
        """Write entries and the levels they lead to; the line's row must be locked."""
        if not entries:
            return line
        await self._connection.execute(
            _BOOK,
            line.line_id,
            cause,
            [entry.kind.value for entry in entries],
            [entry.account.value for entry in entries],
            [entry.quantity for entry in entries],
            now,
        )
        after = line.levels.after(entries)
        await self._connection.execute(
            _LEVELS, line.line_id, after.initial, after.delivered, after.consumed, after.reserved
        )
        return replace(line, levels=after, version=line.version + 1)

    async def set_alert(self, line: Line, alert: Alert) -> Line:
        """Write whether a line's alert is raised."""
        await self._connection.execute(
            "UPDATE stock_lines SET alert = $2, crossing = $3, version = version + 1"
            " WHERE line_id = $1",
            line.line_id,
            alert.raised,
            alert.crossing,
        )
        return replace(line, alert=alert, version=line.version + 1)

    async def order(self, line: Line, command: OrderStock, now: datetime) -> Line:
        """Note an order, once per id; the line's row must be locked."""
        noted = await self._connection.fetchval(
            _ORDER, command.order_id, command.line_id, command.quantity, command.due_on, now
        )
        return await self._change_on_order(line, command.quantity) if noted else line

    async def _change_on_order(self, line: Line, change: int) -> Line:
        await self._connection.execute(
            "UPDATE stock_lines SET on_order = on_order + $2, version = version + 1"
            " WHERE line_id = $1",
            line.line_id,
            change,
        )
        return replace(line, on_order=line.on_order + change, version=line.version + 1)

    async def find_order(self, order_id: UUID) -> Order | None:
        """Return an order."""
        row = await self._connection.fetchrow(
            "SELECT order_id, line_id, quantity, due_on FROM orders WHERE order_id = $1", order_id
        )
        return Order(**dict(row)) if row else None

    async def next_due(self, today: date) -> Order | None:
        """Return the order that is due first, its row locked."""
        row = await self._connection.fetchrow(_NEXT_ORDER, today)
        return Order(**dict(row)) if row else None

    async def received(self, line: Line, order: Order, now: datetime) -> Line:
        """Note that an order arrived; its goods are booked apart."""
        await self._connection.execute(
            "UPDATE orders SET received_at = $2 WHERE order_id = $1", order.order_id, now
        )
        return await self._change_on_order(line, -order.quantity)

    async def next_crossed(self) -> Line | None:
        """Return a line whose alert does not fit its level, its row locked."""
        line_id = await self._connection.fetchval(_NEXT_CROSSED)
        return await self.lock(line_id) if line_id else None

    async def first_time(self, cause: str, now: datetime) -> bool:
        """Note a save that came as a message; false when it was noted before."""
        noted = await self._connection.fetchval(
            "INSERT INTO saves (cause, saved_at) VALUES ($1, $2)"
            " ON CONFLICT (cause) DO NOTHING RETURNING 1",
            cause,
            now,
        )
        return bool(noted)
