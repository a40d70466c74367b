"""The technical workflow engine: state, runs and leases are rows of the executing service.

Any number of replicas may run: a lease names the one that works. Only a started workflow is run, so
stopping one holds back what it does. A step holds its workflow's row until it commits, so that a
workflow that is stopped has no step under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from shared import faults, metrics, tracing
from shared.controls import carry_out_orders, registry_of
from shared.due import IDLE_SECONDS, Due
from shared.errors import INTERRUPTIONS, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.registry import Registry
from shared.schedules import Every
from shared.settings import Settings
from shared.supervision import Supervision
from shared.uow import UnitOfWork, Work
from shared.waiting import give_way, wait_or_stop
from shared.workflows import Step, TechnicalWorkflow, failures_ignored, publish, wake
from topics.workflows import Control, WorkflowHeartbeat, WorkflowRunEnded

log = logger(__name__)

LEASE_SECONDS: Final = 30.0
MAX_STEPS: Final = 10_000
IDLE_TOLD: Final = timedelta(minutes=10)
"""How often the state of a workflow that finds nothing to do is told all the same."""
STOPPED_IN_MID_STEP: Final = "ended by an unconditional stop"


class _Ended(Exception):
    """A step under way was ended by an unconditional stop."""


@dataclass(slots=True)
class _Run:
    run_id: UUID
    epoch: int
    scheduled_for: datetime
    started_at: datetime
    rows_in: int = 0
    rows_out: int = 0
    error: str = ""
    ended: bool = False
    more: bool = False

    @property
    def idle(self) -> bool:
        """Whether it found nothing to do."""
        return not (self.rows_in or self.rows_out or self.error or self.ended)

    @property
    def result(self) -> str:
        """What metrics call its end."""
        return "ended" if self.ended else "failed" if self.error else "done"


_CLAIM: Final = """
WITH claimed AS (
    UPDATE technical_workflows w
    SET lease_owner = $2, lease_until = now() + $3 * interval '1 second',
        lease_epoch = lease_epoch + 1
    WHERE name = $1 AND status = 'started' AND (lease_until < now() OR lease_owner IS NULL)
      AND NOT EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = $1)
      AND (next_at <= $4
           OR EXISTS (SELECT 1 FROM workflow_wakes v WHERE v.name = $1)
           OR EXISTS (SELECT 1 FROM timers t WHERE t.kind = ANY ($5::text[]) AND t.due_at <= $4))
    RETURNING next_at, lease_epoch
)
SELECT c.next_at, c.lease_epoch,
       EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = $1) AS ordered
FROM (VALUES (1)) AS one (n) LEFT JOIN claimed c ON true
"""
_KEEP: Final = """
UPDATE technical_workflows SET lease_until = now() + $3 * interval '1 second'
WHERE name = $1 AND lease_epoch = $2 AND status = 'started'
  AND NOT EXISTS (SELECT 1 FROM workflow_orders o WHERE o.name = $1)
RETURNING 1
"""
_COUNTS: Final = "SELECT failures, idle_runs, shown_at FROM technical_workflows WHERE name = $1"
_RELEASE: Final = """
UPDATE technical_workflows
SET lease_owner = NULL, last_run_at = $3, runs = runs + 1, error = $4, failures = $5::integer,
    status = CASE WHEN $5::integer > $6::integer THEN 'failed' ELSE status END,
    idle_runs = CASE WHEN $8 THEN idle_runs + 1 ELSE 0 END,
    idle_since = CASE WHEN $8 THEN coalesce(idle_since, $3) END,
    shown_at = coalesce($9, shown_at),
    version = version + 1,
    next_at = $7
