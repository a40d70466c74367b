"""What a screen shows, in one query a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from bot.asked import CampaignFilter
from bot.fund_store import MINE
from bot.store import Beat
from shared.database import Connection
from topics.budget import BudgetState
from topics.campaign import CampaignState
from topics.delivery import ApprovalState
from topics.funds import FundsAwaitApproval
from topics.stock import StockLineState
from topics.workflows import WorkflowState

PAGE: Final = 10
LATELY: Final = timedelta(days=30)
"""How long an approval that expired is shown as overdue."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of campaigns, newest first, and whether there are more either way."""

    rows: Sequence[CampaignState]
    newer: bool
    older: bool
    filter: CampaignFilter = field(default_factory=CampaignFilter)


class Which(StrEnum):
    """Which approvals a list shows."""

    MINE = "mine"
    """Open ones that this person may answer."""
    WAITING = "waiting"
    """All open ones."""
    OVERDUE = "overdue"
    """Nobody answered in time, and the campaign still needs an answer."""


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """A page of approvals, the most urgent first."""

    which: Which
    rows: Sequence[ApprovalState]
    start: int
    more: bool


T = TypeVar("T")
S = TypeVar("S", BudgetState, StockLineState)


@dataclass(frozen=True)
class Listed(Generic[T]):
    """A page of a list that is turned by position, of those whose label has the words."""

    rows: Sequence[T]
    start: int
    more: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the Home tab shows one person; lists are cut, ``waiting`` counts all."""

    campaigns: Sequence[CampaignState]
    approvals: Sequence[ApprovalState]
    waiting: int
    troubled: Sequence[CampaignState]
    stock: Sequence[StockLineState]
    budgets: Sequence[BudgetState]
    funds: Sequence[FundsAwaitApproval]
    workflows: Sequence[WorkflowState]
    beats: Mapping[str, Beat]


_CAMPAIGNS: Final = """
SELECT state FROM campaigns
WHERE ($1::integer IS NULL OR number < $1) AND ($2::integer IS NULL OR number > $2)
  AND ($3 = '' OR manager_id = $3) AND ($4 = '' OR status = $4)
  AND ($5 = '' OR position(lower($5) IN lower(state->>'label')) > 0)
ORDER BY number * CASE WHEN $2::integer IS NULL THEN -1 ELSE 1 END LIMIT $6
"""
_MINE: Final = """
outcome = 'pending' AND ($2 = ANY (reviewers) OR (reviewers = '{}' AND $3))
"""
_PENDING: Final = f"""
SELECT state FROM approvals
WHERE outcome = 'pending' AND ($1 OR requested_by = $2 OR ({_MINE}))
ORDER BY deadline_at, approval_id OFFSET $4 LIMIT $5
"""
_NEEDING: Final = "('new', 'ready_to_test', 'proof_pending', 'proof_generating')"
_OVERDUE: Final = f"""
SELECT a.state FROM approvals a LEFT JOIN campaigns c USING (campaign_id)
WHERE a.deadline_at < $1 AND (a.outcome = 'pending' OR (
    a.outcome = 'expired' AND a.deadline_at > $2 AND c.status IN {_NEEDING}
    AND NOT EXISTS (SELECT 1 FROM approvals b WHERE b.campaign_id = a.campaign_id
                    AND b.outcome IN ('pending', 'approved'))))
ORDER BY a.deadline_at, a.approval_id OFFSET $3 LIMIT $4
"""
_CHOICES: Final = """
SELECT state FROM choices
WHERE kind = $1 AND state IS NOT NULL
  AND ($2 = '' OR position(lower($2) IN lower(label)) > 0)
