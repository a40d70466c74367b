"""What the API shows: workflows with why they wait, runs, asks, and services by heartbeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from services.workflows.domain import Beat, Held, held, late_since, latest
from services.workflows.supervisors import Supervisors, SupervisorStore
from shared.controls import ALLOWED
from shared.database import Connection
from topics.workflows import Control, WorkflowStatus

_ROW: Final = """
SELECT c.name, c.version, c.service, c.label, c.label_fr, c.package, c.schedule, c.status,
       c.next_at, c.last_run_at, c.runs, c.error, c.seen_at,
       c.failures, c.failures_ignored, c.idle_runs, c.idle_since,
       (SELECT count(*) FROM waiting_campaigns w WHERE w.workflow = c.name) AS waiting_campaigns,
       a.control AS asked_control, a.actor AS asked_by, a.via AS asked_via, a.asked_at
FROM catalogue c LEFT JOIN LATERAL (
    SELECT control, actor, via, asked_at FROM asks
    WHERE asks.name = c.name AND answered_at IS NULL ORDER BY asked_at DESC LIMIT 1) a ON true
"""
_LIST: Final = f"""{_ROW}
WHERE ($1::text IS NULL OR c.status = $1) AND ($2::text IS NULL OR c.package = $2)
  AND ($3::text IS NULL OR c.service = $3) AND ($4::text IS NULL OR c.name > $4)
ORDER BY c.name LIMIT $5
"""
_RUNS: Final = """
SELECT run_id, scheduled_for, started_at, ended_at, rows_in, rows_out, error, idle_before
FROM runs
WHERE name = $1 AND ($2::uuid IS NULL OR (started_at, run_id) < (
    SELECT started_at, run_id FROM runs WHERE run_id = $2))
ORDER BY started_at DESC, run_id DESC LIMIT $3
"""
_ASKS: Final = """
SELECT control, actor AS by, via, asked_at, answered_at, refusal FROM asks
WHERE name = $1 AND control IS NOT NULL ORDER BY asked_at DESC LIMIT 20
"""
BEATS: Final = """
SELECT service, instance, names, interval_seconds, at, beats, as_of FROM heartbeats
UNION ALL
SELECT service, instance, names, interval_seconds, at, beats, noted_at FROM beats b
WHERE NOT EXISTS (SELECT 1 FROM heartbeats h WHERE h.service = b.service AND h.at >= b.at)
"""


class Asked(BaseModel):
    """What was asked and is not answered yet."""

    control: Control
    by: str
    via: str
    at: datetime


class WorkflowRow(BaseModel):
    """A technical workflow: how it stands, and why its work waits if it does.

    ``late_since`` is when its service should have sent a heartbeat at the latest;
    ``controls`` are those that its status allows. ``failures`` in a row so far, of which
    ``failures_ignored`` may be. ``idle_runs`` in a row found nothing to do since ``idle_since``,
    as last told: such runs are told of every ten minutes at most.
    """

    name: str
    label: str
    label_fr: str
    package: str
    service: str
    schedule: str
    status: WorkflowStatus
    waiting: Held | None
    waiting_campaigns: int
    late_since: datetime | None
    next_at: datetime | None
    last_run_at: datetime | None
    runs: int
    error: str
    failures: int
    failures_ignored: int
    idle_runs: int
    idle_since: datetime | None
    asked: Asked | None
    controls: list[Control]


class WorkflowPage(BaseModel):
    """Workflows by name; ask on with ``after`` = ``next``."""

    workflows: list[WorkflowRow]
    next: str | None


class Run(BaseModel):
    """A run that had something to do; ``error`` is empty when it went well.

    ``idle_before`` counts the runs since the one before it that found nothing to do.
    """

    run_id: UUID
    scheduled_for: datetime
    started_at: datetime
    ended_at: datetime
    rows_in: int
    rows_out: int
    error: str
    idle_before: int


class RunPage(BaseModel):
    """Runs, latest first; ask on with ``before`` = ``next``."""

    runs: list[Run]
    next: UUID | None


class Ask(BaseModel):
    """A control that was asked, and what became of it; ``refusal`` says why it was not done."""

    control: Control
    by: str
    via: str
    asked_at: datetime
    answered_at: datetime | None
    refusal: str


class WorkflowDetail(BaseModel):
    """A workflow with its latest runs, what was asked of it, and who is told of its troubles."""

    workflow: WorkflowRow
    runs: RunPage
    asks: list[Ask]
    supervisors: Supervisors


class ServiceRow(BaseModel):
    """A service by its last heartbeat, as of when that was known."""

    service: str
    instance: str
    workflows: list[str]
    interval_seconds: float
    last_beat_at: datetime
    beats: int
    late_since: datetime | None
    as_of: datetime


async def service_rows(
    connection: Connection, seen: Sequence[Beat], now: datetime
) -> list[ServiceRow]:
    """Return services by name: what the view here sees, other replicas' and counted rows."""
    rows = await connection.fetch(BEATS)
    as_of = {row["service"]: row["as_of"] for row in rows}
    known = latest([beat_of(row) for row in rows] + list(seen))
    for beat in seen:
        if known[beat.service] == beat:
            as_of[beat.service] = now
    return [_service(known[name], as_of[name], now) for name in sorted(known)]


