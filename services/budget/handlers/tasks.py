"""Tasks as people save and move them, and the costs that come of it."""

from __future__ import annotations

from uuid import UUID

from services.budget.books import Books
from services.budget.domain.costs import Tariff
from services.budget.domain.expenses import Expense
from services.budget.domain.structures import choice_problem
from services.budget.domain.tasks import OVER, Task, refusal_to_move
from services.budget.handlers.expenses import check_parts
from services.budget.holding import UNKNOWN
from services.budget.store.budgets import BudgetStore
from services.budget.store.causes import cause_of, first_time, handled_before
from services.budget.store.expenses import ExpenseStore
from services.budget.store.tariffs import TariffStore
from services.budget.store.tasks import TaskStore
from services.budget.working import START_TIMER, Charge, move_task, price_task
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.timers import set_timer
from shared.uow import Work
from topics.expenses import CommitmentLevel, ExpenseKind
from topics.message import Actor
from topics.tasks import MoveTask, SaveTask, TaskMoved, TaskRefused, TaskSaved, TaskStatus

registry = Registry()


def _refused(command: SaveTask | MoveTask, refusal: Refused) -> TaskRefused:
    return TaskRefused(
        task_id=command.task_id,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(SaveTask, refusal=_refused)
async def save_task(command: SaveTask, work: Work) -> None:
    """Save a task and book what it moves; an old message again changes nothing."""
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    store = TaskStore(work.connection)
    before = await store.lock(command.task_id)
    if before is not None and await handled_before(work):
        work.emit(await _saved(before, command, work))
        return
    _check_typed(command, before)
    task = await _task(command, before, work)
    if task.level is CommitmentLevel.COMMITTED:
        await _check_commitment(command, before, task, work)
    charge = await _charge(task, command, work)
    await first_time(work)
    await store.save(task)
    if task.status is TaskStatus.SCHEDULED:
        await set_timer(work, START_TIMER, str(task.task_id), task.starts_at)
    if charge is not None:
        await charge.write(store)
    work.emit(await _saved(task, command, work))


async def _charge(task: Task, command: SaveTask, work: Work) -> Charge | None:
    if task.budget_id is None:
        return None
    books = await Books.open(work, task.budget_id, cause_of(work))
    if books is None:
        raise Refused(UNKNOWN, field="budget_id")
    return await price_task(task, books, provisional=command.provisional, real=command.real)


def _check_typed(command: SaveTask, before: Task | None) -> None:
    if command.campaign_id is None and command.program_id is None:
        raise Refused("a task belongs to a campaign or a program", field="campaign_id")
    if command.ends_at < command.starts_at:
        raise Refused("the task ends before it starts", field="ends_at")
    if command.budget_id is None and (command.choices or command.provisional or command.real):
        raise Refused("choose the budget that the task is charged to", field="budget_id")
    if before and before.budget_id and before.budget_id != command.budget_id:
        reason = "a task stays with its budget; cancel it and save another one"
        raise Refused(reason, field="budget_id")
    if command.real is not None and (before is None or before.status not in OVER):
        raise Refused("a real cost is typed once the task is finished", field="real")
    for name in ("provisional", "real"):
        check_parts(getattr(command, name), name)


async def _task(command: SaveTask, before: Task | None, work: Work) -> Task:
    in_charge = command.in_charge_id or (before.in_charge_id if before else None)
    return Task(
        task_id=command.task_id,
        version=before.version + 1 if before else 1,
        label=command.label,
        campaign_id=command.campaign_id,
        program_id=command.program_id,
        plan_id=command.plan_id,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        in_charge_id=in_charge or _person(command.actor),
        status=before.status if before else TaskStatus.SCHEDULED,
        budget_id=command.budget_id,
        entry=command.entry,
        level=command.level,
        tariff=await _tariff(command, work),
        planned_days=command.planned_days,
        done_days=before.done_days if before else None,
    )


def _person(actor: Actor) -> UUID | None:
    return None if actor.is_system else UUID(actor.id)


async def _tariff(command: SaveTask, work: Work) -> Tariff:
    """Return what prices a task: of its budget's structures those that it chose.

    Raises:
        Refused: it chose what does not price tasks.
    """
    if command.budget_id is None:
        return Tariff(())
    budget = await TariffStore(work.connection).of_budget(command.budget_id)
    problem = choice_problem(
        Tariff(budget.structures, budget.categories, command.choices), task=True
    )
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    chosen = {one.structure_id for one in command.choices}
    structures = tuple(one for one in budget.structures if one.structure_id in chosen)
    return Tariff(structures, choices=command.choices)


async def _check_commitment(command: SaveTask, before: Task | None, task: Task, work: Work) -> None:
    """Check that who commits a task's money may, where its budget needs an approval.

    Raises:
        Refused: the actor may not approve, or approves work of their own.
    """
    if before is not None and before.level is CommitmentLevel.COMMITTED:
        return
    budget = await BudgetStore(work.connection).find(task.budget_id) if task.budget_id else None
    if budget is None or not budget.policy.needs_approval:
        return
    await require(work, command.actor, Right.APPROVE)
    if command.actor.id == str(task.in_charge_id):
        reason = "whoever is in charge may not approve the money; ask another reviewer"
        raise Refused(reason, field="level", code="self_approval")


async def _saved(task: Task, command: SaveTask, work: Work) -> TaskSaved:
    expense, currency = await _cost(task, work)
    return TaskSaved(
        task_id=task.task_id,
        label=task.label,
        campaign_id=task.campaign_id,
        program_id=task.program_id,
        status=task.status,
        starts_at=task.starts_at,
        ends_at=task.ends_at,
        in_charge_id=task.in_charge_id,
        budget_id=task.budget_id,
        calculated_minor=expense.calculated_minor if expense else None,
        currency=currency,
        actor=command.actor,
    )


async def _cost(task: Task, work: Work) -> tuple[Expense | None, str | None]:
    budget = await BudgetStore(work.connection).find(task.budget_id) if task.budget_id else None
    if budget is None:
        return None, None
    store = ExpenseStore(work.connection)
    return await store.find(ExpenseKind.TASK, task.task_id, budget.budget_id), budget.currency


@registry.on(MoveTask, refusal=_refused)
async def move(command: MoveTask, work: Work) -> None:
    """Move a task on; an old message again changes nothing."""
    task = await TaskStore(work.connection).lock(command.task_id)
    in_charge = task is not None and command.actor.id == str(task.in_charge_id)
    await require(work, command.actor, Right.READ if in_charge else Right.MANAGE_BUDGETS)
    if task is None:
        raise Refused("there is no such task", field="task_id")
    refusal = refusal_to_move(task, command.to, command.actor.id)
    again = task.status is command.to or await handled_before(work)
    if refusal is not None and not again:
        raise Refused(refusal, field="to")
    if not again:
        await move_task(task, command.to, command.done_days, command.actor, work)
        await first_time(work)
        return
    expense, currency = await _cost(task, work)
    work.emit(
        TaskMoved(
            task_id=task.task_id,
            label=task.label,
            campaign_id=task.campaign_id,
            program_id=task.program_id,
            before=task.status,
            after=task.status,
            in_charge_id=task.in_charge_id,
            calculated_minor=expense.calculated_minor if expense else None,
            currency=currency,
            actor=command.actor,
        )
    )
