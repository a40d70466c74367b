"""The technical workflow engine: state, runs and leases are rows of the executing service.

A workflow's function does one bounded piece of work in a unit of work and says how much it did; the
engine calls it until nothing is left. Any number of replicas may run: a lease names the one that
works. Only a started workflow is run, so stopping one holds back what it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from shared import faults, metrics, tracing
from shared.consumer import wait_or_stop
from shared.errors import INTERRUPTIONS, Refused, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.registry import Registry
from shared.rights import Right, require
from shared.schedules import Every, Schedule
from shared.settings import Settings
from shared.supervision import Supervision
from shared.uow import UnitOfWork, Work
from topics.workflows import (
    Control,
    ControlWorkflow,
    WorkflowHeartbeat,
    WorkflowRefused,
    WorkflowRunEnded,
    WorkflowState,
    WorkflowStatus,
)

log = logger(__name__)

LEASE_SECONDS: Final = 30.0
MAX_STEPS: Final = 10_000
FAILURES_ALLOWED: Final = 5
IDLE_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of a workflow's function did; the run goes on while ``more``."""

    rows_in: int = 0
    rows_out: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class TechnicalWorkflow:
    """One technical workflow.

    Attributes:
        name: its internal name, as people who operate campaigns know it (``deliveryMgt``).
        label, label_fr: what it is called on screen.
        package: can be switched off with others of its package.
        run: does one bounded piece of work in a unit of work.
        schedule: when it runs by itself; ``None`` means the instance's sweep interval.
        timers: kinds of timers that make it due.
    """

    name: str
    label: str
    label_fr: str
    package: str
    run: Callable[[Work], Awaitable[Step]]
    schedule: Schedule | None = None
    timers: tuple[str, ...] = field(default=())


@dataclass(slots=True)
class _Run:
    run_id: UUID
    epoch: int
    scheduled_for: datetime
    started_at: datetime
    rows_in: int = 0
    rows_out: int = 0
    error: str = ""


ALLOWED: Final[dict[Control, dict[WorkflowStatus, WorkflowStatus]]] = {
    Control.START: {
        WorkflowStatus.STOPPED: WorkflowStatus.STARTED,
        WorkflowStatus.PAUSED: WorkflowStatus.STARTED,
        WorkflowStatus.FAILED: WorkflowStatus.STARTED,
    },
    Control.PAUSE: {WorkflowStatus.STARTED: WorkflowStatus.PAUSED},
    Control.RESUME: {
        WorkflowStatus.PAUSED: WorkflowStatus.STARTED,
        WorkflowStatus.FAILED: WorkflowStatus.STARTED,
    },
    Control.STOP: {
        WorkflowStatus.STARTED: WorkflowStatus.STOPPED,
        WorkflowStatus.PAUSED: WorkflowStatus.STOPPED,
        WorkflowStatus.FAILED: WorkflowStatus.STOPPED,
    },
    Control.RUN_NOW: {WorkflowStatus.STARTED: WorkflowStatus.STARTED},
}

_CLAIM: Final = """
UPDATE technical_workflows w
SET lease_owner = $2, lease_until = now() + $3 * interval '1 second', lease_epoch = lease_epoch + 1
WHERE name = $1 AND status = 'started' AND (lease_until < now() OR lease_owner IS NULL)
  AND (next_at <= $4
       OR EXISTS (SELECT 1 FROM workflow_wakes v WHERE v.name = $1)
       OR EXISTS (SELECT 1 FROM timers t WHERE t.kind = ANY ($5::text[]) AND t.due_at <= $4))
RETURNING next_at, lease_epoch
"""
_KEEP: Final = """
UPDATE technical_workflows SET lease_until = now() + $3 * interval '1 second'
WHERE name = $1 AND lease_epoch = $2 AND status = 'started' RETURNING 1
"""
_RELEASE: Final = """
UPDATE technical_workflows
SET lease_owner = NULL, last_run_at = $3, runs = runs + 1, error = $4, failures = $5::integer,
    status = CASE WHEN $5::integer >= $6::integer THEN 'failed' ELSE status END,
    version = version + 1,
    next_at = $7
WHERE name = $1 AND lease_epoch = $2
RETURNING name
"""


