"""What the API shows of the archive: accounts with their steps, deliveries by template and week."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from services.events_status.archive.pointers import Stage
from services.events_status.archive.purging import missing
from services.events_status.pages import HeldBy, holder_of, workflow_statuses
from services.events_status.settings import EventsStatusSettings
from shared.database import Connection
from topics.events import EventStatus

_DELIVERIES: Final = """
SELECT d.week, d.template_id, t.label AS template, d.channel, d.event_type, d.status, d.events
FROM archived_deliveries d LEFT JOIN templates t USING (template_id)
WHERE d.events > 0 AND ($1::date IS NULL OR d.week >= $1) AND ($2::date IS NULL OR d.week <= $2)
ORDER BY d.week DESC, d.event_type, d.channel, d.status, d.template_id LIMIT 10000
"""
_ACCOUNTS: Final = "SELECT name, label, source_prefix, active FROM execution_accounts ORDER BY name"
# A pointer that has not moved yet has come nowhere: JSON knows no infinite time.
_STEPS: Final = """
SELECT account, step, nullif(reached_at, '-infinity') AS reached_at, rows, due_at, CASE step
    WHEN 'qualifications' THEN (SELECT count(*) FROM incoming_qualifications)
    WHEN 'delivery_logs' THEN (SELECT count(*) FROM archive_due d WHERE d.account = p.account)
                            + (SELECT count(*) FROM incoming_answers)
    WHEN 'urls' THEN (SELECT count(*) FROM incoming_urls)
    WHEN 'tracking_logs' THEN (SELECT count(*) FROM incoming_tracking)
    WHEN 'quarantine' THEN (SELECT count(*) FROM incoming_quarantine) END AS waiting
FROM archive_pointers p ORDER BY account, array_position($1::text[], step)
"""


class StepRow(BaseModel):
    """A step of a synchronisation: what was known at ``reached_at`` is in the archive."""

    account: str
    step: Stage
    reached_at: datetime | None
    rows: int = Field(description="how many rows it has brought in all")
    due_at: datetime | None = Field(default=None, description="when a step that waits is done")
    waiting: int | None = Field(
        default=None, description="rows that wait for it; events are counted when they are read"
    )


class AccountRow(BaseModel):
    """An execution account, its steps in order; ``held_by`` when its workflow is not started."""

    name: str
    label: str
    source_prefix: str
    active: bool
    steps: list[StepRow]
    held_by: HeldBy | None


class Overview(BaseModel):
    """The archive: its size, its accounts, and the events that the purge keeps for want of it."""

    events: int = Field(description="archived events, counted by their lines")
    accounts: list[AccountRow]
    purge_waits_for: int
    purge_waits_since: datetime | None


class ArchivedDelivery(BaseModel):
    """How many archived events of a template, and of a week of last change, have a status."""

    week: date = Field(description="its Monday, in the instance's zone")
    template_id: UUID | None
    template: str | None
    channel: str
    event_type: str
    status: EventStatus
    events: int


class DeliveriesPage(BaseModel):
    """Archived deliveries, latest week first; at most 10,000 lines."""

    deliveries: list[ArchivedDelivery]


async def overview(
    connection: Connection, settings: EventsStatusSettings, now: datetime
) -> Overview:
    """Return how the archive stands."""
    before = now - timedelta(days=settings.events_retention_days)
    waiting, since = await missing(connection, before)
    total = await connection.fetchval(
        "SELECT coalesce(sum(events), 0)::bigint FROM archived_deliveries"
    )
    return Overview(
        events=total,
        accounts=await account_rows(connection),
        purge_waits_for=waiting,
        purge_waits_since=since,
    )


async def account_rows(connection: Connection) -> list[AccountRow]:
    """Return the execution accounts with the steps of their synchronisations, in order."""
    statuses = await workflow_statuses(connection)
    accounts: dict[str, AccountRow] = {}
    for row in await connection.fetch(_ACCOUNTS):
        workflow = holder_of(f"mcSynch_{row['name']}", statuses)
        accounts[row["name"]] = AccountRow(**dict(row), steps=[], held_by=workflow)
    for row in await connection.fetch(_STEPS, list(Stage)):
        accounts[row["account"]].steps.append(StepRow(**dict(row)))
    return list(accounts.values())


async def deliveries_page(
    connection: Connection, since: date | None, until: date | None
) -> DeliveriesPage:
    """Return the archive's deliveries of some weeks, both included, by their Mondays."""
    rows = await connection.fetch(_DELIVERIES, since, until)
    return DeliveriesPage(deliveries=[ArchivedDelivery(**dict(row)) for row in rows])
