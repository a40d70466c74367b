"""Tasks against a real database: saved, started on their day, finished, charged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import ROOM, check_invariants, compute, only, saved
from topics.budget import CostChoice, CostStructure, Formula
from topics.expenses import (
    CommitmentLevel,
    EntryStatus,
    ExpenseKind,
    SaveExpense,
    TypedCost,
)
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.tasks import MoveTask, SaveTask, TaskMoved, TaskRefused, TaskSaved, TaskStatus

ADA, BOB = uuid4(), uuid4()
NOW = datetime.now(UTC)
WORK_DAY = CostStructure(
    structure_id=uuid4(),
    category="people",
    label="Trainer",
    formula=Formula.DAILY,
    unit_price=Decimal(300),
)
LEVELS = ("planned", "reserved", "committed", "spent", "invoiced")


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    runtime = await open_service(SERVICE)
    for operator_id in (ADA, BOB):
        await runtime.execute(
            OperatorState(
                operator_id=operator_id,
                version=1,
                name="Operator",
                roles=(Role.MANAGER, Role.REVIEWER) if operator_id == BOB else (Role.MANAGER,),
            )
        )
    return runtime


def actor(operator_id: UUID) -> Actor:
    return Actor(id=str(operator_id), via=Via.WEB)


def a_task(budget_id: object, **changes: object) -> SaveTask:
    fields: dict[str, object] = {
        "task_id": uuid4(),
        "label": "Train the team",
        "campaign_id": uuid4(),
        "starts_at": NOW - timedelta(hours=1),
        "ends_at": NOW + timedelta(days=5),
        "budget_id": budget_id,
        "entry": EntryStatus.SPECIFIED,
        "actor": Actor(id="system:budget", via=Via.SYSTEM),
    }
    return SaveTask.model_validate(fields | changes)


def a_priced_task(budget_id: UUID, **changes: object) -> SaveTask:
    choices = (CostChoice(structure_id=WORK_DAY.structure_id),)
    fields = {"choices": choices, "planned_days": Decimal(5), "actor": actor(ADA)}
    return a_task(budget_id, **(fields | changes))


def a_move(task: SaveTask, to: TaskStatus, *, by: UUID = ADA, days: str | None = None) -> MoveTask:
    done = Decimal(days) if days else None
    return MoveTask(task_id=task.task_id, to=to, done_days=done, actor=actor(by))


async def levels(runtime: Runtime, budget_id: UUID) -> dict[str, int]:
    row = await runtime.pool.fetchrow("SELECT * FROM budgets WHERE budget_id = $1", budget_id)
    assert row is not None
    return {level: row[f"{level}_minor"] for level in LEVELS if row[f"{level}_minor"]}


async def test_a_task_is_planned_at_its_days_and_spent_at_the_days_done(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(ROOM, WORK_DAY), allocated_minor=1_000_000)
    task = a_priced_task(budget_id)
    assert only(TaskSaved, await budget.execute(task)).calculated_minor == 150_000
    assert await levels(budget, budget_id) == {"planned": 150_000}
    started = [one for one in await compute(budget) if isinstance(one, TaskMoved)]
    assert [(one.before, one.after) for one in started] == [
        (TaskStatus.SCHEDULED, TaskStatus.IN_PROGRESS)
    ]
    done = await budget.execute(a_move(task, TaskStatus.FINISHED, days="4.5"))
    assert only(TaskMoved, done).calculated_minor == 135_000
    assert await levels(budget, budget_id) == {"spent": 135_000}
    await check_invariants(budget)


async def test_the_prices_of_a_task_stay_those_it_was_saved_with(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    task = a_priced_task(budget_id)
    await budget.execute(task)
    dearer = WORK_DAY.model_copy(update={"unit_price": Decimal(900)})
    await saved(budget, budget_id=budget_id, structures=(dearer,), allocated_minor=1_000_000)
    await compute(budget)
    moved = await budget.execute(a_move(task, TaskStatus.FINISHED))
    assert only(TaskMoved, moved).calculated_minor == 150_000


@pytest.mark.parametrize(
    ("entry", "level", "expected"),
    [
        (EntryStatus.EDITING, CommitmentLevel.COMMITTED, {}),
        (EntryStatus.SPECIFIED, CommitmentLevel.RESERVED, {"reserved": 150_000}),
        (EntryStatus.SPECIFIED, CommitmentLevel.COMMITTED, {"committed": 150_000}),
    ],
)
async def test_a_task_stands_on_its_level_once_it_is_specified(
    budget: Runtime, entry: EntryStatus, level: CommitmentLevel, expected: dict[str, int]
) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    await budget.execute(a_priced_task(budget_id, entry=entry, level=level))
    assert await levels(budget, budget_id) == expected
    await check_invariants(budget)


async def test_a_task_that_takes_more_than_is_left_is_refused_and_nothing_is_kept(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=149_999)
    task = a_priced_task(budget_id, level=CommitmentLevel.RESERVED)
    refused = only(TaskRefused, await budget.execute(task))
    assert refused.field == "level"
    assert "1,499.99 EUR left" in refused.reason
    assert await budget.pool.fetchval("SELECT count(*) FROM tasks") == 0
    assert await levels(budget, budget_id) == {}
    planned = task.model_copy(update={"level": CommitmentLevel.PLANNED})
    only(TaskSaved, await budget.execute(planned))


async def test_the_money_of_a_task_is_committed_by_another_person_where_approval_is_needed(
    budget: Runtime,
) -> None:
    budget_id = await saved(
        budget, structures=(WORK_DAY,), allocated_minor=1_000_000, needs_approval=True
    )
    task = a_priced_task(budget_id, level=CommitmentLevel.COMMITTED)
    assert "may not approve" in only(TaskRefused, await budget.execute(task)).reason
    own = task.model_copy(update={"actor": actor(BOB), "in_charge_id": BOB})
    assert "in charge" in only(TaskRefused, await budget.execute(own)).reason
    only(TaskSaved, await budget.execute(own.model_copy(update={"in_charge_id": ADA})))
    assert await levels(budget, budget_id) == {"committed": 150_000}


async def test_only_the_person_in_charge_finishes_a_task_and_it_can_be_taken_up_again(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    task = a_priced_task(budget_id)
    await budget.execute(task)
    await compute(budget)
    other = only(TaskRefused, await budget.execute(a_move(task, TaskStatus.FINISHED, by=BOB)))
    assert "in charge" in other.reason
    finish = a_move(task, TaskStatus.FINISHED)
    first = only(TaskMoved, await budget.execute(finish))
    again = only(TaskMoved, await budget.execute(finish))
    assert (first.after, again.before, again.after) == (TaskStatus.FINISHED,) * 3
    await budget.execute(a_move(task, TaskStatus.IN_PROGRESS))
    assert await levels(budget, budget_id) == {"planned": 150_000}
    await budget.execute(a_move(task, TaskStatus.CANCELLED))
    assert await levels(budget, budget_id) == {}
    await check_invariants(budget)


async def test_a_real_cost_of_a_task_is_typed_once_it_is_finished(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    task = a_priced_task(budget_id)
    real = task.model_copy(update={"real": TypedCost(amount_minor=140_000)})
    assert only(TaskRefused, await budget.execute(real)).field == "real"
    await budget.execute(task)
    await compute(budget)
    await budget.execute(a_move(task, TaskStatus.FINISHED))
    assert only(TaskSaved, await budget.execute(real)).calculated_minor == 140_000
    assert await levels(budget, budget_id) == {"spent": 140_000}
    await check_invariants(budget)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"campaign_id": None}, "campaign_id"),
        ({"ends_at": NOW - timedelta(days=2)}, "ends_at"),
        ({"budget_id": None, "provisional": TypedCost(amount_minor=5)}, "budget_id"),
        ({"budget_id": uuid4()}, "budget_id"),
        ({"choices": (CostChoice(structure_id=uuid4()),)}, "choices.0.structure_id"),
    ],
)
async def test_what_is_wrong_with_a_task_is_refused_by_its_field(
    budget: Runtime, changes: dict[str, object], field: str
) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,))
    task = a_task(**({"budget_id": budget_id} | changes))
    refused: list[Message] = await budget.execute(task)
    assert only(TaskRefused, refused).field == field


async def test_a_task_without_a_budget_costs_nothing_and_moves_all_the_same(
    budget: Runtime,
) -> None:
    task = a_task(None, actor=actor(ADA))
    assert only(TaskSaved, await budget.execute(task)).calculated_minor is None
    await compute(budget)
    only(TaskMoved, await budget.execute(a_move(task, TaskStatus.FINISHED)))


async def test_a_task_that_changes_its_campaign_takes_its_cost_along(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(WORK_DAY,), allocated_minor=1_000_000)
    first, second = uuid4(), uuid4()
    for campaign_id in (first, second):
        await budget.execute(
            SaveExpense(
                kind=ExpenseKind.CAMPAIGN,
                object_id=campaign_id,
                budget_id=budget_id,
                status=EntryStatus.SPECIFIED,
                provisional=TypedCost(amount_minor=200_000),
                actor=actor(ADA),
            )
        )
    task = a_priced_task(budget_id, campaign_id=first, level=CommitmentLevel.RESERVED)
    for campaign_id in (first, second):
        await budget.execute(task.model_copy(update={"campaign_id": campaign_id}))
        assert await levels(budget, budget_id) == {"planned": 250_000, "reserved": 150_000}
    await check_invariants(budget)
