"""What the steps of a hold share: where it belongs, its answers, its money given back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.budget.books import Books
from services.budget.domain.costs import MAX_VOLUME, Tariff
from services.budget.domain.expenses import Expense, Stage
from services.budget.domain.holds import Decision
from services.budget.domain.ledger import EntryKind
from services.budget.store.budgets import Budget, BudgetStore
from services.budget.store.holds import HoldRow
from shared.errors import Permanent
from shared.uow import Work
from topics.budget import EstimateCost, FundsReserved, ReserveFunds
from topics.funds import FundsAwaitApproval

UNKNOWN: Final = "this budget is not known; choose one that was saved"
IMPLAUSIBLE: Final = (
    f"a volume is over {MAX_VOLUME:,}, which no audience is; count the target again"
)


def placed(expense: Expense, command: EstimateCost | ReserveFunds) -> Expense:
    """Return an expense in the program and plan that a command names, if it does."""
    return replace(
        expense,
        program_id=command.program_id or expense.program_id,
        plan_id=command.plan_id or expense.plan_id,
    )


def unchosen(tariff: Tariff, command: EstimateCost | ReserveFunds) -> str:
    """Return why a campaign cannot be priced yet, or nothing."""
    category = tariff.unchosen(command.volumes)
    return f"choose a cost type of “{category}” for this campaign" if category else ""


def reserved(row: HoldRow, budget: Budget) -> FundsReserved:
    """Return the answer that a hold stands."""
    return FundsReserved(
        campaign_id=row.campaign_id,
        hold_id=row.hold_id,
        budget_id=budget.budget_id,
        amount_minor=row.hold.amount_minor,
        left_minor=budget.balance.left_minor,
        currency=budget.currency,
        over_minor=row.over_minor,
        decided_by=row.decided_by,
    )


async def awaiting(row: HoldRow, work: Work) -> FundsAwaitApproval:
    """Return what is said of a hold that waits for its approval.

    Raises:
        Permanent: the hold has no budget, so that it cannot wait.
    """
    budget = await BudgetStore(work.connection).find(row.budget_id) if row.budget_id else None
    if budget is None:
        raise Permanent(UNKNOWN)
    return FundsAwaitApproval(
        campaign_id=row.campaign_id,
        campaign_number=row.campaign_number or 0,
        campaign_label=row.campaign_label or "",
        hold_id=row.hold_id,
        budget_id=budget.budget_id,
        budget_label=budget.label,
        amount_minor=row.hold.amount_minor,
        left_minor=budget.balance.left_minor,
        over_minor=row.over_minor,
        currency=budget.currency,
        requested_by=row.requested_by,
    )


async def give_back(books: Books, row: HoldRow, decision: Decision) -> None:
    """Book what a hold gives back, off its delivery's expense too."""
    books.add(decision.entries)
    expense = await books.delivery(row.campaign_id)
    held = expense.held_minor - decision.released_minor
    untouched = not held and expense.computed_minor is None and expense.estimated_minor is None
    stage = Stage.OPEN if untouched else expense.stage
    await books.change(replace(expense, held_minor=held, stage=stage), EntryKind.RELEASE)
