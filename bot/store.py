"""The bot's read models: what compacted state topics say, and what asks are open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.database import Connection
from topics.budget import GoodsNeeded
from topics.campaign import CampaignState
from topics.delivery import ApprovalKind, ApprovalState
from topics.message import State
from topics.workflows import WorkflowState

MANAGERS: Final = ("administrator", "manager")


@dataclass(frozen=True, slots=True)
class Person:
    """An operator as cards name one."""

    operator_id: str
    name: str
    slack_user_id: str | None
    language: str
    has_left: bool = False
    """Switched off here or gone from Slack: they cannot answer."""


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount in minor units."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign would cost and what its budget had left then, minor units."""

    amount_minor: int
    left_minor: int
    currency: str
    at: datetime | None = None
    goods: tuple[GoodsNeeded, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody waits for an answer in a channel (an empty one: by direct message)."""

    operator_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A service's last sign of life."""

    at: datetime
    interval_seconds: float


def _document(state: State) -> dict[str, Any]:
    return state.model_dump(mode="json")


class BotStore:
    """The read models in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save_campaign(self, state: CampaignState) -> CampaignState | None:
        """Keep a campaign's state; return the one before, or itself when it is not newer."""
        before = await self.campaign(state.campaign_id)
        if before is not None and before.version >= state.version:
            return state
        await self._connection.execute(
            "INSERT INTO campaigns (campaign_id, version, number, state, status, manager_id)"
            " VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (campaign_id) DO UPDATE SET version = excluded.version,"
            " number = excluded.number, state = excluded.state, status = excluded.status,"
            " manager_id = excluded.manager_id WHERE campaigns.version < excluded.version",
            state.campaign_id,
            state.version,
            state.number,
            _document(state),
            state.status.value,
            state.manager_id,
        )
        return before

    async def campaign(self, campaign_id: UUID) -> CampaignState | None:
        """Return a campaign."""
        found = await self._connection.fetchval(
            "SELECT state FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        return CampaignState.model_validate(found) if found else None

    async def numbered(self, number: int) -> CampaignState | None:
        """Return a campaign by its short number."""
        found = await self._connection.fetchval(
            "SELECT state FROM campaigns WHERE number = $1", number
        )
        return CampaignState.model_validate(found) if found else None

    async def save_flight(self, campaign_id: UUID, in_flight: int, revision: int) -> None:
        """Note how many messages may be in a server's hands; an older number changes nothing."""
        await self._connection.execute(
            "UPDATE campaigns SET in_flight = $2, flight_revision = $3"
            " WHERE campaign_id = $1 AND flight_revision < $3",
            campaign_id,
            in_flight,
            revision,
        )

    async def in_flight(self, campaign_id: UUID) -> int:
        """Return how many of a campaign's pending messages may be in a server's hands."""
        found = await self._connection.fetchval(
            "SELECT in_flight FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        return int(found or 0)

    async def save_approval(self, state: ApprovalState) -> bool:
        """Keep an approval's state; return whether it was newer than what was known."""
        return bool(
            await self._connection.fetchval(
                "INSERT INTO approvals (approval_id, version, campaign_id, state, outcome,"
                " deadline_at, requested_by, reviewers) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                " ON CONFLICT (approval_id) DO UPDATE"
                " SET version = excluded.version, state = excluded.state,"
                " outcome = excluded.outcome, deadline_at = excluded.deadline_at,"
                " requested_by = excluded.requested_by, reviewers = excluded.reviewers"
                " WHERE approvals.version < excluded.version RETURNING true",
                state.approval_id,
                state.version,
                state.campaign_id,
                _document(state),
                state.outcome.value,
                state.deadline_at,
                state.requested_by,
                [str(one) for one in state.reviewer_ids],
            )
        )

    async def save_approved(self, state: ApprovalState) -> None:
        """Keep what was approved of a campaign, for later cards of the kind to be compared with.

        What it was to cost then is kept beside it.
        """
        await self._connection.execute(
            "INSERT INTO approved (campaign_id, kind, decided_at, state, amount_minor, currency)"
            " SELECT $1::uuid, $2::text, $3::timestamptz, $4::jsonb, e.amount_minor, e.currency"
            " FROM (SELECT 1) AS one LEFT JOIN estimates e ON e.campaign_id = $1"
            " ON CONFLICT (campaign_id, kind) DO UPDATE"
            " SET decided_at = excluded.decided_at, state = excluded.state,"
            " amount_minor = excluded.amount_minor, currency = excluded.currency"
            " WHERE approved.decided_at < excluded.decided_at",
            state.campaign_id,
            state.kind.value,
            state.decided_at or state.requested_at,
            _document(state),
        )

    async def approved(self, campaign_id: UUID, kind: ApprovalKind) -> ApprovalState | None:
        """Return what was last approved of a campaign, of a kind."""
        found = await self._connection.fetchval(
            "SELECT state FROM approved WHERE campaign_id = $1 AND kind = $2",
            campaign_id,
            kind.value,
        )
        return ApprovalState.model_validate(found) if found else None

    async def approved_cost(self, campaign_id: UUID, kind: ApprovalKind) -> Cost | None:
        """Return what a campaign was to cost when it was last approved, when that was known."""
        row = await self._connection.fetchrow(
            "SELECT amount_minor, currency FROM approved"
            " WHERE campaign_id = $1 AND kind = $2 AND amount_minor IS NOT NULL",
            campaign_id,
            kind.value,
        )
        return Cost(**dict(row)) if row else None

    async def approval(self, approval_id: UUID) -> ApprovalState | None:
        """Return an approval."""
        found = await self._connection.fetchval(
            "SELECT state FROM approvals WHERE approval_id = $1", approval_id
        )
        return ApprovalState.model_validate(found) if found else None

    async def open_approvals(self, campaign_id: UUID | None = None) -> list[ApprovalState]:
        """Return the approvals that wait for an answer, of one campaign or of all."""
        rows = await self._connection.fetch(
            "SELECT state FROM approvals WHERE ($1::uuid IS NULL OR campaign_id = $1)"
            " AND outcome = 'pending' ORDER BY state->>'requested_at'",
            campaign_id,
        )
        return [ApprovalState.model_validate(row["state"]) for row in rows]

    async def save_workflow(self, state: WorkflowState) -> WorkflowState | None:
        """Keep a workflow's state; return the one before, or itself when it is not newer.

        The same version may come again with another error policy: a step under way holds the row.
        An instance that has ended is no longer listed.
        """
        before = await self.workflow(state.name)
        if before is not None and (before == state or before.version > state.version):
            return state
        if state.ended_at is not None:
            await self._connection.execute("DELETE FROM workflows WHERE name = $1", state.name)
            return before
        await self._connection.execute(
            "INSERT INTO workflows (name, version, state) VALUES ($1, $2, $3)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version, state = excluded.state"
            " WHERE workflows.version <= excluded.version",
            state.name,
            state.version,
            _document(state),
        )
        return before

    async def workflow(self, name: str) -> WorkflowState | None:
        """Return a technical workflow."""
        found = await self._connection.fetchval("SELECT state FROM workflows WHERE name = $1", name)
        return WorkflowState.model_validate(found) if found else None

    async def waiting(self) -> dict[str, int]:
        """Return how many campaigns wait for each workflow that is not started."""
        rows = await self._connection.fetch(
            "SELECT state->>'waiting_workflow' AS name, count(*) AS waiting FROM campaigns"
            " WHERE state->>'waiting_workflow' IS NOT NULL GROUP BY 1"
        )
        return {row["name"]: row["waiting"] for row in rows}

    async def workflows(self) -> list[WorkflowState]:
        """Return all technical workflows by service and name."""
        rows = await self._connection.fetch(
            "SELECT state FROM workflows ORDER BY state->>'service', name"
        )
        return [WorkflowState.model_validate(row["state"]) for row in rows]

    async def save_beat(self, service: str, beat: Beat) -> None:
        """Note a service's sign of life; an older one changes nothing."""
        await self._connection.execute(
            "INSERT INTO heartbeats (service, at, interval_seconds) VALUES ($1, $2, $3)"
            " ON CONFLICT (service) DO UPDATE SET at = excluded.at,"
            " interval_seconds = excluded.interval_seconds WHERE heartbeats.at < excluded.at",
            service,
            beat.at,
            beat.interval_seconds,
        )

    async def beats(self) -> dict[str, Beat]:
        """Return each service's last sign of life."""
        rows = await self._connection.fetch("SELECT service, at, interval_seconds FROM heartbeats")
        return {row["service"]: Beat(row["at"], row["interval_seconds"]) for row in rows}

    async def people(self, operator_ids: Iterable[str]) -> dict[str, Person]:
        """Return operators by id; the unknown are left out."""
        rows = await self._connection.fetch(
            "SELECT operator_id, name, slack_user_id, coalesce(p.language, o.language) AS language,"
            " NOT active OR coalesce(has_left, false) AS has_left"
            " FROM operators o LEFT JOIN slack_people p USING (slack_user_id)"
            " WHERE operator_id = ANY ($1::text[])",
            list(set(operator_ids)),
        )
        return {row["operator_id"]: Person(**dict(row)) for row in rows}

    async def operator_of(self, slack_user_id: str) -> tuple[str, str | None] | None:
        """Return the operator linked to a Slack user, with the language Slack says they read."""
        row = await self._connection.fetchrow(
            "SELECT operator_id, p.language FROM operators LEFT JOIN slack_people p"
            " USING (slack_user_id) WHERE slack_user_id = $1",
            slack_user_id,
        )
        return (row["operator_id"], row["language"]) if row else None

    async def open_approvals_of(self, operator_id: str) -> list[ApprovalState]:
        """Return the open approvals that name an operator among their reviewers."""
        rows = await self._connection.fetch(
            "SELECT state FROM approvals"
            " WHERE $1 = ANY (reviewers) AND outcome = 'pending' ORDER BY deadline_at",
            operator_id,
        )
        return [ApprovalState.model_validate(row["state"]) for row in rows]

    async def group(self, name: str, limit: int) -> list[Person]:
        """Return the operators of a group who can be reached in Slack."""
        return await self._reachable("$1 = ANY (groups)", name, limit)

    async def in_roles(self, roles: Sequence[str], limit: int) -> list[Person]:
        """Return the operators with one of some roles who can be reached in Slack."""
        return await self._reachable("roles && $1::text[]", list(roles), limit)

    async def operators(self, ids: Sequence[str], limit: int) -> list[Person]:
        """Return the operators of some ids who can be reached in Slack."""
        return await self._reachable("operator_id = ANY ($1::text[])", list(ids), limit)

    async def _reachable(self, which: str, value: object, limit: int) -> list[Person]:
        rows = await self._connection.fetch(
            "SELECT operator_id, name, slack_user_id, coalesce(p.language, o.language) AS language,"
            " false AS has_left FROM operators o LEFT JOIN slack_people p USING (slack_user_id)"
            f" WHERE active AND {which} AND slack_user_id IS NOT NULL"
            " AND NOT coalesce(has_left, false) ORDER BY operator_id LIMIT $2",
            value,
            limit,
        )
        return [Person(**dict(row)) for row in rows]

    async def administrators(self, limit: int) -> list[str]:
        """Return the ids of administrators who can be reached in Slack."""
        rows = await self._connection.fetch(
            "SELECT operator_id FROM operators LEFT JOIN slack_people p USING (slack_user_id)"
            " WHERE active AND 'administrator' = ANY (roles) AND slack_user_id IS NOT NULL"
            " AND NOT coalesce(has_left, false) ORDER BY operator_id LIMIT $1",
            limit,
        )
        return [row["operator_id"] for row in rows]
