"""Tasks: how they move, who may move them, and what is wrong with one that was typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from services.budget.domain.costs import Tariff
from services.budget.domain.expenses import Stage
from services.budget.domain.ledger import EntryKind
from topics.expenses import CommitmentLevel, EntryStatus
from topics.tasks import TaskStatus

ALLOWED: Final[dict[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStatus.SCHEDULED: frozenset({TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED}),
    TaskStatus.IN_PROGRESS: frozenset({TaskStatus.FINISHED, TaskStatus.CANCELLED}),
    # A finished task can be done again, a cancelled one be scheduled again.
    TaskStatus.FINISHED: frozenset({TaskStatus.IN_PROGRESS}),
    TaskStatus.CANCELLED: frozenset({TaskStatus.SCHEDULED}),
}
STAGES: Final = {
    TaskStatus.SCHEDULED: Stage.OPEN,
    TaskStatus.IN_PROGRESS: Stage.OPEN,
    TaskStatus.FINISHED: Stage.FINISHED,
    TaskStatus.CANCELLED: Stage.CANCELLED,
}
KINDS: Final = {
    CommitmentLevel.PLANNED: EntryKind.PLAN,
    CommitmentLevel.RESERVED: EntryKind.RESERVE,
    CommitmentLevel.COMMITTED: EntryKind.COMMIT,
}
"""Why a task that is not over moves an amount."""
OVER: Final = frozenset({TaskStatus.FINISHED, TaskStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Task:
    """A task; its tariff holds its cost lines at the prices of when it was saved."""

    task_id: UUID
    version: int
    label: str
    campaign_id: UUID | None
    program_id: UUID | None
    plan_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    in_charge_id: UUID | None
    status: TaskStatus
    budget_id: UUID | None
    entry: EntryStatus
    level: CommitmentLevel
    tariff: Tariff
    planned_days: Decimal
    done_days: Decimal | None = None


def refusal_to_move(task: Task, to: TaskStatus, actor_id: str) -> str | None:
    """Return why an operator may not move a task, or ``None``."""
    if to not in ALLOWED[task.status]:
        words = task.status.replace("_", " ")
        return f"a task that is {words} cannot become {to.replace('_', ' ')}"
    if to is TaskStatus.FINISHED and actor_id != str(task.in_charge_id):
        return "only the person in charge finishes a task"
    return None


def is_late(task: Task, now: datetime) -> bool:
    """Whether a task's end has passed and it is not over."""
    return task.status not in OVER and task.ends_at < now
