"""Roll-ups as rows, and the expenses they are made of, each with its budget's currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.expenses import Costs, Expense
from services.budget.domain.holds import ACCOUNT_OF, HoldStatus
from services.budget.domain.ledger import Entry, EntryKind, Levels
from services.budget.domain.rollups import Rollup
from services.budget.store.budgets import levels_of
from services.budget.store.expenses import COLUMNS, expense_of
from services.budget.store.recalculations import Rolled
from shared.database import Connection
from topics.expenses import ExpenseKind

_COLUMNS: Final = (
    "kind, object_id, currency, program_id, plan_id, provisional_minor, calculated_minor,"
    " real_minor, planned_minor, reserved_minor, committed_minor, spent_minor, invoiced_minor,"
    " calculated_at"
)
_SAVE: Final = f"""
INSERT INTO rollups ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (kind, object_id, currency) DO UPDATE
SET program_id = excluded.program_id, plan_id = excluded.plan_id,
    provisional_minor = excluded.provisional_minor, calculated_minor = excluded.calculated_minor,
    real_minor = excluded.real_minor, planned_minor = excluded.planned_minor,
    reserved_minor = excluded.reserved_minor, committed_minor = excluded.committed_minor,
    spent_minor = excluded.spent_minor, invoiced_minor = excluded.invoiced_minor,
    calculated_at = excluded.calculated_at
"""
_HELD: Final = """
SELECT b.currency, h.status, sum(h.amount_minor)::bigint AS amount
FROM holds h JOIN budgets b USING (budget_id)
WHERE h.campaign_id = $1 AND h.status IN ('pending', 'held', 'committed') GROUP BY 1, 2
"""
# The parts of a program are campaigns; those of a plan are programs, and campaigns without one.
_BELOW: Final = {
    ExpenseKind.PROGRAM: "kind = 'campaign' AND program_id = $1",
    ExpenseKind.PLAN: (
        "plan_id = $1 AND (kind = 'program' OR (kind = 'campaign' AND program_id IS NULL))"
    ),
}
_TASKS: Final = {
    ExpenseKind.PROGRAM: "kind = 'task' AND campaign_id IS NULL AND program_id = $1",
    ExpenseKind.PLAN: (
        "kind = 'task' AND campaign_id IS NULL AND program_id IS NULL AND plan_id = $1"
    ),
}


@dataclass(frozen=True, slots=True)
class Charged:
    """An expense and the currency of the budget it is charged to."""

    expense: Expense
    currency: str


@dataclass(frozen=True, slots=True)
class RollupRow:
    """A roll-up in one currency, where it belongs and as of when."""

    kind: ExpenseKind
    object_id: UUID
    currency: str
    program_id: UUID | None
    plan_id: UUID | None
    rollup: Rollup
    calculated_at: datetime

    def told(self) -> dict[str, Any]:
        """Return it by the names that its message and its page have for it."""
        costs, levels = self.rollup.costs, self.rollup.levels
        return {
            "kind": self.kind,
            "object_id": self.object_id,
            "currency": self.currency,
            "provisional_minor": costs.provisional_minor,
            "calculated_minor": costs.calculated_minor,
            "real_minor": costs.real_minor,
            "planned_minor": levels.planned_minor,
            "reserved_minor": levels.reserved_minor,
            "committed_minor": levels.committed_minor,
            "spent_minor": levels.spent_minor,
            "invoiced_minor": levels.invoiced_minor,
            "calculated_at": self.calculated_at,
        }


class RollupStore:
    """Roll-ups in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of(self, rolled: Rolled) -> Sequence[RollupRow]:
        """Return the roll-ups of something, by currency."""
        return await self._where(
            "kind = $1 AND object_id = $2", rolled.kind.value, rolled.object_id
        )

    async def below(self, rolled: Rolled) -> Sequence[RollupRow]:
        """Return the roll-ups that a program's or plan's is the sum of."""
        return await self._where(_BELOW[rolled.kind], rolled.object_id)

    async def _where(self, condition: str, *values: object) -> Sequence[RollupRow]:
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM rollups WHERE {condition} ORDER BY kind, object_id, currency",
            *values,
        )
        return [_row(one) for one in rows]

    async def save(self, row: RollupRow) -> None:
        """Write a roll-up."""
        costs, levels = row.rollup.costs, row.rollup.levels
        await self._connection.execute(
            _SAVE,
            row.kind.value,
            row.object_id,
            row.currency,
            row.program_id,
            row.plan_id,
            costs.provisional_minor,
            costs.calculated_minor,
            costs.real_minor,
            levels.planned_minor,
            levels.reserved_minor,
            levels.committed_minor,
            levels.spent_minor,
            levels.invoiced_minor,
            row.calculated_at,
        )

    async def campaign_expenses(self, campaign_id: UUID) -> Sequence[Charged]:
        """Return a campaign's expenses and its parts', the latest changed first."""
        return await self._charged("campaign_id = $1", campaign_id)

    async def own_expenses(self, rolled: Rolled) -> Sequence[Charged]:
        """Return what was typed for a program or plan itself, the latest changed first."""
        return await self._charged(
            "object_id = $1 AND kind = $2", rolled.object_id, rolled.kind.value
        )

    async def task_expenses(self, rolled: Rolled) -> Sequence[Charged]:
        """Return the expenses of tasks that belong to a program or plan directly."""
        return await self._charged(_TASKS[rolled.kind], rolled.object_id)

    async def _charged(self, condition: str, *values: object) -> Sequence[Charged]:
        rows = await self._connection.fetch(
            f"SELECT {COLUMNS}, (SELECT currency FROM budgets b"
            " WHERE b.budget_id = expenses.budget_id) AS currency"
            f" FROM expenses WHERE {condition} ORDER BY changed_at DESC, kind, object_id",
            *values,
        )
        return [Charged(expense_of(row), row["currency"]) for row in rows]

    async def held(self, campaign_id: UUID) -> dict[str, Levels]:
        """Return what a campaign's holds hold, by currency."""
        found: dict[str, Levels] = {}
        for row in await self._connection.fetch(_HELD, campaign_id):
            account = ACCOUNT_OF[HoldStatus(row["status"])]
            entry = Entry(EntryKind.RESERVE, account, row["amount"])
            found[row["currency"]] = found.get(row["currency"], Levels()).after([entry])
        return found


def _row(row: Record) -> RollupRow:
    costs = Costs(row["provisional_minor"], row["calculated_minor"], row["real_minor"])
    return RollupRow(
        ExpenseKind(row["kind"]),
        row["object_id"],
        row["currency"],
        row["program_id"],
        row["plan_id"],
        Rollup(costs, levels_of(row)),
        row["calculated_at"],
    )
