"""HTTP route of the provisional calendar: which campaigns to one target are too many for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel

from services.campaign.domain.local_times import local_of
from services.campaign.store.campaigns import CampaignStore
from shared.http import Here, may_read
from shared.pressure import Grouping, Meant, PressureRule, too_many

router = APIRouter(dependencies=[Depends(may_read)])

LONGEST: Final = 3660
A_DAY: Final = timedelta(days=1)


class CalendarLine(BaseModel):
    """A campaign with a message, on the day it starts in its zone."""

    campaign_id: UUID
    number: int
    label: str
    day: date
    priority: int
    left_out: bool


@router.get("/calendar")
async def calendar(
    runtime: Here,
    targeting: UUID,
    first: date,
    last: date,
    most: Annotated[int, Query(ge=1, le=1000)] = 3,
    days: Annotated[int, Query(ge=0, le=366)] = 15,
    per: Grouping = Grouping.NONE,
) -> list[CalendarLine]:
    """List the campaigns of one target by day, and say which a pressure rule would leave out.

    At most ``most`` messages in any ``days`` days, extended to whole periods (``per``); urgent
    campaigns go before others, earlier before later ones. It looks at campaigns, not at who in
    the target got something from campaigns to other targets.
    """
    if not 0 <= (last - first).days <= LONGEST or not 1900 <= first.year <= 9000:
        raise HTTPException(422, f"last must follow first by at most {LONGEST} days")
    rule = PressureRule(most, days, per)
    since = datetime.combine(rule.window_start(first), time.min, UTC) - A_DAY
    until = datetime.combine(last, time.max, UTC) + A_DAY
    async with runtime.uow.begin() as work:
        found = await CampaignStore(work.connection).calendar(targeting, since, until)
    # In its own zone a campaign may start a day before or after.
    meant = [
        Meant(one.campaign_id, local_of(one.start_at, one.zone).date(), -one.priority)
        for one in found
    ]
    out = too_many(meant, rule)
    return [
        CalendarLine(
            campaign_id=one.campaign_id,
            number=one.number,
            label=one.label,
            day=message.day,
            priority=one.priority,
            left_out=one.campaign_id in out,
        )
        for one, message in zip(found, meant, strict=True)
        if first <= message.day <= last
    ]
