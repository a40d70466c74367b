"""Messages of technical workflows: control, state, runs, heartbeats."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State
from topics.names import HEARTBEATS, WORKFLOWS_COMMANDS, WORKFLOWS_EVENTS, WORKFLOWS_STATE

FAILURES_IGNORED: Final = 4
"""The error policy where a workflow declares none: the fifth failure in a row is one too many."""
MOST_IGNORED: Final = 1000


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
    STOP_NOW = "stop_now"
    """The unconditional stop: ends the step under way, whose transaction is rolled back."""


class ControlWorkflow(Command, topic=WORKFLOWS_COMMANDS, key="name"):
    """Start, pause, resume, stop or run a workflow; its own service carries it out.

    While a step is under way, a control waits for its end; only ``stop_now`` ends it.

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


class SetErrorPolicy(Command, topic=WORKFLOWS_COMMANDS, key="name"):
    """Say how many failures in a row a workflow may have before it is *failed*; 0 stops at once.

    Its own service carries it out. Answers: ``WorkflowState`` or ``ErrorPolicyRefused``.
    """

    name: str = Field(min_length=1, max_length=100)
    failures_ignored: int = Field(ge=0, le=MOST_IGNORED)
    actor: Actor


class ErrorPolicyRefused(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """An error policy was not set."""

    name: str
    reason: str
    code: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    actor: Actor


class WorkflowRunEnded(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """A run that had something to do ended; ``error`` is empty when it went well.

    ``idle_before`` counts the runs since the one before it that found nothing to do.
    """

    name: str
    run_id: UUID
    scheduled_for: datetime
    started_at: datetime
    ended_at: datetime
    rows_in: int
    rows_out: int
    error: str = ""
    idle_before: int = 0


class Trouble(StrEnum):
    """What supervisors are told of."""

    FAILED = "failed"
    """A workflow failed as often as it may, and does nothing before a person starts it."""
    LATE = "late"
    """A service missed two heartbeats: none of its workflows may be working."""


class TroubleRaised(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """Something went wrong; told once, until it is well again.

    ``name`` is the workflow's that failed, or the service's that is late; ``names`` are the
    workflows that stand still with it; ``supervisors`` are the operators to tell. Readers: the bot,
    and web, which knows their e-mail addresses.
    """

    name: str
    trouble: Trouble
    names: tuple[str, ...]
    since: datetime
    error: str = ""
    supervisors: tuple[UUID, ...] = ()


class TroubleCleared(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """What was told of is well again."""

    name: str
    trouble: Trouble
    since: datetime


class SetSupervisors(Command, topic=WORKFLOWS_COMMANDS, key="name"):
    """Say who is told of a workflow's troubles; nobody named: whoever may control workflows.

    Source: whoever may control workflows. Answers: ``SupervisorsSet`` or ``SupervisorsRefused``.
    """

    name: str = Field(min_length=1, max_length=100)
    operators: tuple[UUID, ...] = Field(default=(), max_length=100)
    groups: tuple[str, ...] = Field(default=(), max_length=100)
    actor: Actor


class SupervisorsSet(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """Who is told of a workflow's troubles from now on."""

    name: str
    operators: tuple[UUID, ...] = ()
    groups: tuple[str, ...] = ()
    actor: Actor


class SupervisorsRefused(Event, topic=WORKFLOWS_EVENTS, key="name"):
    """Supervisors were not set."""

    name: str
    reason: str
    code: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    actor: Actor


class WorkflowState(State, topic=WORKFLOWS_STATE, key="name"):
    """A workflow as the catalogue shows it.

    ``failures`` in a row so far, of which ``failures_ignored`` may be; ``idle_runs`` in a row found
    nothing to do, the first of them at ``idle_since``. Runs that do nothing are told of rarely.
    An instance, made for one thing alone, names the workflow that does its work (``instance_of``);
    it is listed until ``ended_at``.
    """

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
    failures: int = 0
    failures_ignored: int = FAILURES_IGNORED
    idle_runs: int = 0
    idle_since: datetime | None = None
    instance_of: str | None = None
    ended_at: datetime | None = None


class WorkflowHeartbeat(Event, topic=HEARTBEATS, key="service"):
    """A service's workflow engine is alive; sent every ``interval_seconds``."""

    service: str
    instance: str
    names: tuple[str, ...]
    interval_seconds: float
    at: datetime
