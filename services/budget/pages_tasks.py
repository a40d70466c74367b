"""What the API shows of tasks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from services.budget.domain.tasks import Task, is_late
from services.budget.store.expenses import ExpenseStore
from services.budget.store.tasks import COLUMNS, TaskStore, task_of
from shared.database import Connection
from topics.budget import CostChoice
from topics.expenses import CommitmentLevel, EntryStatus, ExpenseKind, TypedCost
from topics.tasks import TaskStatus

_LIST: Final = f"""
SELECT {COLUMNS} FROM tasks
WHERE ($1::uuid IS NULL OR campaign_id = $1) AND ($2::uuid IS NULL OR program_id = $2)
  AND ($3::uuid IS NULL OR in_charge_id = $3) AND ($4::text IS NULL OR status = $4)
  AND ($5::uuid IS NULL OR task_id > $5)
ORDER BY task_id LIMIT $6
"""


class TaskRow(BaseModel):
    """A task in a list; ``late`` when its end has passed and it is not over."""

    task_id: UUID
    label: str
    campaign_id: UUID | None
    program_id: UUID | None
    plan_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    in_charge_id: UUID | None
    status: TaskStatus
    late: bool
    budget_id: UUID | None
    entry: EntryStatus
    level: CommitmentLevel
    planned_days: Decimal
    done_days: Decimal | None


class TaskPage(BaseModel):
    """Tasks, and the key of the next page when there may be one."""

    items: tuple[TaskRow, ...]
    next: UUID | None


class TaskLine(BaseModel):
    """One line of what a finished task cost; the surcharge is part of the amount."""

    category: str
    label: str
    quantity: Decimal
    amount_minor: int
    surcharge_minor: int


class TaskDetail(TaskRow):
    """A task with its costs, in minor units of its budget's currency."""

    choices: tuple[CostChoice, ...]
    provisional: TypedCost | None = None
    real: TypedCost | None = None
    calculated_minor: int | None = None
    lines: tuple[TaskLine, ...] = ()


async def task_page(
    connection: Connection,
    *,
    campaign_id: UUID | None,
    program_id: UUID | None,
    in_charge_id: UUID | None,
    status: TaskStatus | None,
    after: UUID | None,
    limit: int,
    now: datetime,
) -> TaskPage:
    """Return tasks after a key, of a campaign, program, person or status."""
    rows = await connection.fetch(
        _LIST,
        campaign_id,
        program_id,
        in_charge_id,
        status.value if status else None,
        after,
        limit,
    )
    items = tuple(TaskRow(**_fields(task_of(row), now)) for row in rows)
    return TaskPage(items=items, next=items[-1].task_id if len(items) == limit else None)


async def task_detail(connection: Connection, task_id: UUID, now: datetime) -> TaskDetail | None:
    """Return a task with its costs, or ``None`` when there is none."""
    task = await TaskStore(connection).find(task_id)
    if task is None:
        return None
    detail = TaskDetail(**_fields(task, now), choices=task.tariff.choices)
    if task.budget_id is None:
        return detail
    expense = await ExpenseStore(connection).find(ExpenseKind.TASK, task_id, task.budget_id)
    lines = await connection.fetch(
        "SELECT category, label, quantity, amount_minor, surcharge_minor FROM task_lines"
        " WHERE task_id = $1 ORDER BY position",
        task_id,
    )
    if expense is not None:
        detail.provisional, detail.real = expense.provisional, expense.real
        detail.calculated_minor = expense.calculated_minor
    detail.lines = tuple(TaskLine(**dict(row)) for row in lines)
    return detail


def _fields(task: Task, now: datetime) -> dict[str, object]:
    named = {name: getattr(task, name) for name in TaskRow.model_fields if name != "late"}
    return named | {"late": is_late(task, now)}
