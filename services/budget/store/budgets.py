"""Budgets, their cost structures and their ledger, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from services.budget.domain.ledger import Balance, Entry
from shared.database import Connection
from topics.budget import BudgetState, CostDriver, CostStructure, Formula, SaveBudget

_COLUMNS: Final = (
    "budget_id, version, label, currency, allocated_minor, reserved_minor, spent_minor,"
    " starts_on, ends_on, calculated_at"
)
_SAVE: Final = """
UPDATE budgets
SET label = $2, currency = $3, starts_on = $4, ends_on = $5, version = version + 1
WHERE budget_id = $1
"""
_BOOK: Final = """
INSERT INTO ledger_entries (budget_id, cause, kind, account, amount_minor, booked_at)
SELECT $1, $2, kind, account, amount_minor, $6
FROM unnest($3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY
    AS entry (kind, account, amount_minor, position)
ORDER BY position
"""
_BALANCE: Final = """
UPDATE budgets
SET allocated_minor = $2, reserved_minor = $3, spent_minor = $4, version = version + 1
WHERE budget_id = $1
"""
_STRUCTURE: Final = """
INSERT INTO cost_structures (budget_id, structure_id, position, category, label, formula, driver,
    amount_minor, unit_price)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as its row says, without its structures."""

    budget_id: UUID
    version: int
    label: str
    currency: str
    balance: Balance
    starts_on: date | None
    ends_on: date | None
    calculated_at: datetime | None

    @property
    def state(self) -> BudgetState:
        """The budget as read models know it."""
        return BudgetState(
            budget_id=self.budget_id,
            version=self.version,
            label=self.label,
            currency=self.currency,
            allocated_minor=self.balance.allocated_minor,
            reserved_minor=self.balance.reserved_minor,
            spent_minor=self.balance.spent_minor,
            left_minor=self.balance.left_minor,
            calculated_at=self.calculated_at,
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
        balance = Balance(row["allocated_minor"], row["reserved_minor"], row["spent_minor"])
        return Budget(
            row["budget_id"],
            row["version"],
            row["label"],
            row["currency"],
            balance,
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
        )
        await self._save_structures(command.budget_id, command.structures)
        budget = await self.find(command.budget_id)
        if budget is None:
            raise LookupError(command.budget_id)
        return budget

    async def _save_structures(self, budget_id: UUID, structures: Sequence[CostStructure]) -> None:
        await self._connection.execute(
            "DELETE FROM cost_structures WHERE budget_id = $1", budget_id
        )
        rows = [
            (
                budget_id,
                one.structure_id,
                position,
                one.category,
                one.label,
                one.formula.value,
                one.driver.value,
                one.amount_minor,
                one.unit_price,
            )
            for position, one in enumerate(structures)
        ]
        await self._connection.executemany(_STRUCTURE, rows)

    async def structures(self, budget_id: UUID) -> tuple[CostStructure, ...]:
        """Return a budget's cost structures in the order they were saved."""
        rows = await self._connection.fetch(
            "SELECT structure_id, category, label, formula, driver, amount_minor, unit_price"
            " FROM cost_structures WHERE budget_id = $1 ORDER BY position",
            budget_id,
        )
        return tuple(
            CostStructure(
                structure_id=row["structure_id"],
                category=row["category"],
                label=row["label"],
                formula=Formula(row["formula"]),
                driver=CostDriver(row["driver"]),
                amount_minor=row["amount_minor"],
                unit_price=_plain(row["unit_price"]),
            )
            for row in rows
        )

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
        )
        after = budget.balance.after(entries)
        await self._connection.execute(
            _BALANCE,
            budget.budget_id,
            after.allocated_minor,
            after.reserved_minor,
            after.spent_minor,
        )
        return replace(budget, balance=after, version=budget.version + 1)

    async def has_movements(self, budget_id: UUID) -> bool:
        """Whether anything was ever held or spent, so that the currency stands."""
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM ledger_entries WHERE budget_id = $1 AND kind <> 'allocate' LIMIT 1",
                budget_id,
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

    async def first_time(self, cause: str, now: datetime) -> bool:
        """Note a save that came as a message; false when it was noted before."""
        noted = await self._connection.fetchval(
            "INSERT INTO saves (cause, saved_at) VALUES ($1, $2)"
            " ON CONFLICT (cause) DO NOTHING RETURNING 1",
            cause,
            now,
        )
        return bool(noted)


def _plain(price: Decimal) -> Decimal:
    """Return a price without trailing zeros and without an exponent, as people typed it."""
    return Decimal(f"{price.normalize():f}")
