"""Schedules and their occurrences: how far each was followed, which date became which campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.campaign.domain.campaigns import Campaign
from services.campaign.domain.schedules import Line
from services.campaign.domain.series import Series
from services.campaign.store.campaigns import NAMES, from_row
from shared.database import Connection
from topics.schedules import Schedule

_SAVE: Final = """
INSERT INTO schedules (campaign_id, schedule, since, through, look_at, created)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (campaign_id) DO UPDATE
SET schedule = excluded.schedule, since = excluded.since, through = excluded.through,
    look_at = excluded.look_at, created = excluded.created
"""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a schedule and its campaign, as it stands."""

    number: int
    local_at: datetime
    zone: str
    starts_at: datetime
    occurrence_id: UUID
    campaign_number: int
    label: str
    status: str
    waiting_for: str | None


class SeriesStore:
    """Schedules and occurrences in the caller's transaction, which holds their campaign's lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, campaign_id: UUID) -> Series | None:
        """Return how far a campaign's schedule was followed."""
        row = await self._connection.fetchrow(
            "SELECT campaign_id, schedule, since, through, look_at, created FROM schedules"
            " WHERE campaign_id = $1",
            campaign_id,
        )
        return _series(row) if row else None

    async def save(self, series: Series) -> None:
        """Write a campaign's schedule and how far it was followed."""
        await self._connection.execute(
            _SAVE,
            series.campaign_id,
            series.schedule.model_dump(mode="json"),
            series.since,
            series.through,
            series.look_at,
            series.created,
        )

    async def rest(self, campaign_id: UUID) -> None:
        """Have a schedule followed no further until it is launched or resumed."""
        await self._connection.execute(
            "UPDATE schedules SET look_at = NULL WHERE campaign_id = $1", campaign_id
        )

    async def due(self, now: datetime) -> Campaign | None:
        """Return a running campaign whose next date is within the horizon, locked."""
        row = await self._connection.fetchrow(
            f"SELECT {NAMES} FROM campaigns JOIN schedules USING (campaign_id)"
            " WHERE look_at <= $1 AND status = 'running'"
            " ORDER BY look_at LIMIT 1 FOR UPDATE OF campaigns SKIP LOCKED",
            now,
        )
        return from_row(row) if row else None

    async def add(self, campaign: Campaign, parent: Campaign, line: Line, now: datetime) -> bool:
        """Note which campaign a date became; false when the date has one already."""
        added = await self._connection.fetchval(
            "INSERT INTO occurrences (campaign_id, local_at, zone, number, starts_at,"
            " occurrence_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (campaign_id, local_at, zone) DO NOTHING RETURNING 1",
            parent.campaign_id,
            line.local,
            parent.zone,
            campaign.occurrence,
            line.at,
            campaign.campaign_id,
            now,
        )
        return bool(added)

    async def of(self, campaign_id: UUID, before: int | None, limit: int) -> Sequence[Occurrence]:
        """Return occurrences of a series, latest number first, below ``before``."""
        rows = await self._connection.fetch(
            "SELECT o.number, o.local_at, o.zone, o.starts_at, o.occurrence_id,"
            " c.number AS campaign_number, c.label, c.status, c.waiting_for"
            " FROM occurrences o JOIN campaigns c ON c.campaign_id = o.occurrence_id"
            " WHERE o.campaign_id = $1 AND ($2::integer IS NULL OR o.number < $2)"
            " ORDER BY o.number DESC LIMIT $3",
            campaign_id,
            before,
            limit,
        )
        return [Occurrence(**dict(row)) for row in rows]

    async def open(self, campaign_id: UUID) -> Sequence[tuple[datetime, str, Campaign]]:
        """Return occurrences that have not started, locked: local time, zone, campaign."""
        rows = await self._connection.fetch(
            f"SELECT local_at, occurrences.zone AS local_zone, {_OF_CAMPAIGN}"
            " FROM occurrences JOIN campaigns ON campaigns.campaign_id = occurrence_id"
            " WHERE occurrences.campaign_id = $1 AND run_id IS NULL"
            " AND status <> ALL ('{cancelled,finished}')"
            " ORDER BY occurrences.number FOR UPDATE OF campaigns",
            campaign_id,
        )
        return [(row["local_at"], row["local_zone"], from_row(row)) for row in rows]

    async def over(self, limit: int) -> Sequence[Campaign]:
        """Return running campaigns without a further date whose occurrences all ended, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE status = 'running' AND kind <> 'unique'"
            " AND next_at IS NULL AND NOT EXISTS (SELECT 1 FROM campaigns o"
            " WHERE o.series_id = campaigns.campaign_id AND campaigns.kind = 'recurring'"
            " AND o.status <> ALL ('{cancelled,finished}'))"
            " ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED",
            limit,
        )
        return [from_row(row) for row in rows]


_OF_CAMPAIGN: Final = ", ".join(f"campaigns.{name}" for name in NAMES.split(", "))


def _series(row: asyncpg.Record) -> Series:
    found: dict[str, Any] = dict(row)
    return Series(**found | {"schedule": Schedule.model_validate(found["schedule"])})
