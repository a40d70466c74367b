"""The rows of campaigns: the campaign, its journal, its number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.campaign.domain.campaigns import COLUMNS, Campaign, HeldBack
from services.campaign.domain.earlier import EarlierRun
from shared.database import Connection
from shared.ids import new_id
from topics.actions import ActionCounts
from topics.approval_rules import ApprovalRules
from topics.campaign import CampaignStatus, Severity
from topics.delivery import ApprovalKind, DeliveryCounts
from topics.message import Value
from topics.schedules import CampaignKind
from topics.targeting import ControlGroup, TargetCounts
from topics.waves import WaveProgress, Waves
from topics.workflows import WorkflowStatus

NAMES: Final = ", ".join(COLUMNS)
_PLACES: Final = ", ".join(f"${i + 1}" for i in range(len(COLUMNS)))
_SET: Final = ", ".join(f"{name} = ${i + 1}" for i, name in enumerate(COLUMNS))
_STARTS: Final = (
    "status = 'ready_to_run' AND approved AND kind = 'unique' AND auto_start"
    " AND (approvals->'start'->>'asked' IS DISTINCT FROM 'true' OR 'start' = ANY (granted))"
)
_FIRST: Final = (
    "priority, array_position('{critical,production,normal}'::text[], severity), start_at, number"
)
_VALUES: Final[dict[str, type[Value]]] = {
    "counts": TargetCounts,
    "delivery_counts": DeliveryCounts,
    "action_counts": ActionCounts,
    "control_group": ControlGroup,
    "waves": Waves,
    "wave_progress": WaveProgress,
    "approvals": ApprovalRules,
}


def from_row(row: asyncpg.Record) -> Campaign:
    """Return the campaign of a row."""
    found: dict[str, Any] = {name: row[name] for name in COLUMNS}
    found["status"] = CampaignStatus(found["status"])
    found["kind"] = CampaignKind(found["kind"])
    found["severity"] = Severity(found["severity"])
    found["held_back"] = HeldBack(found["held_back"]) if found["held_back"] else None
    found["granted"] = tuple(map(ApprovalKind, found["granted"]))
    found["asked"] = ApprovalKind(found["asked"]) if found["asked"] else None
    for name in ("action_model_ids", "reviewer_ids"):
        found[name] = tuple(UUID(int=one.int) for one in found[name])
    found["earlier_runs"] = tuple(EarlierRun.model_validate(run) for run in found["earlier_runs"])
    for name, kind in _VALUES.items():
        found[name] = kind.model_validate(found[name]) if found[name] is not None else None
    return Campaign(**found)


def _as_row(campaign: Campaign) -> list[object]:
    found = asdict(campaign)
    for name in _VALUES:
        value = getattr(campaign, name)
        found[name] = value.model_dump(mode="json") if value is not None else None
    found["earlier_runs"] = [run.model_dump(mode="json") for run in campaign.earlier_runs]
    return [found[name] for name in COLUMNS]


class CampaignStore:
    """Campaigns in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def number(self, campaign_id: UUID) -> int:
        """Return the campaign's number, given now or when its form opened."""
        await self._connection.execute(
            "INSERT INTO forms (campaign_id) SELECT $1"
            " WHERE NOT EXISTS (SELECT 1 FROM forms WHERE campaign_id = $1)"
            " ON CONFLICT DO NOTHING",
            campaign_id,
        )
        number: int = await self._connection.fetchval(
            "SELECT number FROM forms WHERE campaign_id = $1", campaign_id
        )
        return number

    async def numbered(self, number: int) -> UUID | None:
        """Return the id of the campaign with a number."""
        found: UUID | None = await self._connection.fetchval(
            "SELECT campaign_id FROM campaigns WHERE number = $1", number
        )
        return found

    async def find(self, campaign_id: UUID) -> Campaign | None:
        """Return a campaign."""
        row = await self._connection.fetchrow(
            f"SELECT {NAMES} FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        return from_row(row) if row else None

    async def lock(self, campaign_id: UUID) -> Campaign | None:
        """Return a campaign, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {NAMES} FROM campaigns WHERE campaign_id = $1 FOR UPDATE", campaign_id
        )
        return from_row(row) if row else None

    async def insert(self, campaign: Campaign) -> None:
        """Add a new campaign."""
        await self._connection.execute(
            f"INSERT INTO campaigns ({NAMES}) VALUES ({_PLACES})", *_as_row(campaign)
        )

    async def save(self, campaign: Campaign) -> None:
        """Write a locked campaign back."""
        await self._connection.execute(
            f"UPDATE campaigns SET {_SET} WHERE campaign_id = ${len(COLUMNS) + 1}",
            *_as_row(campaign),
            campaign.campaign_id,
        )

    async def due(self, now: datetime, limit: int) -> Sequence[Campaign]:
        """Return approved campaigns whose start has come and that were not looked at, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE {_STARTS} AND held_back IS NULL"
            f" AND start_at <= $1 ORDER BY {_FIRST} LIMIT $2 FOR UPDATE SKIP LOCKED",
            now,
            limit,
        )
        return [from_row(row) for row in rows]

    async def held_back(self, *, open_now: bool, limit: int) -> Sequence[Campaign]:
        """Return campaigns that wait for room or for the time of low activity, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE {_STARTS}"
            " AND (held_back = 'queued' OR held_back = 'window' AND $1)"
            f" ORDER BY {_FIRST} LIMIT $2 FOR UPDATE SKIP LOCKED",
            open_now,
            limit,
        )
        return [from_row(row) for row in rows]

    async def proofs_due(self, now: datetime, limit: int) -> Sequence[Campaign]:
        """Return occurrences whose approval is to be asked for now, in order, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE prove_at <= $1 AND snapshot_id IS NULL"
            " AND NOT approved AND status IN ('ready_to_test', 'ready_to_run')"
            " AND counts IS NOT NULL AND held_back IS DISTINCT FROM 'missed'"
            f" ORDER BY {_FIRST} LIMIT $2 FOR UPDATE SKIP LOCKED",
            now,
            limit,
        )
        return [from_row(row) for row in rows]

    async def resting(self, series_ids: Collection[UUID]) -> frozenset[UUID]:
        """Return which of these recurring campaigns are suspended, or edited since."""
        rows = await self._connection.fetch(
            "SELECT campaign_id FROM campaigns WHERE campaign_id = ANY ($1)"
            " AND kind = 'recurring' AND status <> ALL ('{running,finished,cancelled}')",
            list(series_ids),
        )
        return frozenset(UUID(int=row["campaign_id"].int) for row in rows)

    async def under_way(self, since: datetime) -> int:
        """Return how many campaigns take a place, of those that took it later than ``since``.

        They are those of which :func:`~services.campaign.domain.starts.takes_place` says so.
        """
        count: int = await self._connection.fetchval(
            "SELECT (SELECT count(*) FROM campaigns WHERE status = 'running' AND kind = 'unique'"
            " AND started_at > $1 AND (template_id IS NOT NULL"
            " AND NOT delivery_prepared AND NOT delivery_done"
            " OR cardinality(action_model_ids) > 0 AND NOT actions_completed))"
            " + (SELECT count(*) FROM campaigns WHERE snapshot_id IS NOT NULL"
            " AND snapshot_hash IS NULL AND asked_at > $1"
            " AND status <> ALL ('{cancelled,finished}'))",
            since,
        )
        return count

    async def ending(self, now: datetime, limit: int) -> Sequence[Campaign]:
        """Return running campaigns whose end has come and that were not told yet, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE status IN ('running', 'suspended')"
            " AND kind = 'unique' AND end_at <= $1 AND NOT validity_over"
            " ORDER BY end_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            now,
            limit,
        )
        return [from_row(row) for row in rows]

    async def not_final(self, after: int, limit: int) -> Sequence[Campaign]:
        """Return campaigns a workflow's state may concern, by number, locked."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE number > $1 AND (status <> ALL"
            " ('{cancelled,finished}') OR 'held' IN (funds, goods))"
            " ORDER BY number LIMIT $2 FOR UPDATE",
            after,
            limit,
        )
        return [from_row(row) for row in rows]

    async def calendar(
        self, targeting_id: UUID, first: datetime, last: datetime
    ) -> Sequence[Campaign]:
        """Return campaigns with a message to a target that start between two instants, in order."""
        rows = await self._connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE targeting_id = $1 AND template_id IS NOT NULL"
            " AND kind = 'unique' AND status <> 'cancelled' AND start_at BETWEEN $2 AND $3"
            " ORDER BY start_at, number LIMIT 2000",
            targeting_id,
            first,
            last,
        )
        return [from_row(row) for row in rows]

    async def note(  # a journal line
        self, campaign_id: UUID, type_: str, operator: str, at: datetime, detail: str = ""
    ) -> None:
        """Add a line to a campaign's journal."""
        await self._connection.execute(
            "INSERT INTO journal (entry_id, campaign_id, type, operator, at, detail)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            new_id(),
            campaign_id,
            type_,
            operator,
            at,
            detail,
        )

    async def first_time(self, cause: str, now: datetime) -> bool:
        """Note an edit that came as a message; false when it was noted before."""
        noted = await self._connection.fetchval(
            "INSERT INTO edits (cause, edited_at) VALUES ($1, $2)"
            " ON CONFLICT (cause) DO NOTHING RETURNING 1",
            cause,
            now,
        )
        return bool(noted)

    async def workflows(self) -> dict[str, WorkflowStatus]:
        """Return how the technical workflows stand, as last heard."""
        rows = await self._connection.fetch("SELECT name, status FROM workflow_states")
        return {row["name"]: WorkflowStatus(row["status"]) for row in rows}

    async def keep_workflow(self, name: str, version: int, status: WorkflowStatus) -> bool:
        """Keep a workflow's state when it is newer; return whether its status changed."""
        before = (await self.workflows()).get(name)
        kept = await self._connection.fetchval(
            "INSERT INTO workflow_states (name, version, status) VALUES ($1, $2, $3)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version,"
            " status = excluded.status WHERE workflow_states.version < excluded.version"
            " RETURNING name",
            name,
            version,
            status.value,
        )
        return bool(kept) and before != status
