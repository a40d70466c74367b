"""A budget open for booking: one lock, one cause, every movement a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from uuid import UUID

from services.budget.domain.expenses import Expense, position
from services.budget.domain.ledger import Account, Balance, Entry, EntryKind
from services.budget.store.budgets import Budget, BudgetStore
from services.budget.store.expenses import ExpenseStore
from services.budget.store.recalculations import RANKS, RecalculationStore, Rolled
from shared.uow import Work
from shared.workflows import wake
from topics.expenses import ExpenseKind

WORKFLOW: Final = "budgetMgt"


class Books:
    """A budget whose row is locked, and what one cause books on it.

    Attributes:
        budget: as it was when it was opened.
    """

    def __init__(self, work: Work, budget: Budget, cause: str) -> None:
        self.budget = budget
        self._work = work
        self._cause = cause
        self._expenses = ExpenseStore(work.connection)
        self._sums: defaultdict[tuple[EntryKind, Account], int] = defaultdict(int)
        self._touched: set[Rolled] = set()

    @classmethod
    async def open(cls, work: Work, budget_id: UUID, cause: str) -> Books | None:
        """Lock a budget for the movements of a cause; ``None`` when there is none."""
        budget = await BudgetStore(work.connection).lock(budget_id)
        return cls(work, budget, cause) if budget else None

    @property
    def balance(self) -> Balance:
        """The balance with what was booked until now."""
        return self.budget.balance.after(self._entries())

    def add(self, entries: Iterable[Entry]) -> None:
        """Book entries; those of a kind on an account are one."""
        for entry in entries:
            self._sums[entry.kind, entry.account] += entry.amount_minor

    async def expense(self, kind: ExpenseKind, object_id: UUID) -> Expense | None:
        """Return what something costs on this budget."""
        return await self._expenses.find(kind, object_id, self.budget.budget_id)

    async def delivery(self, campaign_id: UUID) -> Expense:
        """Return the expense of a campaign's delivery, a new one when it has none."""
        found = await self.expense(ExpenseKind.DELIVERY, campaign_id)
        return found or Expense(
            ExpenseKind.DELIVERY, campaign_id, self.budget.budget_id, campaign_id=campaign_id
        )

    async def change(self, expense: Expense, kind: EntryKind) -> Expense:
        """Write an expense and book what its position moves; its campaign's envelope gives way.

        So does that of the campaign that it leaves.
        """
        before = await self.expense(expense.kind, expense.object_id) or expense
        changed = await self._place(expense, kind)
        campaigns = {one.campaign_id for one in (before, expense) if one.campaign_id}
        for campaign_id in sorted(campaigns):
            own = await self.expense(ExpenseKind.CAMPAIGN, campaign_id)
            if own is not None and expense.kind is not ExpenseKind.CAMPAIGN:
                await self._place(own, kind)
        self.touch(before)
        self.touch(expense)
        return changed

    def touch(self, expense: Expense) -> None:
        """Have what an expense is part of rolled up anew."""
        self._touched |= set(_rolled(expense))

    async def _place(self, expense: Expense, kind: EntryKind) -> Expense:
        parts = 0
        if expense.kind is ExpenseKind.CAMPAIGN:
            parts = await self._expenses.parts_minor(expense.object_id, self.budget.budget_id)
        booked = position(expense, parts)
        self.add(expense.booked.to(booked, kind))
        placed = replace(expense, booked=booked)
        await self._expenses.save(placed, self._work.now)
        return placed

    async def close(self, *, calculated: bool = False) -> Budget:
        """Write the movements, publish the balance when it moved, and have roll-ups made anew.

        With ``calculated`` the budget is stamped with the time its costs were calculated.
        """
        queue = RecalculationStore(self._work.connection)
        for rolled in sorted(self._touched, key=lambda one: (RANKS[one.kind], one.object_id)):
            await queue.ask(rolled, self._work.now)
        if self._touched:
            await wake(self._work, WORKFLOW)
        store, entries = BudgetStore(self._work.connection), self._entries()
        budget = await store.book(self.budget, self._cause, entries, self._work.now)
        if calculated:
            budget = await store.calculated(budget, self._work.now)
        if entries or calculated:
            self._work.emit(budget.state)
        return budget

    def _entries(self) -> tuple[Entry, ...]:
        return tuple(
            Entry(kind, account, amount) for (kind, account), amount in self._sums.items() if amount
        )


def _rolled(expense: Expense) -> Iterable[Rolled]:
    """Yield what a change of an expense has rolled up: what it belongs to, or itself."""
    if expense.campaign_id is not None:
        yield Rolled(ExpenseKind.CAMPAIGN, expense.campaign_id)
    elif expense.program_id is not None and expense.kind is not ExpenseKind.PROGRAM:
        yield Rolled(ExpenseKind.PROGRAM, expense.program_id)
    elif expense.plan_id is not None and expense.kind is ExpenseKind.TASK:
        yield Rolled(ExpenseKind.PLAN, expense.plan_id)
    elif expense.kind in {ExpenseKind.PROGRAM, ExpenseKind.PLAN}:
        yield Rolled(expense.kind, expense.object_id)
