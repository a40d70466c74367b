"""Tasks: how they move, and who may move them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest

from services.budget.domain.costs import Tariff
from services.budget.domain.tasks import Task, is_late, refusal_to_move
from topics.expenses import CommitmentLevel, EntryStatus
from topics.tasks import TaskStatus

NOW = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2)
TASK = Task(
    task_id=UUID(int=3),
    version=1,
    label="Book the room",
    campaign_id=UUID(int=4),
    program_id=None,
    plan_id=None,
    starts_at=NOW,
    ends_at=NOW + timedelta(days=5),
    in_charge_id=ADA,
    status=TaskStatus.SCHEDULED,
    budget_id=None,
    entry=EntryStatus.SPECIFIED,
    level=CommitmentLevel.PLANNED,
    tariff=Tariff(()),
    planned_days=Decimal(5),
)
MOVES = {
    (TaskStatus.SCHEDULED, TaskStatus.IN_PROGRESS),
    (TaskStatus.SCHEDULED, TaskStatus.CANCELLED),
    (TaskStatus.IN_PROGRESS, TaskStatus.FINISHED),
    (TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED),
    (TaskStatus.FINISHED, TaskStatus.IN_PROGRESS),
    (TaskStatus.CANCELLED, TaskStatus.SCHEDULED),
}


@pytest.mark.parametrize(("before", "after"), list(product(TaskStatus, TaskStatus)))
def test_a_task_moves_as_the_table_says(before: TaskStatus, after: TaskStatus) -> None:
    refusal = refusal_to_move(replace(TASK, status=before), after, str(ADA))
    assert (refusal is None) is ((before, after) in MOVES)


def test_only_the_person_in_charge_finishes_a_task() -> None:
    running = replace(TASK, status=TaskStatus.IN_PROGRESS)
    assert refusal_to_move(running, TaskStatus.FINISHED, str(ADA)) is None
    assert "in charge" in (refusal_to_move(running, TaskStatus.FINISHED, str(BOB)) or "")
    assert refusal_to_move(running, TaskStatus.CANCELLED, str(BOB)) is None


@pytest.mark.parametrize(
    ("status", "days", "late"),
    [
        (TaskStatus.SCHEDULED, 4, False),
        (TaskStatus.IN_PROGRESS, 5, False),
        (TaskStatus.IN_PROGRESS, 6, True),
        (TaskStatus.FINISHED, 6, False),
        (TaskStatus.CANCELLED, 6, False),
    ],
)
def test_a_task_is_late_when_its_end_has_passed_and_it_is_not_over(
    status: TaskStatus, days: int, late: bool
) -> None:
    assert is_late(replace(TASK, status=status), NOW + timedelta(days=days)) is late
