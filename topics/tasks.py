"""Messages of tasks: work of people that belongs to a campaign or a program, and what it costs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from topics.budget import CostChoice
from topics.expenses import CommitmentLevel, EntryStatus, TypedCost
from topics.message import Actor, Command, Event
from topics.names import BUDGET_COMMANDS, BUDGET_EVENTS

Days = Annotated[Decimal, Field(ge=0, le=10_000, decimal_places=2)]


class TaskStatus(StrEnum):
    """How a task stands (source: Adobe Campaign Classic, "Creating and managing tasks")."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class SaveTask(Command, topic=BUDGET_COMMANDS, key="task_id"):
    """Save a task; it belongs to a campaign or a program.

    ``choices`` are its cost lines: fixed and daily structures of its budget, at the prices of now.
    While it is not finished it costs ``provisional``, or without one its lines over the planned
    days. ``in_charge_id`` is an operator, by default who saves it first.
    Source: web, bot, cli. Answers: ``TaskSaved`` or ``TaskRefused``.
    """

    task_id: UUID
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
    actor: Actor


class MoveTask(Command, topic=BUDGET_COMMANDS, key="task_id"):
    """Start, finish, cancel a task, or take it up again; the person in charge alone finishes it.

    ``done_days`` is asked for when a task is finished; without, the planned days were done.
    budgetMgt starts what is scheduled by itself on its start. Answers: ``TaskMoved``,
    ``TaskRefused``.
    """

    task_id: UUID
    to: TaskStatus
    done_days: Days | None = None
    actor: Actor


class TaskSaved(Event, topic=BUDGET_EVENTS, key="task_id"):
    """A task was saved; ``calculated_minor`` is what it costs as far as that counts."""

    task_id: UUID
    label: str
    campaign_id: UUID | None
    program_id: UUID | None
    status: TaskStatus
    starts_at: datetime
    ends_at: datetime
    in_charge_id: UUID | None
    budget_id: UUID | None
    calculated_minor: int | None
    currency: str | None
    actor: Actor


class TaskMoved(Event, topic=BUDGET_EVENTS, key="task_id"):
    """A task went from one status to another."""

    task_id: UUID
    label: str
    campaign_id: UUID | None
    program_id: UUID | None
    before: TaskStatus
    after: TaskStatus
    in_charge_id: UUID | None
    calculated_minor: int | None
    currency: str | None
    actor: Actor


class TaskRefused(Event, topic=BUDGET_EVENTS, key="task_id"):
    """A task could not be saved or moved; ``command`` is the command's class name."""

    task_id: UUID
    command: str
    reason: str
    field: str | None = None
    actor: Actor
