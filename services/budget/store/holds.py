"""Holds, the requests to commit them and the cost lines that come of it, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.costs import PricedLine, Tariff
from services.budget.domain.holds import Hold, HoldStatus
from shared.database import Connection
from topics.budget import (
    CommitFunds,
    CostCategory,
    CostChoice,
    CostStructure,
    ReserveFunds,
    Volumes,
)
from topics.funds import DecideFunds
from topics.message import Actor

_CLAIM: Final = """
INSERT INTO holds (hold_id, campaign_id, status, asked_at) VALUES ($1, $2, 'asked', $3)
ON CONFLICT (hold_id) DO NOTHING
"""
_LOCK: Final = """
SELECT hold_id, campaign_id, campaign_number, campaign_label, budget_id, status, amount_minor,
       over_minor, structures, categories, choices, requested_by, decided_by
FROM holds WHERE hold_id = $1 FOR UPDATE
"""
_DESCRIBE: Final = """
UPDATE holds
SET campaign_number = $2, campaign_label = $3, budget_id = $4, structures = $5, categories = $6,
    choices = $7, requested_by = $8
WHERE hold_id = $1
"""
_REQUEST: Final = """
INSERT INTO commits (hold_id, campaign_id, volumes, requested_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (hold_id) DO NOTHING RETURNING 1
"""
# A request whose hold is not decided yet, or waits for its approval, waits with it.
_NEXT: Final = """
SELECT c.hold_id, c.campaign_id, h.budget_id, c.volumes
FROM commits c JOIN holds h USING (hold_id)
WHERE c.booked_at IS NULL AND h.status NOT IN ('asked', 'pending') AND h.budget_id IS NOT NULL
ORDER BY c.requested_at, c.hold_id LIMIT 1 FOR UPDATE OF c
"""
_LINE: Final = """
INSERT INTO cost_lines (hold_id, structure_id, campaign_id, budget_id, position, category, label,
    formula, driver, unit_price, quantity, amount_minor, surcharge_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold, the campaign and budget it is for, and the tariff it was computed with."""

    hold_id: UUID
    campaign_id: UUID
    campaign_number: int | None
    campaign_label: str | None
    budget_id: UUID | None
    hold: Hold
    over_minor: int
    tariff: Tariff
    requested_by: Actor | None
    decided_by: Actor | None


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """What budgetMgt has to compute: a hold and the volumes really delivered."""

    hold_id: UUID
    campaign_id: UUID
    budget_id: UUID
    volumes: Volumes


class HoldStore:
    """Holds and commits in the caller's transaction; a hold's row is locked before its budget's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, hold_id: UUID, campaign_id: UUID, now: datetime) -> HoldRow:
        """Return the hold of an id, made when new, its row locked until the transaction ends."""
        await self._connection.execute(_CLAIM, hold_id, campaign_id, now)
        return await self.lock(hold_id)

    async def lock(self, hold_id: UUID) -> HoldRow:
        """Return a hold that exists, its row locked until the transaction ends."""
        row = await self.find_locked(hold_id)
        if row is None:
            raise LookupError(hold_id)
        return row

    async def find_locked(self, hold_id: UUID) -> HoldRow | None:
        """Return the hold of an id if there is one, its row locked."""
        row = await self._connection.fetchrow(_LOCK, hold_id)
        if row is None:
            return None
        return HoldRow(
            row["hold_id"],
            row["campaign_id"],
            row["campaign_number"],
            row["campaign_label"],
            row["budget_id"],
            Hold(HoldStatus(row["status"]), row["amount_minor"]),
            row["over_minor"],
            _tariff(row),
            _actor(row["requested_by"]),
            _actor(row["decided_by"]),
        )

    async def lock_held(self, campaign_id: UUID) -> Sequence[UUID]:
        """Return the holds of a campaign that nobody committed yet, their rows locked."""
        rows = await self._connection.fetch(
            "SELECT hold_id FROM holds WHERE campaign_id = $1 AND status = 'held'"
            " ORDER BY hold_id FOR UPDATE",
            campaign_id,
        )
        return [row["hold_id"] for row in rows]

    async def describe(self, command: ReserveFunds, tariff: Tariff) -> None:
        """Write for which campaign and budget a hold is, and at which prices."""
        await self._connection.execute(
            _DESCRIBE,
            command.hold_id,
            command.campaign_number,
            command.campaign_label,
            command.budget_id,
            [one.model_dump(mode="json") for one in tariff.structures],
            [one.model_dump(mode="json") for one in tariff.categories],
            [one.model_dump(mode="json") for one in tariff.choices],
            command.requested_by.model_dump(mode="json") if command.requested_by else None,
        )

    async def decide(self, hold_id: UUID, hold: Hold) -> None:
        """Write how a hold stands."""
        await self._connection.execute(
            "UPDATE holds SET status = $2, amount_minor = $3 WHERE hold_id = $1",
            hold_id,
            hold.status.value,
            hold.amount_minor,
        )

    async def note_over(self, hold_id: UUID, over_minor: int) -> None:
        """Write what a hold takes beyond its budget."""
        await self._connection.execute(
            "UPDATE holds SET over_minor = $2 WHERE hold_id = $1", hold_id, over_minor
        )

    async def sign(self, command: DecideFunds, now: datetime) -> None:
        """Write who decided about a hold, when and why."""
        await self._connection.execute(
            "UPDATE holds SET decided_by = $2, decided_at = $3, reason = $4 WHERE hold_id = $1",
            command.hold_id,
            command.actor.model_dump(mode="json"),
            now,
            command.reason,
        )

    async def request_commit(self, command: CommitFunds, now: datetime) -> bool:
        """Keep a request for budgetMgt; false when the hold has one already."""
        kept = await self._connection.fetchval(
            _REQUEST,
            command.hold_id,
            command.campaign_id,
            command.volumes.model_dump(mode="json"),
            now,
        )
        return bool(kept)

    async def commit_waits(self, hold_id: UUID) -> bool:
        """Whether a request for the hold is not computed yet."""
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM commits WHERE hold_id = $1 AND booked_at IS NULL", hold_id
            )
        )

    async def next_commit(self) -> CommitRequest | None:
        """Return the oldest request that can be computed, its row locked."""
        row = await self._connection.fetchrow(_NEXT)
        if row is None:
            return None
        volumes = Volumes.model_validate(row["volumes"])
        return CommitRequest(row["hold_id"], row["campaign_id"], row["budget_id"], volumes)

    async def close_commit(self, hold_id: UUID, over_hold_minor: int, now: datetime) -> None:
        """Note that a request was computed, and what it cost beyond its hold."""
        await self._connection.execute(
            "UPDATE commits SET booked_at = $2, over_hold_minor = $3 WHERE hold_id = $1",
            hold_id,
            now,
            over_hold_minor,
        )

    async def charged(self, campaign_id: UUID, budget_id: UUID) -> frozenset[UUID]:
        """Return the fixed structures a campaign was charged for already."""
        rows = await self._connection.fetch(
            "SELECT structure_id FROM cost_lines"
            " WHERE campaign_id = $1 AND budget_id = $2 AND formula = 'fixed'",
            campaign_id,
            budget_id,
        )
        return frozenset(row["structure_id"] for row in rows)

    async def save_lines(self, request: CommitRequest, lines: Sequence[PricedLine]) -> None:
        """Write the cost lines of a hold."""
        rows = [
            (
                request.hold_id,
                line.structure.structure_id,
                request.campaign_id,
                request.budget_id,
                position,
                line.structure.category,
                line.structure.label,
                line.structure.formula.value,
                line.structure.driver.value,
                line.structure.unit_price,
                int(line.quantity),
                line.amount_minor,
                line.surcharge_minor,
            )
            for position, line in enumerate(lines)
        ]
        await self._connection.executemany(_LINE, rows)


def _tariff(row: Record) -> Tariff:
    return Tariff(
        tuple(CostStructure.model_validate(one) for one in row["structures"]),
        tuple(CostCategory.model_validate(one) for one in row["categories"]),
        tuple(CostChoice.model_validate(one) for one in row["choices"]),
    )


def _actor(value: object) -> Actor | None:
    return Actor.model_validate(value) if value else None
