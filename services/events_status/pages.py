"""What the API shows of events: never an address, never a ``ctx``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.events_status.archive.finding import archived_row, archived_rows
from services.events_status.domain import processing_of
from shared.database import Connection
from topics.delivery import Outcome
from topics.events import EventStatus
from topics.outside import Queue
from topics.workflows import WorkflowStatus

NO_NUL: Final = r"^[^\x00]*$"
_SHOWN: Final = (
    "seq, event_id, event_type, queue, channel, language, external_id, status, reason, version,"
    " template_id, template_version, content_hash, received_at, changed_at, source, ce_id, origin,"
    " country, email_format, scheduled_at, expires_at, resent_from, recycled_from, errors,"
    " CASE WHEN errors > 0 AND status = 'pending' AND isfinite(waits_until) THEN waits_until END"
    " AS next_try_at, (SELECT CASE WHEN n.done_at IS NULL THEN 'waiting' ELSE 'done' END"
    " FROM event_enrichments n WHERE n.event_id = events.event_id) AS enrichment"
)
_LIST: Final = f"""
SELECT {_SHOWN} FROM events
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR event_type = $2)
  AND ($3::text IS NULL OR external_id = $3) AND ($4::text IS NULL OR queue = $4)
  AND ($5::text IS NULL OR recipient_key = $5) AND ($6::bigint IS NULL OR seq < $6)
ORDER BY seq DESC LIMIT $7
"""


class HeldBy(BaseModel):
    """The technical workflow that something waits for, and why it does not go on."""

    workflow: str
    status: WorkflowStatus


class EventRow(BaseModel):
    """An event in a list; ``held_by`` when a workflow that is not started holds it back."""

    event_id: UUID
    event_type: str
    queue: Queue
    channel: str
    language: str
    external_id: str | None
    status: EventStatus
    reason: str
    version: int
    template_id: UUID | None
    template_version: int | None = None
    content_hash: str | None = None
    received_at: datetime
    changed_at: datetime
    source: str
    ce_id: str
    origin: str | None = None
    country: str | None = None
    email_format: str | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    resent_from: UUID | None = None
    recycled_from: UUID | None = None
    errors: int = Field(default=0, description="how many tries failed")
    next_try_at: datetime | None = None
    enrichment: Literal["waiting", "done"] | None = None
    held_by: HeldBy | None = None
    archived: bool = Field(default=False, description="it was purged: the archive alone knows it")


class EventPage(BaseModel):
    """Events, latest first; ask on with ``before`` = ``next``."""

    events: list[EventRow]
    next: int | None


class Change(BaseModel):
    """One change of an event's status."""

    version: int
    before: EventStatus | None
    after: EventStatus
    reason: str
    at: datetime


class Said(BaseModel):
    """What the delivery said of an event's message; ``copied_at`` once it was copied."""

    outcome: Outcome
    reason: str
    at: datetime
    copied_at: datetime | None


class EventDetail(BaseModel):
    """An event with every status it had and what the delivery said of it.

    Of one that was purged the archive has its end and the delivery's words, not its history.
    """

    event: EventRow
    history: list[Change]
    outcomes: list[Said]


class Count(BaseModel):
    """How many events of a queue have a status, and since when the oldest waits in it."""

    queue: Queue
    status: EventStatus
    events: int
    oldest_at: datetime


class Counts(BaseModel):
    """Events by queue and status, counted from the rows; they sum to ``total``."""

    total: int
    counts: list[Count]
    held_by: list[HeldBy]


class StatisticsLine(BaseModel):
    """How many events of a day (of their intake) had a status."""

    day: date
    channel: str
    event_type: str
    status: EventStatus
    events: int


class StatisticsPage(BaseModel):
    """Statistics, latest day first; ``counted_at`` is when they were counted last."""

    counted_at: datetime | None
    lines: list[StatisticsLine]


class Filters(BaseModel):
    """What a list of events is narrowed to; all must hold."""

    model_config = ConfigDict(extra="forbid")

    status: EventStatus | None = None
    event_type: str | None = Field(default=None, max_length=200, pattern=NO_NUL)
    external_id: str | None = Field(default=None, max_length=200, pattern=NO_NUL)
    queue: Queue | None = None
    before: int | None = Field(default=None, ge=1, le=2**62)
    limit: int = Field(default=50, ge=1, le=200)


