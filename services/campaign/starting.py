"""operationMgt's starts and ends: what is due starts by priority, as many as may at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.campaign import conductor
from services.campaign.domain.campaigns import Campaign, HeldBack, move
from services.campaign.domain.starts import pick
from services.campaign.places import free_places
from services.campaign.runs import commands_of_run
from services.campaign.series import tell_missed
from services.campaign.settings import settings_of
from services.campaign.store.campaigns import CampaignStore
from shared.ids import new_id
from shared.uow import Work
from topics.actions import ActionMove, MoveActions
from topics.campaign import CampaignStatus as Status
from topics.delivery import StopDelivery

LOOKED_AT: Final = 50
AT_ONCE: Final = 10
VALIDITY_OVER: Final = "validity over"


async def start_due(work: Work) -> int:
    """Start due campaigns as far as there is room, hold the others back; say how many changed."""
    settings, store = settings_of(work), CampaignStore(work.connection)
    free = min(AT_ONCE, await free_places(work))
    open_now = settings.low_activity.is_open(work.now, settings.zone)
    due = list(await store.due(work.now, LOOKED_AT))
    due += await store.held_back(open_now=open_now, limit=free)
    picked = pick(
        due,
        free=free,
        open_now=open_now,
        resting=await store.resting({one.series_id for one in due if one.series_id}),
        now=work.now,
        grace=settings.start_grace,
    )
    for campaign in picked.started:
        await start(work, campaign)
    for campaign, why in picked.held:
        after = replace(campaign, held_back=why)
        await conductor.save(work, campaign, after, conductor.SYSTEM)
        if why is HeldBack.MISSED:
            tell_missed(work, after)
    return len(picked.started) + len(picked.held)


async def start(work: Work, campaign: Campaign) -> None:
    """Start a due campaign's run."""
    running = replace(
        move(campaign, Status.RUNNING),
        run_id=new_id(),
        started_at=work.now,
        held_back=None,
        problem="",
    )
    if running.earlier_runs and running.has_actions:
        resume = MoveActions(
            campaign_id=running.campaign_id, move=ActionMove.RESUME, actor=conductor.SYSTEM
        )
        work.emit(resume)
    for command in commands_of_run(running):
        work.emit(command)
    await conductor.save(work, campaign, running, conductor.SYSTEM, "started by operationMgt")


async def end_due(work: Work) -> int:
    """End campaigns whose validity is over; say how many."""
    ending = await CampaignStore(work.connection).ending(work.now, AT_ONCE)
    for campaign in ending:
        await _end(work, campaign)
    return len(ending)


async def _end(work: Work, campaign: Campaign) -> None:
    """End a campaign at its end date: unsent messages are ignored, actions stay in the to-do."""
    if not campaign.all_delivered:
        work.emit(
            StopDelivery(
                campaign_id=campaign.campaign_id, reason=VALIDITY_OVER, actor=conductor.SYSTEM
            )
        )
        ending = replace(campaign, validity_over=True, problem=VALIDITY_OVER)
    else:
        ending = conductor.finish(work, replace(campaign, validity_over=True))
    await conductor.save(work, campaign, ending, conductor.SYSTEM, VALIDITY_OVER)
