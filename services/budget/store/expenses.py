"""Expenses as rows: what something costs, and what of it is booked on its budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.expenses import Expense, Stage
from services.budget.store.budgets import levels_of
from shared.database import Connection
from topics.expenses import CommitmentLevel, EntryStatus, ExpenseKind, TypedCost

COLUMNS: Final = (
    "kind, object_id, budget_id, label, campaign_id, program_id, plan_id, status, level, stage,"
    " provisional, real, estimated_minor, held_minor, computed_minor, paid_minor, booked_planned,"
    " booked_reserved, booked_committed, booked_spent, booked_invoiced"
)
_SAVE: Final = f"""
INSERT INTO expenses ({COLUMNS}, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22)
ON CONFLICT (kind, object_id, budget_id) DO UPDATE
SET label = excluded.label, campaign_id = excluded.campaign_id, program_id = excluded.program_id,
    plan_id = excluded.plan_id, status = excluded.status, level = excluded.level,
    stage = excluded.stage, provisional = excluded.provisional, real = excluded.real,
    estimated_minor = excluded.estimated_minor, held_minor = excluded.held_minor,
    computed_minor = excluded.computed_minor, paid_minor = excluded.paid_minor,
    booked_planned = excluded.booked_planned, booked_reserved = excluded.booked_reserved,
    booked_committed = excluded.booked_committed, booked_spent = excluded.booked_spent,
    booked_invoiced = excluded.booked_invoiced, changed_at = excluded.changed_at
"""
# What a campaign's deliveries and tasks have on all levels of a budget, holds included.
_PARTS: Final = """
SELECT coalesce(sum(held_minor + booked_planned + booked_reserved + booked_committed
                    + booked_spent + booked_invoiced), 0)::bigint
FROM expenses WHERE campaign_id = $1 AND budget_id = $2 AND kind IN ('delivery', 'task')
"""


class ExpenseStore:
    """Expenses in the caller's transaction; written while their budget's row is locked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, kind: ExpenseKind, object_id: UUID, budget_id: UUID) -> Expense | None:
        """Return what something costs on a budget."""
        row = await self._connection.fetchrow(
            f"SELECT {COLUMNS} FROM expenses WHERE kind = $1 AND object_id = $2 AND budget_id = $3",
            kind.value,
            object_id,
            budget_id,
        )
        return expense_of(row) if row else None

    async def save(self, expense: Expense, now: datetime) -> None:
        """Write an expense."""
        await self._connection.execute(
            _SAVE,
            expense.kind.value,
            expense.object_id,
            expense.budget_id,
            expense.label,
            expense.campaign_id,
            expense.program_id,
            expense.plan_id,
            expense.status.value,
            expense.level.value,
            expense.stage.value,
            _dumped(expense.provisional),
            _dumped(expense.real),
            expense.estimated_minor,
            expense.held_minor,
            expense.computed_minor,
            expense.paid_minor,
            expense.booked.planned_minor,
            expense.booked.reserved_minor,
            expense.booked.committed_minor,
            expense.booked.spent_minor,
            expense.booked.invoiced_minor,
            now,
        )

    async def parts_minor(self, campaign_id: UUID, budget_id: UUID) -> int:
        """Return what a campaign's deliveries and tasks have on all levels of a budget."""
        amount: int = await self._connection.fetchval(_PARTS, campaign_id, budget_id)
        return amount

    async def budgets_of(self, campaign_id: UUID) -> Sequence[UUID]:
        """Return the budgets on which a campaign has an expense, in the order to lock them."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT budget_id FROM expenses WHERE campaign_id = $1 ORDER BY 1", campaign_id
        )
        return [row["budget_id"] for row in rows]


def _dumped(cost: TypedCost | None) -> dict[str, object] | None:
    return cost.model_dump(mode="json") if cost else None


def expense_of(row: Record) -> Expense:
    """Return the expense of a row with ``COLUMNS``."""
    return Expense(
        kind=ExpenseKind(row["kind"]),
        object_id=row["object_id"],
        budget_id=row["budget_id"],
        label=row["label"],
        campaign_id=row["campaign_id"],
        program_id=row["program_id"],
        plan_id=row["plan_id"],
        status=EntryStatus(row["status"]),
        level=CommitmentLevel(row["level"]),
        stage=Stage(row["stage"]),
        provisional=TypedCost.model_validate(row["provisional"]) if row["provisional"] else None,
        real=TypedCost.model_validate(row["real"]) if row["real"] else None,
        estimated_minor=row["estimated_minor"],
        held_minor=row["held_minor"],
        computed_minor=row["computed_minor"],
        paid_minor=row["paid_minor"],
        booked=levels_of(row, suffix="", prefix="booked_"),
    )