class Engine:
    """Runs the technical workflows of one service."""

    def __init__(
        self,
        uow: UnitOfWork,
        workflows: Sequence[TechnicalWorkflow],
        settings: Settings,
        supervision: Supervision,
    ) -> None:
        self._uow = uow
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._settings = settings
        self._supervision = supervision
        self._sweep = Every(settings.workflow_sweep_seconds)
        self._owner = f"{settings.muster_instance}:{id(self)}"

    async def register(self) -> None:
        """Make a row for each workflow that has none, and publish how each stands."""
        async with self._uow.begin() as work:
            for name in sorted(self._workflows):
                # A row that is there is only read: a frozen worker may have it in hand.
                await work.connection.execute(
                    "INSERT INTO technical_workflows (name) SELECT $1 WHERE NOT EXISTS"
                    " (SELECT 1 FROM technical_workflows WHERE name = $1) ON CONFLICT DO NOTHING",
                    name,
                )
                await publish(work, self._workflows[name], self._sweep)

    def registry(self) -> Registry:
        """Return the handler that controls this service's workflows."""
        registry = Registry()

        async def control(command: ControlWorkflow, work: Work) -> None:
            workflow = self._workflows.get(command.name)
            if workflow is not None:
                await apply_control(command, workflow, self._sweep, work)

        registry.on(ControlWorkflow, refusal=_refused)(control)
        return registry

    async def run(self, stop: asyncio.Event) -> None:
        """Run what is due, and send heartbeats, until ``stop`` is set."""
        if not self._workflows:
            await stop.wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervision.keep("heartbeats", self._beat, stop))
            for name, workflow in self._workflows.items():
                watching = partial(self._watch, workflow)
                group.create_task(self._supervision.keep(f"workflow {name}", watching, stop))

    async def _watch(self, workflow: TechnicalWorkflow, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                ran = await self._run_if_due(workflow)
            except INTERRUPTIONS as problem:
                log.warning("workflow.interrupted", name=workflow.name, error=reason_of(problem))
                ran = False
            if not ran:
                await wait_or_stop(stop, IDLE_SECONDS)

    async def _run_if_due(self, workflow: TechnicalWorkflow) -> bool:
        async with self._uow.begin() as work:
            claimed = await work.connection.fetchrow(
                _CLAIM,
                workflow.name,
                self._owner,
                LEASE_SECONDS,
                work.now,
                list(workflow.timers),
            )
            if claimed is None:
                return False
            # Wakes seen until here are served by this run; a later one stays and makes another.
            await work.connection.execute(
                "DELETE FROM workflow_wakes WHERE name = $1", workflow.name
            )
            run = _Run(
                new_id(), claimed["lease_epoch"], min(claimed["next_at"], work.now), work.now
            )
        await self._carry_out(workflow, run)
        return True

    async def _carry_out(self, workflow: TechnicalWorkflow, run: _Run) -> None:
        try:
            for _ in range(MAX_STEPS):
                step = await self._one_step(workflow, run.epoch)
                run.rows_in += step.rows_in
                run.rows_out += step.rows_out
                if not step.more:
                    break
        except Exception as problem:
            run.error = reason_of(problem)
            log.warning("workflow.failed", name=workflow.name, reason=run.error, exc_info=problem)
        await self._end_run(workflow, run)
        metrics.WORKFLOW_RUNS.labels(
            self._uow.service, workflow.name, "failed" if run.error else "done"
        ).inc()

    async def _one_step(self, workflow: TechnicalWorkflow, epoch: int) -> Step:
        async with self._uow.begin() as work:
            held = await work.connection.fetchval(_KEEP, workflow.name, epoch, LEASE_SECONDS)
            if not held:
                return Step()
            with tracing.span(self._uow.service, f"workflow {workflow.name}"):
                step = await workflow.run(work)
            faults.reach("workflow.before_commit")
            return step

    async def _end_run(self, workflow: TechnicalWorkflow, run: _Run) -> None:
        schedule = workflow.schedule or self._sweep
        async with self._uow.begin() as work:
            failures = await self._failures(work, workflow.name) + 1 if run.error else 0
            released = await work.connection.fetchval(
                _RELEASE,
                workflow.name,
                run.epoch,
                run.started_at,
                run.error,
                failures,
                FAILURES_ALLOWED,
                schedule.next_after(run.started_at, self._settings.zone),
            )
            if released and (run.rows_in or run.rows_out or run.error):
                await _record(work, workflow.name, run)
                await publish(work, workflow, self._sweep)

    async def _failures(self, work: Work, name: str) -> int:
        count: int = await work.connection.fetchval(
            "SELECT failures FROM technical_workflows WHERE name = $1", name
        )
        return count

    async def _beat(self, stop: asyncio.Event) -> None:
        seconds = self._settings.heartbeat_seconds
        while not stop.is_set():
            try:
                async with self._uow.begin() as work:
                    work.emit(
                        WorkflowHeartbeat(
                            service=self._uow.service,
                            instance=self._settings.muster_instance,
                            names=tuple(sorted(self._workflows)),
                            interval_seconds=seconds,
                            at=work.now,
                        )
                    )
            except INTERRUPTIONS as problem:
                log.warning("workflow.no_heartbeat", error=reason_of(problem))
            await wait_or_stop(stop, seconds)


async def _record(work: Work, name: str, run: _Run) -> None:
    ended = asdict(run) | {"name": name, "ended_at": work.now}
    del ended["epoch"]
    await work.connection.execute(
        "INSERT INTO workflow_runs (run_id, scheduled_for, started_at, rows_in, rows_out, error,"
        " name, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *ended.values(),
    )
    work.emit(WorkflowRunEnded(**ended))


async def wake(work: Work, *names: str) -> None:
    """Make workflows due now (a trigger), in the transaction that gives them work."""
    await work.connection.executemany(
        "INSERT INTO workflow_wakes (name) VALUES ($1)", [(name,) for name in names]
    )


async def apply_control(
    command: ControlWorkflow, workflow: TechnicalWorkflow, sweep: Schedule, work: Work
) -> None:
    """Carry out a control in the executing service's transaction.

    Raises:
        Refused: the actor may not, or the workflow's state does not allow it.
    """
    await require(work, command.actor, Right.CONTROL_WORKFLOWS)
    row = await work.connection.fetchrow(
        "SELECT status FROM technical_workflows WHERE name = $1 FOR UPDATE", command.name
    )
    status = WorkflowStatus(row["status"]) if row else WorkflowStatus.STOPPED
    after = ALLOWED[command.control].get(status)
    if after is None:
        raise Refused(
            f"{command.name} is {status}: it cannot {command.control}",
            code="cannot_control",
            workflow=command.name,
            status=status,
        )
    await set_status(work, command.name, after)
    await publish(work, workflow, sweep)


async def set_status(work: Work, name: str, status: WorkflowStatus) -> None:
    """Write a workflow's state; a started one is due at once, its failures forgotten."""
    await work.connection.execute(
        "UPDATE technical_workflows SET status = $2, version = version + 1,"
        " failures = CASE WHEN $2 = 'started' THEN 0 ELSE failures END,"
        " next_at = CASE WHEN $2 = 'started' THEN clock_timestamp() ELSE next_at END"
        " WHERE name = $1",
        name,
        status.value,
    )


async def publish(work: Work, workflow: TechnicalWorkflow, sweep: Schedule) -> None:
    """Emit a workflow's state for the catalogue."""
    row = await work.connection.fetchrow(
        "SELECT status, version, next_at, last_run_at, runs, error"
        " FROM technical_workflows WHERE name = $1",
        workflow.name,
    )
    if row is None:
        return
    work.emit(
        WorkflowState(
            name=workflow.name,
            service=work.service,
            label=workflow.label,
            label_fr=workflow.label_fr,
            package=workflow.package,
            schedule=str(workflow.schedule or sweep),
            **dict(row),
        )
    )


async def is_started(work: Work, name: str) -> bool:
    """Whether a workflow of this service is started."""
    return bool(
        await work.connection.fetchval(
            "SELECT 1 FROM technical_workflows WHERE name = $1 AND status = 'started'", name
        )
    )


def _refused(command: ControlWorkflow, refusal: Refused) -> WorkflowRefused:
    return WorkflowRefused(
        name=command.name,
        control=command.control,
        reason=refusal.reason,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )
