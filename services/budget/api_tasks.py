"""Tasks over HTTP: list, look at, save, move."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.budget.pages_tasks import TaskDetail, TaskPage, task_detail, task_page
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.service import Runtime
from topics.budget import CostChoice
from topics.expenses import CommitmentLevel, EntryStatus, TypedCost
from topics.message import Actor
from topics.tasks import Days, MoveTask, SaveTask, TaskStatus

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=200)]


class TaskBody(BaseModel):
    """A task as it is typed; it belongs to a campaign or a program."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    campaign_id: UUID | None = None
    program_id: UUID | None = None
    plan_id: UUID | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    in_charge_id: UUID | None = None
    budget_id: UUID | None = None
    entry: EntryStatus = EntryStatus.EDITING
    level: CommitmentLevel = CommitmentLevel.PLANNED
    choices: tuple[CostChoice, ...] = Field(default=(), max_length=50)
    planned_days: Days = Decimal(0)
    provisional: TypedCost | None = None
    real: TypedCost | None = None


class NewTaskBody(TaskBody):
    """A new task; its id may be made by the caller, so that a second POST makes no second one."""

    task_id: UUID | None = None


class MoveBody(BaseModel):
    """Where a task goes; the days done are asked for when it is finished."""

    model_config = ConfigDict(extra="forbid")

    to: TaskStatus
    done_days: Days | None = None


@router.get("/tasks")
async def list_tasks(
    runtime: Here,
    campaign_id: UUID | None = None,
    program_id: UUID | None = None,
    in_charge_id: UUID | None = None,
    status: TaskStatus | None = None,
    after: UUID | None = None,
    limit: Limit = 100,
) -> TaskPage:
    """List tasks, oldest first; ``next`` goes into ``after`` for the following page."""
    async with runtime.pool.acquire() as connection:
        return await task_page(
            connection,
            campaign_id=campaign_id,
            program_id=program_id,
            in_charge_id=in_charge_id,
            status=status,
            after=after,
            limit=limit,
            now=runtime.clock.now(),
        )


@router.get("/tasks/{task_id}")
async def show_task(task_id: UUID, runtime: Here) -> TaskDetail:
    """Show a task with its cost lines."""
    return await _detail(runtime, task_id)


@router.post("/tasks", status_code=201)
async def create_task(body: NewTaskBody, actor: Caller, runtime: Here) -> TaskDetail:
    """Save a new task."""
    return await _save(runtime, actor, body.task_id or new_id(), body)


@router.put("/tasks/{task_id}")
async def save_task(task_id: UUID, body: TaskBody, actor: Caller, runtime: Here) -> TaskDetail:
    """Save a task under an id."""
    return await _save(runtime, actor, task_id, body)


@router.post("/tasks/{task_id}/moves")
async def move_task(task_id: UUID, body: MoveBody, actor: Caller, runtime: Here) -> TaskDetail:
    """Start, finish, cancel a task, or take it up again."""
    command = MoveTask(task_id=task_id, to=body.to, done_days=body.done_days, actor=actor)
    await carry_out(runtime, command)
    return await _detail(runtime, task_id)


async def _save(runtime: Runtime, actor: Actor, task_id: UUID, body: TaskBody) -> TaskDetail:
    fields = {name: getattr(body, name) for name in TaskBody.model_fields}
    await carry_out(runtime, SaveTask(task_id=task_id, actor=actor, **fields))
    return await _detail(runtime, task_id)


async def _detail(runtime: Runtime, task_id: UUID) -> TaskDetail:
    now: datetime = runtime.clock.now()
    async with runtime.pool.acquire() as connection:
        found = await task_detail(connection, task_id, now)
    if found is None:
        raise HTTPException(404, "there is no such task")
    return found
