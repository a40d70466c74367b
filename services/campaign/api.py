"""The HTTP routes of campaigns: search, read, create, edit, and every command of theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.campaign.states import state_of
from services.campaign.store.campaigns import NAMES, from_row
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from topics.campaign import (
    CampaignPlan,
    CampaignState,
    CampaignStatus,
    CancelCampaign,
    CreateCampaign,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    Severity,
    SuspendCampaign,
)
from topics.message import Actor, Command
from topics.waves import Waves

router = APIRouter(dependencies=[Depends(may_read)])


class JournalLine(BaseModel):
    """One line of a campaign's journal."""

    type: str
    operator: str
    at: datetime
    detail: str


class CampaignDetail(BaseModel):
    """A campaign with its texts, how it is to start, and its journal, newest line first."""

    state: CampaignState
    description: str
    remark: str
    priority: int
    severity: Severity
    low_activity: bool
    waves: Waves | None
    journal: list[JournalLine]


class CampaignPage(BaseModel):
    """Campaigns by number, highest first; ask on with ``before`` = ``next``."""

    campaigns: list[CampaignState]
    next: int | None


class NewCampaign(BaseModel):
    """A campaign to create; the id may be made by the caller, so that a retry is harmless."""

    model_config = ConfigDict(extra="forbid")

    campaign_id: UUID | None = None
    plan: CampaignPlan


class Reason(BaseModel):
    """Why a campaign is suspended or cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1000)


@router.get("/campaigns")
async def search(
    runtime: Here,
    status: CampaignStatus | None = None,
    label: Annotated[str | None, Query(max_length=200)] = None,
    manager: Annotated[str | None, Query(max_length=100)] = None,
    targeting: UUID | None = None,
    program: UUID | None = None,
    series: UUID | None = None,
    created_from: datetime | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CampaignPage:
    """Search campaigns by state, label, manager, target, program, series and creation date."""
    async with runtime.uow.begin() as work:
        rows = await work.connection.fetch(
            f"SELECT {NAMES} FROM campaigns WHERE ($1::text IS NULL OR status = $1)"
            " AND ($2::text IS NULL OR position(lower($2) IN lower(label)) > 0)"
            " AND ($3::text IS NULL OR manager_id = $3)"
            " AND ($4::uuid IS NULL OR targeting_id = $4)"
            " AND ($5::timestamptz IS NULL OR created_at >= $5)"
            " AND ($6::uuid IS NULL OR program_id = $6) AND ($7::uuid IS NULL OR series_id = $7)"
            " AND ($8::bigint IS NULL OR number < $8) ORDER BY number DESC LIMIT $9",
            status.value if status else None,
            label,
            manager,
            targeting,
            created_from,
            program,
            series,
            before,
            limit,
        )
    found = [state_of(from_row(row)) for row in rows]
    return CampaignPage(campaigns=found, next=found[-1].number if len(found) == limit else None)


@router.get("/campaigns/{campaign_id}")
async def read(campaign_id: UUID, runtime: Here) -> CampaignDetail:
    """Return a campaign with its journal."""
    async with runtime.uow.begin() as work:
        row = await work.connection.fetchrow(
            f"SELECT {NAMES} FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        if row is None:
            raise HTTPException(404, "there is no such campaign")
        lines = await work.connection.fetch(
            "SELECT type, operator, at, detail FROM journal WHERE campaign_id = $1"
            " ORDER BY entry_id DESC LIMIT 500",
            campaign_id,
        )
    campaign = from_row(row)
    return CampaignDetail(
        state=state_of(campaign),
        description=campaign.description,
        remark=campaign.remark,
        priority=campaign.priority,
        severity=campaign.severity,
        low_activity=campaign.low_activity,
        waves=campaign.waves,
        journal=[JournalLine(**dict(line)) for line in lines],
    )


@router.post("/campaigns", status_code=201)
async def create(new: NewCampaign, actor: Caller, runtime: Here) -> CampaignDetail:
    """Create a campaign; its label is the only field that must be set."""
    campaign_id = new.campaign_id or new_id()
    await carry_out(runtime, CreateCampaign(campaign_id=campaign_id, actor=actor, plan=new.plan))
    return await read(campaign_id, runtime)


@router.patch("/campaigns/{campaign_id}")
async def edit(
    campaign_id: UUID, plan: CampaignPlan, actor: Caller, runtime: Here
) -> CampaignDetail:
    """Change the fields that are given."""
    await carry_out(runtime, EditCampaign(campaign_id=campaign_id, actor=actor, plan=plan))
    return await read(campaign_id, runtime)


_PLAIN: dict[str, Callable[..., Command]] = {
    "proof": RequestProof,
    "launch": LaunchCampaign,
    "resume": ResumeCampaign,
    "retry": RetryCampaign,
}
_REASONED: dict[str, Callable[..., Command]] = {
    "suspend": SuspendCampaign,
    "cancel": CancelCampaign,
}


def _add_command(name: str, kind: Callable[..., Command], *, reasoned: bool) -> None:
    async def plain(campaign_id: UUID, actor: Caller, runtime: Here) -> CampaignDetail:
        return await _command(kind, campaign_id, actor, runtime)

    async def with_reason(
        campaign_id: UUID, why: Reason, actor: Caller, runtime: Here
    ) -> CampaignDetail:
        return await _command(kind, campaign_id, actor, runtime, reason=why.reason)

    endpoint: Callable[..., Any] = with_reason if reasoned else plain
    endpoint.__doc__ = kind.__doc__
    router.post(f"/campaigns/{{campaign_id}}/{name}", name=name)(endpoint)


async def _command(
    kind: Callable[..., Command], campaign_id: UUID, actor: Actor, runtime: Here, **more: str
) -> CampaignDetail:
    await carry_out(runtime, kind(campaign_id=campaign_id, actor=actor, **more))
    return await read(campaign_id, runtime)


for _name, _kind in _PLAIN.items():
    _add_command(_name, _kind, reasoned=False)
for _name, _kind in _REASONED.items():
    _add_command(_name, _kind, reasoned=True)
