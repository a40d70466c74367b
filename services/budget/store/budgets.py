"""Budgets, their balances and their ledger, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.holds import Policy
from services.budget.domain.ledger import Balance, Entry, Levels
from shared.database import Connection
from topics.budget import BudgetState, Overrun, SaveBudget

_COLUMNS: Final = (
    "budget_id, version, label, currency, allocated_minor, planned_minor, reserved_minor,"
    " committed_minor, spent_minor, invoiced_minor, overrun, needs_approval, main_budget_id,"
    " starts_on, ends_on, calculated_at"
)
_SAVE: Final = """
UPDATE budgets
SET label = $2, currency = $3, starts_on = $4, ends_on = $5, overrun = $6, needs_approval = $7,
    main_budget_id = $8, version = version + 1
WHERE budget_id = $1
"""
_BOOK: Final = """
INSERT INTO ledger_entries (budget_id, cause, kind, account, amount_minor, booked_at, may_overrun)
SELECT $1, $2, kind, account, amount_minor, $6, $7
FROM unnest($3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY
    AS entry (kind, account, amount_minor, position)
ORDER BY position
"""
_BALANCE: Final = """
UPDATE budgets
SET allocated_minor = $2, planned_minor = $3, reserved_minor = $4, committed_minor = $5,
    spent_minor = $6, invoiced_minor = $7, version = version + 1
WHERE budget_id = $1
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as its row says, without what prices its campaigns."""

    budget_id: UUID
    version: int
    label: str
    currency: str
    balance: Balance
    policy: Policy
    main_budget_id: UUID | None
    starts_on: date | None
    ends_on: date | None
    calculated_at: datetime | None

    @property
    def state(self) -> BudgetState:
        """The budget as read models know it."""
        levels = self.balance.levels
        return BudgetState(
            budget_id=self.budget_id,
            version=self.version,
            label=self.label,
            currency=self.currency,
            allocated_minor=self.balance.allocated_minor,
            planned_minor=levels.planned_minor,
            reserved_minor=levels.reserved_minor,
            committed_minor=levels.committed_minor,
            spent_minor=levels.spent_minor,
            invoiced_minor=levels.invoiced_minor,
            left_minor=self.balance.left_minor,
            calculated_at=self.calculated_at,
            overrun=self.policy.overrun,
            needs_approval=self.policy.needs_approval,
            main_budget_id=self.main_budget_id,
        )


def levels_of(row: Record, suffix: str = "_minor", prefix: str = "") -> Levels:
    """Return the levels in a row's five columns."""
    return Levels(
        planned_minor=row[f"{prefix}planned{suffix}"],
        reserved_minor=row[f"{prefix}reserved{suffix}"],
        committed_minor=row[f"{prefix}committed{suffix}"],
        spent_minor=row[f"{prefix}spent{suffix}"],
        invoiced_minor=row[f"{prefix}invoiced{suffix}"],
    )


class BudgetStore:
    """Budgets in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, budget_id: UUID) -> Budget | None:
        """Return a budget, its row free to change."""
        return await self._read(budget_id, "")

    async def lock(self, budget_id: UUID) -> Budget | None:
        """Return a budget, its row locked until the transaction ends."""
        return await self._read(budget_id, "FOR UPDATE")

    async def _read(self, budget_id: UUID, locking: str) -> Budget | None:
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM budgets WHERE budget_id = $1 {locking}", budget_id
        )
        if row is None:
            return None
        return Budget(
            row["budget_id"],
            row["version"],
            row["label"],
            row["currency"],
            Balance(row["allocated_minor"], levels_of(row)),
            Policy(Overrun(row["overrun"]), row["needs_approval"]),
            row["main_budget_id"],
            row["starts_on"],
            row["ends_on"],
            row["calculated_at"],
        )

    async def create(self, command: SaveBudget) -> None:
        """Make an empty budget unless it is there already."""
        await self._connection.execute(
            "INSERT INTO budgets (budget_id, version, label, currency) VALUES ($1, 0, $2, $3)"
            " ON CONFLICT (budget_id) DO NOTHING",
            command.budget_id,
            command.label,
            command.currency,
        )

    async def save(self, command: SaveBudget) -> Budget:
        """Write what was typed, the row locked; the allocation is booked apart.

        Raises:
            LookupError: the budget was never made.
        """
        await self._connection.execute(
            _SAVE,
            command.budget_id,
            command.label,
            command.currency,
            command.starts_on,
            command.ends_on,
            command.overrun.value,
            command.needs_approval,
            command.main_budget_id,
        )
        budget = await self.find(command.budget_id)
        if budget is None:
            raise LookupError(command.budget_id)
        return budget

    async def book(
        self, budget: Budget, cause: str, entries: Sequence[Entry], now: datetime
    ) -> Budget:
        """Write entries and the balance they lead to; the budget's row must be locked."""
        if not entries:
            return budget
        await self._connection.execute(
            _BOOK,
            budget.budget_id,
            cause,
            [entry.kind.value for entry in entries],
            [entry.account.value for entry in entries],
            [entry.amount_minor for entry in entries],
            now,
            budget.policy.overrun is Overrun.WARN,
        )
        after = budget.balance.after(entries)
        await self._connection.execute(
            _BALANCE,
            budget.budget_id,
            after.allocated_minor,
            after.levels.planned_minor,
            after.levels.reserved_minor,
            after.levels.committed_minor,
            after.levels.spent_minor,
            after.levels.invoiced_minor,
        )
        return replace(budget, balance=after, version=budget.version + 1)

    async def has_movements(self, budget_id: UUID) -> bool:
        """Whether anything was ever planned, held or spent, so that the currency stands."""
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM ledger_entries WHERE budget_id = $1 AND kind <> 'allocate' LIMIT 1",
                budget_id,
            )
        )

    async def is_above(self, budget_id: UUID, main_budget_id: UUID) -> bool:
        """Whether a budget is the main one of another, directly or not (so it cannot be below)."""
        return bool(
            await self._connection.fetchval(
                "WITH RECURSIVE above AS ("
                " SELECT $2::uuid AS budget_id UNION"
                " SELECT b.main_budget_id FROM budgets b JOIN above USING (budget_id)"
                " WHERE b.main_budget_id IS NOT NULL)"
                " SELECT 1 FROM above WHERE budget_id = $1",
                budget_id,
                main_budget_id,
            )
        )

    async def calculated(self, budget: Budget, now: datetime) -> Budget:
        """Stamp the budget with the time its costs were last calculated."""
        await self._connection.execute(
            "UPDATE budgets SET calculated_at = $2, version = version + 1 WHERE budget_id = $1",
            budget.budget_id,
            now,
        )
        return replace(budget, calculated_at=now, version=budget.version + 1)
