"""Messages of technical workflows: control, state, runs, heartbeats."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State
from topics.names import HEARTBEATS, WORKFLOWS_COMMANDS, WORKFLOWS_EVENTS, WORKFLOWS_STATE


class WorkflowStatus(StrEnum):
    """How a technical workflow stands; only a started one does its work."""

    STARTED = "started"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


class Control(StrEnum):
    """What an operator can ask of a workflow."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RUN_NOW = "run_now"


class ControlWorkflow(Command, topic=WORKFLOWS_COMMANDS, key="name"):
    """Start, pause, resume, stop or run a workflow; its own service carries it out.

    Answers: ``WorkflowState`` or ``WorkflowRefused``.
    """

    name: str = Field(min_length=1, max_length=100)
    control: Control
    actor: Actor


class WorkflowRefused(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """A control was not carried out."""

    name: str
    control: Control
    reason: str
    code: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    actor: Actor


class WorkflowRunEnded(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """A run that had something to do ended; ``error`` is empty when it went well."""

    name: str
    run_id: UUID
    scheduled_for: datetime
    started_at: datetime
    ended_at: datetime
    rows_in: int
    rows_out: int
    error: str = ""


class Trouble(StrEnum):
    """What supervisors are told of."""

    FAILED = "failed"
    """A workflow failed as often as it may, and does nothing before a person starts it."""
    LATE = "late"
    """A service missed two heartbeats: none of its workflows may be working."""


class TroubleRaised(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """Something went wrong; told once, until it is well again.

    ``name`` is the workflow's that failed, or the service's that is late; ``names`` are the
    workflows that stand still with it. Readers: the bot.
    """

    name: str
    trouble: Trouble
    names: tuple[str, ...]
    since: datetime
    error: str = ""


class TroubleCleared(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """What was told of is well again."""

    name: str
    trouble: Trouble
    since: datetime


class WorkflowState(State, topic=WORKFLOWS_STATE, key="name"):
    """A workflow as the catalogue shows it."""

    name: str
    service: str
    label: str
    label_fr: str
    package: str
    schedule: str
    status: WorkflowStatus
    next_at: datetime | None = None
    last_run_at: datetime | None = None
    runs: int = 0
    error: str = ""


class WorkflowHeartbeat(Event, topic=HEARTBEATS, key="service"):
    """A service's workflow engine is alive; sent every ``interval_seconds``."""

    service: str
    instance: str
    names: tuple[str, ...]
    interval_seconds: float
    at: datetime
