"""Costs typed by hand: provisional ones, and real ones once they are known."""

from __future__ import annotations

from dataclasses import replace

from services.budget.books import Books
from services.budget.domain.expenses import Expense, Stage
from services.budget.domain.ledger import EntryKind
from services.budget.holding import UNKNOWN
from services.budget.store.causes import cause_of, first_time
from services.budget.store.recalculations import CampaignStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.expenses import ExpenseKind, ExpenseRefused, ExpenseSaved, SaveExpense, TypedCost

registry = Registry()


def _not_saved(command: SaveExpense, refusal: Refused) -> ExpenseRefused:
    return ExpenseRefused(
        kind=command.kind,
        object_id=command.object_id,
        budget_id=command.budget_id,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SaveExpense, refusal=_not_saved)
async def save_expense(command: SaveExpense, work: Work) -> None:
    """Keep what was typed and book what it moves; an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    for name in ("provisional", "real"):
        check_parts(getattr(command, name), name)
    if command.kind is ExpenseKind.TASK:
        raise Refused("a task is saved with its costs: use SaveTask", field="kind")
    books = await Books.open(work, command.budget_id, cause_of(work))
    if books is None:
        raise Refused(UNKNOWN, field="budget_id")
    before = await books.expense(command.kind, command.object_id)
    expense = await _typed(command, before, work)
    if await first_time(work):
        kind = EntryKind.CORRECT if command.real else EntryKind.PLAN
        expense = await books.change(expense, kind)
        await books.close()
    work.emit(
        ExpenseSaved(
            kind=command.kind,
            object_id=command.object_id,
            budget_id=command.budget_id,
            status=expense.status,
            calculated_minor=expense.calculated_minor,
            currency=books.budget.currency,
            actor=command.actor,
        )
    )


def check_parts(cost: TypedCost | None, name: str) -> None:
    """Check that a cost's parts, where it has any, sum to it.

    Raises:
        Refused: they do not.
    """
    if cost is None or not cost.by_category:
        return
    parts = sum(cost.by_category.values())
    if parts != cost.amount_minor:
        reason = f"the categories sum to {parts}, the {name} cost is {cost.amount_minor}"
        raise Refused(reason, field=f"{name}.by_category")


async def _typed(command: SaveExpense, before: Expense | None, work: Work) -> Expense:
    of_campaign = command.kind in {ExpenseKind.CAMPAIGN, ExpenseKind.DELIVERY}
    expense = before or Expense(
        command.kind,
        command.object_id,
        command.budget_id,
        campaign_id=command.object_id if of_campaign else None,
    )
    finished = of_campaign and await CampaignStore(work.connection).is_finished(command.object_id)
    if of_campaign and command.real is not None and not finished:
        raise Refused("a real cost is typed once the campaign is finished", field="real")
    # A delivery that was analysed is finished by its cost lines.
    if finished and expense.stage is Stage.OPEN:
        expense = replace(expense, stage=Stage.FINISHED)
    return replace(
        expense,
        label=command.label or expense.label,
        status=command.status,
        provisional=command.provisional,
        real=command.real,
        program_id=command.program_id or expense.program_id,
        plan_id=command.plan_id or expense.plan_id,
    )
