"""Technical workflows: what a service declares of each, and their rows in its schema.

A workflow's function does one bounded piece of work in a unit of work and says how much it did;
:mod:`shared.engine` calls it until nothing is left, :mod:`shared.controls` starts and stops it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.schedules import Schedule
from shared.uow import Work
from topics.workflows import FAILURES_IGNORED, WorkflowState, WorkflowStatus

_SEEN: Final = """
SELECT status, version, next_at, last_run_at, runs, error, failures, idle_runs, idle_since,
    (SELECT p.failures_ignored FROM workflow_policies p WHERE p.name = $1) AS failures_ignored
FROM technical_workflows WHERE name = $1
"""
_FORGET: Final = """
DELETE FROM workflow_runs WHERE run_id = ANY (ARRAY(
    SELECT run_id FROM workflow_runs WHERE ended_at < $1 ORDER BY ended_at LIMIT $2))
"""


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
        gives_way: whether nobody waits for what it does: it does no step while the relay is behind.
        failures_ignored: its error policy before anybody sets another: how many failures in a
            row are ignored; the next one makes it *failed*. 0 stops at the first.
    """

    name: str
    label: str
    label_fr: str
    package: str
    run: Callable[[Work], Awaitable[Step]]
    schedule: Schedule | None = None
    timers: tuple[str, ...] = field(default=())
    gives_way: bool = False
    failures_ignored: int = FAILURES_IGNORED


async def wake(work: Work, *names: str) -> None:
    """Make workflows due now (a trigger), in the transaction that gives them work."""
    await work.connection.executemany(
        "INSERT INTO workflow_wakes (name) VALUES ($1)", [(name,) for name in names]
    )


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


async def failures_ignored(work: Work, workflow: TechnicalWorkflow) -> int:
    """Return how many failures in a row a workflow may have: as set, else as declared."""
    chosen: int | None = await work.connection.fetchval(
        "SELECT failures_ignored FROM workflow_policies WHERE name = $1", workflow.name
    )
    return workflow.failures_ignored if chosen is None else chosen


async def publish(work: Work, workflow: TechnicalWorkflow, sweep: Schedule) -> None:
    """Emit a workflow's state for the catalogue; its row is only read."""
    row = await work.connection.fetchrow(_SEEN, workflow.name)
    if row is None:
        return
    found: dict[str, Any] = dict(row)
    if found["failures_ignored"] is None:
        found["failures_ignored"] = workflow.failures_ignored
    work.emit(
        WorkflowState(
            name=workflow.name,
            service=work.service,
            label=workflow.label,
            label_fr=workflow.label_fr,
            package=workflow.package,
            schedule=str(workflow.schedule or sweep),
            **found,
        )
    )


async def is_started(work: Work, name: str) -> bool:
    """Whether a workflow of this service is started."""
    return bool(
        await work.connection.fetchval(
            "SELECT 1 FROM technical_workflows WHERE name = $1 AND status = 'started'", name
        )
    )


async def forget_runs(work: Work, before: datetime, *, limit: int = 5_000) -> None:
    """Delete up to ``limit`` runs that ended before a time."""
    await work.connection.execute(_FORGET, before, limit)
