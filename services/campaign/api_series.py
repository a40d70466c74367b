"""HTTP routes of schedules: set, their occurrences and coming dates, missed starts answered."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict

from services.campaign.api import CampaignDetail, read
from services.campaign.domain.series import dates
from services.campaign.store.campaigns import CampaignStore
from services.campaign.store.series import SeriesStore
from shared.http import Caller, Here, carry_out, may_read
from topics.schedules import AnswerMissedStart, CampaignKind, Schedule, SetSchedule

router = APIRouter(dependencies=[Depends(may_read)])

COMING: Final = 10


class NewSchedule(BaseModel):
    """A schedule to set; ``unique`` takes none."""

    model_config = ConfigDict(extra="forbid")

    kind: CampaignKind
    schedule: Schedule | None = None


class Answer(BaseModel):
    """What becomes of a missed start: made now, or dropped."""

    model_config = ConfigDict(extra="forbid")

    start: bool


def _local(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


Local = Annotated[str, BeforeValidator(_local)]
"""What a zone's clocks show: a date and a time that no offset belongs to."""


class OccurrenceView(BaseModel):
    """One date that became a campaign."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    local_at: Local
    zone: str
    starts_at: datetime
    occurrence_id: UUID
    campaign_number: int
    label: str
    status: str
    waiting_for: str | None


class ComingDate(BaseModel):
    """One date that will become a campaign."""

    model_config = ConfigDict(from_attributes=True)

    local: Local
    at: datetime
    to_be_approved: bool
    to_be_started: bool


class SeriesView(BaseModel):
    """A schedule, what became of its dates (latest first) and which come next.

    Ask on with ``before`` = ``next``.
    """

    kind: CampaignKind
    zone: str
    schedule: Schedule
    occurrences: list[OccurrenceView]
    coming: list[ComingDate]
    next: int | None


@router.put("/campaigns/{campaign_id}/schedule")
async def set_schedule(
    campaign_id: UUID, new: NewSchedule, actor: Caller, runtime: Here
) -> CampaignDetail:
    """Make a campaign recurring or periodic, or unique again; its launch starts the schedule."""
    await carry_out(
        runtime,
        SetSchedule(campaign_id=campaign_id, actor=actor, kind=new.kind, schedule=new.schedule),
    )
    return await read(campaign_id, runtime)


@router.get("/campaigns/{campaign_id}/occurrences")
async def occurrences(
    campaign_id: UUID,
    runtime: Here,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SeriesView:
    """Return a campaign's occurrences, and its next dates if its schedule goes on."""
    async with runtime.uow.begin() as work:
        campaign = await CampaignStore(work.connection).find(campaign_id)
        store = SeriesStore(work.connection)
        series = await store.get(campaign_id)
        if campaign is None or series is None:
            raise HTTPException(404, "there is no such campaign, or it has no schedule")
        found = await store.of(campaign_id, before, limit)
    coming = islice(dates(campaign, series), COMING)
    return SeriesView(
        kind=campaign.kind,
        zone=campaign.zone,
        schedule=series.schedule,
        occurrences=[OccurrenceView.model_validate(one) for one in found],
        coming=[ComingDate.model_validate(line) for line in coming],
        next=found[-1].number if len(found) == limit else None,
    )


@router.post("/campaigns/{campaign_id}/missed")
async def answer(campaign_id: UUID, how: Answer, actor: Caller, runtime: Here) -> CampaignDetail:
    """Say whether a campaign whose start was missed starts now, or is dropped."""
    await carry_out(
        runtime, AnswerMissedStart(campaign_id=campaign_id, actor=actor, start=how.start)
    )
    return await read(campaign_id, runtime)