async def workflow_page(
    connection: Connection,
    late: Mapping[str, datetime | None],
    *,
    status: WorkflowStatus | None = None,
    package: str | None = None,
    service: str | None = None,
    after: str | None = None,
    limit: int,
) -> WorkflowPage:
    """Return workflows by name; ``late`` says since when each service is late."""
    rows = await connection.fetch(
        _LIST, status.value if status else None, package, service, after, limit
    )
    found = [_workflow(row, late) for row in rows]
    return WorkflowPage(workflows=found, next=found[-1].name if len(found) == limit else None)


async def workflow_detail(
    connection: Connection, name: str, late: Mapping[str, datetime | None]
) -> WorkflowDetail | None:
    """Return a workflow with runs and asks, or ``None`` when none of that name is known."""
    row = await connection.fetchrow(f"{_ROW} WHERE c.name = $1", name)
    if row is None:
        return None
    asks = await connection.fetch(_ASKS, name)
    return WorkflowDetail(
        workflow=_workflow(row, late),
        runs=await run_page(connection, name, before=None, limit=20),
        asks=[Ask(**dict(ask)) for ask in asks],
        supervisors=await SupervisorStore(connection).of(name),
    )


async def run_page(
    connection: Connection, name: str, *, before: UUID | None, limit: int
) -> RunPage:
    """Return a workflow's runs, latest first."""
    rows = await connection.fetch(_RUNS, name, before, limit)
    runs = [Run(**dict(row)) for row in rows]
    return RunPage(runs=runs, next=runs[-1].run_id if len(runs) == limit else None)


def _workflow(row: Any, late: Mapping[str, datetime | None]) -> WorkflowRow:
    status = WorkflowStatus(row["status"])
    since = late.get(row["service"])
    asked = None
    if row["asked_control"] is not None:
        asked = Asked(
            control=row["asked_control"],
            by=row["asked_by"],
            via=row["asked_via"],
            at=row["asked_at"],
        )
    shown = {name: row[name] for name in WorkflowRow.model_fields if name in row}
    return WorkflowRow(
        **shown,
        waiting=held(status, late=since is not None),
        late_since=since,
        asked=asked,
        controls=[control for control, moves in ALLOWED.items() if status in moves],
    )


def _service(beat: Beat, as_of: datetime, now: datetime) -> ServiceRow:
    return ServiceRow(
        service=beat.service,
        instance=beat.instance,
        workflows=list(beat.names),
        interval_seconds=beat.interval_seconds,
        last_beat_at=beat.at,
        beats=beat.beats,
        late_since=late_since(beat.at, beat.interval_seconds, now),
        as_of=as_of,
    )


def beat_of(row: Any) -> Beat:
    """Return the heartbeat of a row."""
    return Beat(
        row["service"],
        row["instance"],
        tuple(row["names"]),
        row["interval_seconds"],
        row["at"],
        row["beats"],
    )
