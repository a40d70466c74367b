"""What holds take of stock lines, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.budget.domain.goods import GoodsStatus, Need
from shared.database import Connection

_ASK: Final = """
INSERT INTO hold_goods (hold_id, line_id, reservation_id, once, per_letter, quantity, status)
VALUES ($1, $2, $3, $4, $5, $6, 'asked')
"""


@dataclass(frozen=True, slots=True)
class HoldGoods:
    """What a hold takes of a line, and how the stock answered."""

    reservation_id: UUID
    need: Need
    quantity: int
    status: GoodsStatus


class GoodsStore:
    """The goods of holds in the caller's transaction; the hold's row must be locked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, hold_id: UUID, needs: Sequence[Need], letters: int) -> None:
        """Write what a new hold takes."""
        await self._connection.executemany(
            _ASK,
            [
                (
                    hold_id,
                    need.line_id,
                    need.reservation_id(hold_id),
                    need.once,
                    need.per_letter,
                    need.quantity(letters),
                )
                for need in needs
            ],
        )

    async def of_hold(self, hold_id: UUID) -> Sequence[HoldGoods]:
        """Return what a hold takes, in the order of the lines' ids."""
        rows = await self._connection.fetch(
            "SELECT line_id, reservation_id, once, per_letter, quantity, status FROM hold_goods"
            " WHERE hold_id = $1 ORDER BY line_id",
            hold_id,
        )
        return [
            HoldGoods(
                row["reservation_id"],
                Need(row["line_id"], row["once"], row["per_letter"]),
                row["quantity"],
                GoodsStatus(row["status"]),
            )
            for row in rows
        ]

    async def move(self, reservation_id: UUID, before: GoodsStatus, after: GoodsStatus) -> bool:
        """Write how the stock answered; false when it was not ``before``."""
        moved = await self._connection.fetchval(
            "UPDATE hold_goods SET status = $3 WHERE reservation_id = $1 AND status = $2"
            " RETURNING 1",
            reservation_id,
            before.value,
            after.value,
        )
        return bool(moved)

    async def release(self, hold_id: UUID) -> None:
        """Write that nothing is taken any more."""
        await self._connection.execute(
            "UPDATE hold_goods SET status = 'released'"
            " WHERE hold_id = $1 AND status IN ('asked', 'held')",
            hold_id,
        )
