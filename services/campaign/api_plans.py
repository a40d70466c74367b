"""HTTP routes of plans and programs, and of the program a campaign hangs under."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.campaign.api import CampaignDetail, read
from services.campaign.domain.plans import Plan, Program
from services.campaign.store.plans import PlanStore
from shared.http import Caller, Here, carry_out, may_read
from topics.plans import MoveCampaign, SavePlan, SaveProgram

router = APIRouter(dependencies=[Depends(may_read)])

Limit = Annotated[int, Query(ge=1, le=1000)]


class PlanFields(BaseModel):
    """What a plan is made of."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    start_on: date
    end_on: date
    description: str = Field(default="", max_length=4000)
    budget_id: UUID | None = None


class ProgramFields(PlanFields):
    """What a program is made of; another plan moves it."""

    plan_id: UUID


class PlanView(PlanFields):
    """A plan as it stands."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    plan_id: UUID
    created_at: datetime
    modified_at: datetime


class ProgramView(ProgramFields):
    """A program as it stands."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    program_id: UUID
    created_at: datetime
    modified_at: datetime


class Under(BaseModel):
    """The program a campaign hangs under; ``null``: none."""

    model_config = ConfigDict(extra="forbid")

    program_id: UUID | None


@router.get("/plans")
async def plans(runtime: Here, limit: Limit = 200) -> list[PlanView]:
    """List plans, latest start first."""
    async with runtime.uow.begin() as work:
        found = await PlanStore(work.connection).plans(limit)
    return [PlanView.model_validate(one) for one in found]


@router.put("/plans/{plan_id}")
async def save_plan(plan_id: UUID, new: PlanFields, actor: Caller, runtime: Here) -> PlanView:
    """Create a plan under an id of the caller's, or change it as a whole."""
    await carry_out(runtime, SavePlan(plan_id=plan_id, actor=actor, **dict(new)))
    async with runtime.uow.begin() as work:
        return PlanView.model_validate(_found(await PlanStore(work.connection).plan(plan_id)))


@router.get("/programs")
async def programs(
    runtime: Here, plan: UUID | None = None, limit: Limit = 200
) -> list[ProgramView]:
    """List programs, of one plan or of all, latest start first."""
    async with runtime.uow.begin() as work:
        found = await PlanStore(work.connection).programs(plan, limit)
    return [ProgramView.model_validate(one) for one in found]


@router.put("/programs/{program_id}")
async def save_program(
    program_id: UUID, new: ProgramFields, actor: Caller, runtime: Here
) -> ProgramView:
    """Create a program under an id of the caller's, change it as a whole, or move it."""
    await carry_out(runtime, SaveProgram(program_id=program_id, actor=actor, **dict(new)))
    async with runtime.uow.begin() as work:
        found = await PlanStore(work.connection).program(program_id)
    return ProgramView.model_validate(_found(found))


@router.put("/campaigns/{campaign_id}/program")
async def move(campaign_id: UUID, under: Under, actor: Caller, runtime: Here) -> CampaignDetail:
    """Put a campaign under a program, or under none, whatever its state."""
    await carry_out(
        runtime, MoveCampaign(campaign_id=campaign_id, actor=actor, program_id=under.program_id)
    )
    return await read(campaign_id, runtime)


def _found(saved: Plan | Program | None) -> Plan | Program:
    if saved is None:
        raise HTTPException(404, "there is no such plan or program")
    return saved