async def workflow_statuses(connection: Connection) -> dict[str, WorkflowStatus]:
    """Return how this service's technical workflows stand, by name."""
    rows = await connection.fetch("SELECT name, status FROM technical_workflows")
    return {row["name"]: WorkflowStatus(row["status"]) for row in rows}


async def event_page(
    connection: Connection, filters: Filters, *, recipient_key: str | None = None
) -> EventPage:
    """Return events that the filters let through, latest first."""
    wanted = (
        filters.status.value if filters.status else None,
        filters.event_type,
        filters.external_id,
        filters.queue.value if filters.queue else None,
        recipient_key,
        filters.before,
        filters.limit,
    )
    # What was purged has a place of its own in the same order.
    rows = [*await connection.fetch(_LIST, *wanted), *await archived_rows(connection, *wanted)]
    rows = sorted(rows, key=lambda row: row["seq"], reverse=True)[: filters.limit]
    statuses = await workflow_statuses(connection)
    return EventPage(
        events=[_event(row, statuses) for row in rows],
        next=rows[-1]["seq"] if len(rows) == filters.limit else None,
    )


async def event_detail(connection: Connection, event_id: UUID) -> EventDetail | None:
    """Return an event with its history, or ``None`` when there is none of that id."""
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM events WHERE event_id = $1", event_id)
    if row is None:
        return await _archived_detail(connection, event_id)
    history = await connection.fetch(
        "SELECT version, before, after, reason, at FROM event_history WHERE event_id = $1"
        " ORDER BY version",
        event_id,
    )
    said = await connection.fetch(
        "SELECT outcome, reason, at, copied_at FROM outcomes WHERE event_id = $1"
        " ORDER BY at, outcome",
        event_id,
    )
    statuses = await workflow_statuses(connection)
    waits = any(one["copied_at"] is None for one in said)
    return EventDetail(
        event=_event(row, statuses, copy_waits=waits),
        history=[Change(**dict(line)) for line in history],
        outcomes=[Said(**dict(line)) for line in said],
    )


async def _archived_detail(connection: Connection, event_id: UUID) -> EventDetail | None:
    found = await archived_row(connection, event_id)
    if found is None:
        return None
    row, logs = found
    said = [Said(**dict(one)) for one in logs]
    return EventDetail(event=_event(row, {}), history=[], outcomes=said)


async def event_counts(connection: Connection) -> Counts:
    """Return how many events each queue has in each status."""
    rows = await connection.fetch(
        "SELECT queue, status, count(*) AS events, min(changed_at) AS oldest_at"
        " FROM events GROUP BY queue, status ORDER BY queue DESC, status"
    )
    statuses = await workflow_statuses(connection)
    return Counts(
        total=sum(row["events"] for row in rows),
        counts=[Count(**dict(row)) for row in rows],
        held_by=[held for name in sorted(statuses) if (held := holder_of(name, statuses))],
    )


async def statistics_page(
    connection: Connection, since: date | None, until: date | None
) -> StatisticsPage:
    """Return the statistics of some days, both included; at most 10,000 lines."""
    rows = await connection.fetch(
        "SELECT day, channel, event_type, status, events + purged AS events"
        " FROM event_statistics WHERE ($1::date IS NULL OR day >= $1)"
        " AND ($2::date IS NULL OR day <= $2)"
        " ORDER BY day DESC, channel, event_type, status LIMIT 10000",
        since,
        until,
    )
    counted = await connection.fetchval("SELECT counted_at FROM statistics_pointer")
    return StatisticsPage(counted_at=counted, lines=[StatisticsLine(**dict(row)) for row in rows])


def _event(row: Any, statuses: dict[str, WorkflowStatus], *, copy_waits: bool = False) -> EventRow:
    fields = dict(row)
    del fields["seq"]
    held = None
    if row["status"] == EventStatus.PENDING:
        held = holder_of(processing_of(Queue(row["queue"])), statuses)
    elif row["status"] == EventStatus.PENDING_DELIVERY or copy_waits:
        held = holder_of("updateEventsStatus", statuses)
    return EventRow(**fields, held_by=held)


def holder_of(name: str, statuses: dict[str, WorkflowStatus]) -> HeldBy | None:
    """Return the workflow as what holds something back, unless it is started."""
    status = statuses.get(name, WorkflowStatus.STARTED)
    return None if status is WorkflowStatus.STARTED else HeldBy(workflow=name, status=status)