ORDER BY (alert <> '') DESC, label, id OFFSET $3 LIMIT $4
"""
_OVERVIEW: Final = f"""
WITH mine AS (
    SELECT state, number FROM campaigns
    WHERE manager_id = $2 AND status NOT IN ('finished', 'cancelled')
    ORDER BY number DESC LIMIT $1
), asked AS (
    SELECT state, deadline_at FROM approvals WHERE {_MINE} ORDER BY deadline_at LIMIT $1
), troubled AS (
    SELECT state, number FROM campaigns
    WHERE status = 'error' OR state->>'waiting_workflow' IS NOT NULL
    ORDER BY number DESC LIMIT $1
), short AS (
    SELECT state, label FROM choices
    WHERE kind = 'stock' AND alert <> '' AND state IS NOT NULL ORDER BY label LIMIT $1
), spent AS (
    SELECT state, label FROM choices
    WHERE kind = 'budget' AND (state->>'left_minor')::bigint <= 0 ORDER BY label LIMIT $1
), money AS (
    SELECT asked, asked_at FROM funds WHERE {MINE} ORDER BY asked_at, hold_id LIMIT $1
)
SELECT
    (SELECT coalesce(jsonb_agg(state ORDER BY number DESC), '[]') FROM mine) AS campaigns,
    (SELECT coalesce(jsonb_agg(state ORDER BY deadline_at), '[]') FROM asked) AS approvals,
    (SELECT count(*) FROM approvals WHERE {_MINE}) AS waiting,
    (SELECT coalesce(jsonb_agg(state ORDER BY number DESC), '[]') FROM troubled) AS troubled,
    (SELECT coalesce(jsonb_agg(state ORDER BY label), '[]') FROM short) AS stock,
    (SELECT coalesce(jsonb_agg(state ORDER BY label), '[]') FROM spent) AS budgets,
    (SELECT coalesce(jsonb_agg(asked ORDER BY asked_at), '[]') FROM money) AS funds,
    (SELECT coalesce(jsonb_agg(state ORDER BY name), '[]') FROM workflows) AS workflows,
    (SELECT coalesce(jsonb_agg(to_jsonb(heartbeats)), '[]') FROM heartbeats) AS beats
"""


class Reading:
    """The screens' queries in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def campaigns(
        self,
        wanted: CampaignFilter,
        operator_id: str,
        *,
        below: int | None = None,
        above: int | None = None,
        most: int = PAGE,
    ) -> Page:
        """Return a page of campaigns: the newest, or those next below or above a number."""
        rows = await self._connection.fetch(
            _CAMPAIGNS,
            below,
            above,
            operator_id if wanted.mine else "",
            wanted.status or "",
            wanted.words,
            most + 1,
        )
        states = [CampaignState.model_validate(row["state"]) for row in rows]
        shown, more = states[:most], len(states) > most
        if above is not None:
            return Page(shown[::-1], newer=more, older=True, filter=wanted)
        return Page(shown, newer=below is not None, older=more, filter=wanted)

    async def approvals(
        self,
        which: Which,
        operator_id: str,
        now: datetime,
        *,
        may_approve: bool,
        start: int = 0,
        most: int = PAGE,
    ) -> ApprovalPage:
        """Return a page of approvals from a position on, the most urgent first."""
        if which is Which.OVERDUE:
            rows = await self._connection.fetch(_OVERDUE, now, now - LATELY, start, most + 1)
        else:
            rows = await self._connection.fetch(
                _PENDING, which is Which.WAITING, operator_id, may_approve, start, most + 1
            )
        states = [ApprovalState.model_validate(row["state"]) for row in rows]
        return ApprovalPage(which, states[:most], start, more=len(states) > most)

    async def budgets(self, words: str, start: int = 0, *, most: int = PAGE) -> Listed[BudgetState]:
        """Return a page of budgets by label from a position on."""
        return await self._listed("budget", BudgetState, words, start, most)

    async def stock(
        self, words: str, start: int = 0, *, most: int = PAGE
    ) -> Listed[StockLineState]:
        """Return a page of stock lines from a position on, those with an alert first."""
        return await self._listed("stock", StockLineState, words, start, most)

    async def _listed(
        self, kind: str, made: type[S], words: str, start: int, most: int
    ) -> Listed[S]:
        rows = await self._connection.fetch(_CHOICES, kind, words, start, most + 1)
        found = [made.model_validate(row["state"]) for row in rows]
        return Listed(found[:most], start, len(found) > most, words)

    async def overview(self, operator_id: str, *, may_approve: bool) -> Overview:
        """Return what the Home tab shows one person."""
        row = await self._connection.fetchrow(_OVERVIEW, PAGE, operator_id, may_approve)
        if row is None:
            raise RuntimeError("a query without FROM has a row")
        return Overview(
            campaigns=[CampaignState.model_validate(one) for one in row["campaigns"]],
            approvals=[ApprovalState.model_validate(one) for one in row["approvals"]],
            waiting=row["waiting"],
            troubled=[CampaignState.model_validate(one) for one in row["troubled"]],
            stock=[StockLineState.model_validate(one) for one in row["stock"]],
            budgets=[BudgetState.model_validate(one) for one in row["budgets"]],
            funds=[FundsAwaitApproval.model_validate(one) for one in row["funds"]],
            workflows=[WorkflowState.model_validate(one) for one in row["workflows"]],
            beats={one["service"]: _beat(one) for one in row["beats"]},
        )


def _beat(row: Mapping[str, Any]) -> Beat:
    return Beat(datetime.fromisoformat(row["at"]), row["interval_seconds"])
