"""Budgets as people save them, and the change of their allocation."""

from __future__ import annotations

from services.budget.domain.costs import Tariff
from services.budget.domain.ledger import MAX_ALLOCATION_MINOR, allocation, lowers_too_far
from services.budget.domain.money import in_words
from services.budget.domain.structures import problem_in
from services.budget.store.budgets import Budget, BudgetStore
from services.budget.store.causes import cause_of, first_time
from services.budget.store.tariffs import TariffStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.budget import BudgetRefused, SaveBudget

registry = Registry()


def _refuse_save(command: SaveBudget, refusal: Refused) -> BudgetRefused:
    return BudgetRefused(
        budget_id=command.budget_id,
        actor=command.actor,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveBudget, refusal=_refuse_save)
async def save_budget(command: SaveBudget, work: Work) -> None:
    """Save a budget and book the change of its allocation; an old message again changes nothing."""
    store = BudgetStore(work.connection)
    budget = await store.lock(command.budget_id)
    if not await first_time(work):
        if budget is not None:
            work.emit(budget.state)
        return
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    _check_typed(command)
    if command.main_budget_id is not None:
        await _check_main(store, command)
    if budget is not None:
        await _check_change(store, budget, command)
    await _save(store, command, work)


async def _save(store: BudgetStore, command: SaveBudget, work: Work) -> None:
    await store.create(command)
    budget = await store.save(command)
    await TariffStore(work.connection).save(command)
    entries = allocation(budget.balance, command.allocated_minor)
    work.emit((await store.book(budget, cause_of(work), entries, work.now)).state)


def _check_typed(command: SaveBudget) -> None:
    tariff = Tariff(command.structures, command.categories)
    problem = problem_in(tariff, command.allocated_minor)
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    if command.starts_on and command.ends_on and command.ends_on < command.starts_on:
        reason = f"the budget ends on {command.ends_on}, before it starts on {command.starts_on}"
        raise Refused(reason, field="ends_on")
    if command.allocated_minor > MAX_ALLOCATION_MINOR:
        most = in_words(MAX_ALLOCATION_MINOR, command.currency)
        raise Refused(f"a budget can hold {most} at most", field="allocated_minor")


async def _check_main(store: BudgetStore, command: SaveBudget) -> None:
    main = command.main_budget_id
    if main is None or await store.find(main) is None:
        raise Refused("the main budget is not known", field="main_budget_id")
    if await store.is_above(command.budget_id, main):
        reason = "a budget cannot belong to itself, nor to one that belongs to it"
        raise Refused(reason, field="main_budget_id")


async def _check_change(store: BudgetStore, budget: Budget, command: SaveBudget) -> None:
    if command.currency != budget.currency and await store.has_movements(budget.budget_id):
        reason = f"the currency stays {budget.currency}: amounts were held or spent in it"
        raise Refused(reason, field="currency")
    if lowers_too_far(budget.balance, command.allocated_minor):
        levels = budget.balance.levels
        held = in_words(levels.reserved_minor + levels.committed_minor, budget.currency)
        spent = in_words(levels.spent_minor + levels.invoiced_minor, budget.currency)
        reason = f"{held} are held and {spent} are spent: allocate at least their sum"
        raise Refused(reason, field="allocated_minor")
