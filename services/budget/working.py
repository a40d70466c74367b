"""Tasks at work: what one is charged with, how it moves, and those whose start has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from services.budget.books import Books
from services.budget.domain.costs import PricedLine, task_lines, total
from services.budget.domain.expenses import Expense, Stage, position
from services.budget.domain.ledger import EntryKind
from services.budget.domain.money import in_words
from services.budget.domain.tasks import KINDS, STAGES, Task
from services.budget.store.causes import cause_of
from services.budget.store.tasks import TaskStore
from shared.errors import Refused
from shared.timers import take_due
from shared.uow import Work
from topics.budget import Overrun
from topics.expenses import ExpenseKind, TypedCost
from topics.message import Actor, system_actor
from topics.tasks import TaskMoved, TaskStatus

START_TIMER: Final = "budget.task_start"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a task is to be charged with; nothing of it is written yet."""

    books: Books
    after: Expense
    lines: tuple[PricedLine, ...]
    kind: EntryKind

    async def write(self, store: TaskStore) -> Expense:
        """Write the task's expense and lines, and book what they move; the task is written."""
        await store.save_lines(self.after.object_id, self.lines)
        expense = await self.books.change(self.after, self.kind)
        await self.books.close()
        return expense


async def price_task(
    task: Task, books: Books, *, provisional: TypedCost | None, real: TypedCost | None
) -> Charge:
    """Return what a task is to be charged with.

    Raises:
        Refused: the task's level takes more than the budget has left, and may not.
    """
    stage, currency = STAGES[task.status], books.budget.currency
    finished = stage is Stage.FINISHED
    done = task_lines(task.tariff, task.done_days or Decimal(0), currency) if finished else ()
    if provisional is None and task.tariff.choices:
        planned = task_lines(task.tariff, task.planned_days, currency)
        provisional = TypedCost(amount_minor=total(planned))
    found = await books.expense(ExpenseKind.TASK, task.task_id)
    before = found or Expense(ExpenseKind.TASK, task.task_id, books.budget.budget_id)
    after = replace(
        before,
        label=task.label,
        campaign_id=task.campaign_id,
        program_id=task.program_id,
        plan_id=task.plan_id,
        status=task.entry,
        level=task.level,
        stage=stage,
        provisional=provisional,
        real=real,
        computed_minor=total(done) if finished else None,
    )
    _check_limit(before, after, books)
    return Charge(books, after, done, _kind(task, real))


def _kind(task: Task, real: TypedCost | None) -> EntryKind:
    stage = STAGES[task.status]
    if stage is Stage.OPEN:
        return KINDS[task.level]
    if stage is Stage.CANCELLED:
        return EntryKind.RELEASE
    return EntryKind.CORRECT if real else EntryKind.SPEND


def _check_limit(before: Expense, after: Expense, books: Books) -> None:
    """Check that a task which is not over takes no more than is left; what is spent is spent."""
    budget = books.budget
    more = position(after).taken_minor - before.booked.taken_minor
    may = after.stage is not Stage.OPEN or budget.policy.overrun is Overrun.WARN
    if may or more <= 0 or more <= books.balance.left_minor:
        return
    left = in_words(books.balance.left_minor, budget.currency)
    reason = (
        f"the task takes {in_words(more, budget.currency)} more, but the budget"
        f" “{budget.label}” has {left} left; raise the budget or only plan the task"
    )
    raise Refused(reason, field="level")


async def move_task(
    task: Task, to: TaskStatus, done_days: Decimal | None, actor: Actor, work: Work
) -> None:
    """Move a task, its row locked, book what that means and say it.

    Raises:
        Refused: what it takes up again is more than its budget has left.
    """
    store = TaskStore(work.connection)
    done: Decimal | None = None
    if to is TaskStatus.FINISHED:
        done = task.planned_days if done_days is None else done_days
    moved = replace(task, status=to, done_days=done, version=task.version + 1)
    charge = await _charge_of(moved, work)
    await store.save(moved)
    expense = await charge.write(store) if charge else None
    currency = charge.books.budget.currency if charge else None
    work.emit(
        TaskMoved(
            task_id=task.task_id,
            label=task.label,
            campaign_id=task.campaign_id,
            program_id=task.program_id,
            before=task.status,
            after=to,
            in_charge_id=task.in_charge_id,
            calculated_minor=expense.calculated_minor if expense else None,
            currency=currency,
            actor=actor,
        )
    )


async def _charge_of(task: Task, work: Work) -> Charge | None:
    if task.budget_id is None:
        return None
    books = await Books.open(work, task.budget_id, f"{cause_of(work)} {task.task_id}")
    if books is None:
        return None
    before = await books.expense(ExpenseKind.TASK, task.task_id)
    typed = before.provisional if before else None
    real = before.real if before and task.status is TaskStatus.FINISHED else None
    return await price_task(task, books, provisional=typed, real=real)


async def start_due_tasks(work: Work) -> int:
    """Start a task whose time has come; return how many timers went off.

    One a transaction: a second one's row would be locked while a budget's is.
    """
    timers = await take_due(work, START_TIMER, limit=1)
    for timer in timers:
        task = await TaskStore(work.connection).lock(UUID(timer.key))
        if task is not None and task.status is TaskStatus.SCHEDULED:
            await move_task(task, TaskStatus.IN_PROGRESS, None, system_actor("budget"), work)
    return len(timers)