WHERE name = $1 AND lease_epoch = $2
RETURNING name
"""
_TO_BE_ENDED: Final = """
SELECT EXISTS (SELECT 1 FROM workflow_orders WHERE name = $1 AND control = $2)
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
        self._due = Due(uow, workflows)

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
        """Return the handlers that control this service's workflows."""
        return registry_of(self._workflows, self._sweep)

    async def run(self, stop: asyncio.Event) -> None:
        """Run what is due, and send heartbeats, until ``stop`` is set."""
        if not self._workflows:
            await stop.wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervision.keep("heartbeats", self._beat, stop))
            group.create_task(self._supervision.keep("what is due", self._due.look, stop))
            for name, workflow in self._workflows.items():
                watching = partial(self._watch, workflow)
                group.create_task(self._supervision.keep(f"workflow {name}", watching, stop))

    async def _watch(self, workflow: TechnicalWorkflow, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._due.wait(workflow.name, stop)
            try:
                while not stop.is_set() and await self._run_if_due(workflow, stop):
                    pass
            except INTERRUPTIONS as problem:
                log.warning("workflow.interrupted", name=workflow.name, error=reason_of(problem))

    async def _run_if_due(self, workflow: TechnicalWorkflow, stop: asyncio.Event) -> bool:
        async with self._uow.begin() as work:
            found = await work.connection.fetchrow(
                _CLAIM,
                workflow.name,
                self._owner,
                LEASE_SECONDS,
                work.now,
                list(workflow.timers),
            )
            if found is None or (found["lease_epoch"] is None and not found["ordered"]):
                return False
            if found["ordered"]:
                return await carry_out_orders(workflow, self._sweep, work)
            # Wakes seen until here are served by this run; a later one stays and makes another.
            await work.connection.execute(
                "DELETE FROM workflow_wakes WHERE name = $1", workflow.name
            )
            run = _Run(new_id(), found["lease_epoch"], min(found["next_at"], work.now), work.now)
        await self._carry_out(workflow, run, stop)
        return True

    async def _carry_out(self, workflow: TechnicalWorkflow, run: _Run, stop: asyncio.Event) -> None:
        try:
            for _ in range(MAX_STEPS):
                step = await self._one_step(workflow, run.epoch, stop)
                run.rows_in += step.rows_in
                run.rows_out += step.rows_out
                run.more = step.more
                if not step.more or stop.is_set():
                    break
        except _Ended:
            run.ended = True
            log.warning("workflow.ended", name=workflow.name)
        except Exception as problem:
            run.error = reason_of(problem)
            log.warning("workflow.failed", name=workflow.name, reason=run.error, exc_info=problem)
        await self._end_run(workflow, run)
        metrics.WORKFLOW_RUNS.labels(self._uow.service, workflow.name, run.result).inc()

    async def _one_step(self, workflow: TechnicalWorkflow, epoch: int, stop: asyncio.Event) -> Step:
        """Do one step, and end it when it is stopped unconditionally while under way."""
        step = asyncio.create_task(self._step(workflow, epoch, stop))
        ended = False
        try:
            while not (ended or (await asyncio.wait({step}, timeout=IDLE_SECONDS))[0]):
                ended = await self._to_be_ended(workflow)
        finally:
            if not step.done():
                step.cancel()
                await asyncio.wait({step})
        if ended and step.cancelled():
            raise _Ended
        return step.result()

    async def _step(self, workflow: TechnicalWorkflow, epoch: int, stop: asyncio.Event) -> Step:
        if workflow.gives_way:
            await give_way(self._uow.pool, stop)
        async with self._uow.begin() as work:
            held = await work.connection.fetchval(_KEEP, workflow.name, epoch, LEASE_SECONDS)
            if not held:
                return Step()
            with tracing.span(self._uow.service, f"workflow {workflow.name}"):
                step = await workflow.run(work)
            faults.reach("workflow.before_commit")
            return step

    async def _to_be_ended(self, workflow: TechnicalWorkflow) -> bool:
        try:
            return bool(
                await self._uow.pool.fetchval(_TO_BE_ENDED, workflow.name, Control.STOP_NOW.value)
            )
        except INTERRUPTIONS as problem:
            log.warning("workflow.interrupted", name=workflow.name, error=reason_of(problem))
            return False

    async def _end_run(self, workflow: TechnicalWorkflow, run: _Run) -> None:
        schedule = workflow.schedule or self._sweep
        async with self._uow.begin() as work:
            counts = await work.connection.fetchrow(_COUNTS, workflow.name)
            if counts is None:
                return
            told = counts["shown_at"]
            tell = not run.idle or told is None or work.now - told >= IDLE_TOLD
            released = await work.connection.fetchval(
                _RELEASE,
                workflow.name,
                run.epoch,
                run.started_at,
                run.error,
                counts["failures"] + 1 if run.error else 0,
                await failures_ignored(work, workflow),
                schedule.next_after(run.started_at, self._settings.zone),
                run.idle,
                work.now if tell else None,
            )
            if released and run.more and not run.error and not run.ended:
                await wake(work, workflow.name)  # its steps ran out, or its service stops
            if released and not run.idle:
                await _record(work, workflow.name, run, counts["idle_runs"])
            if released and tell:
                await publish(work, workflow, self._sweep)

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


async def _record(work: Work, name: str, run: _Run, idle_before: int) -> None:
    ended = WorkflowRunEnded(
        name=name,
        run_id=run.run_id,
        scheduled_for=run.scheduled_for,
        started_at=run.started_at,
        ended_at=work.now,
        rows_in=run.rows_in,
        rows_out=run.rows_out,
        error=run.error or (STOPPED_IN_MID_STEP if run.ended else ""),
        idle_before=idle_before,
    )
    await work.connection.execute(
        "INSERT INTO workflow_runs (run_id, name, scheduled_for, started_at, ended_at, rows_in,"
        " rows_out, error, idle_before) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        ended.run_id,
        ended.name,
        ended.scheduled_for,
        ended.started_at,
        ended.ended_at,
        ended.rows_in,
        ended.rows_out,
        ended.error,
        ended.idle_before,
    )
    work.emit(ended)
