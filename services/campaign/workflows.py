"""operationMgt: starts the campaigns that are due, and ends those whose validity is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.campaign import conductor
from services.campaign.domain import Campaign, move
from services.campaign.runs import commands_of_run
from services.campaign.store import CampaignStore
from shared.ids import new_id
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.actions import ActionMove, MoveActions
from topics.campaign import CampaignStatus as Status
from topics.delivery import StopDelivery

# As many as Adobe's NmsOperation_LimitConcurrency starts at once.
AT_ONCE: Final = 10
VALIDITY_OVER: Final = "validity over"


async def operation_mgt(work: Work) -> Step:
    """Start or end up to ten campaigns that are due."""
    store = CampaignStore(work.connection)
    due = await store.due(work.now, AT_ONCE)
    for campaign in due:
        await start(work, campaign)
    ending = await store.ending(work.now, AT_ONCE)
    for campaign in ending:
        await end(work, campaign)
    done = len(due) + len(ending)
    return Step(rows_in=done, rows_out=done, more=AT_ONCE in {len(due), len(ending)})


async def start(work: Work, campaign: Campaign) -> None:
    """Start a due campaign's run."""
    running = replace(move(campaign, Status.RUNNING), run_id=new_id(), problem="")
    if running.earlier_runs and running.has_actions:
        resume = MoveActions(
            campaign_id=running.campaign_id, move=ActionMove.RESUME, actor=conductor.SYSTEM
        )
        work.emit(resume)
    for command in commands_of_run(running):
        work.emit(command)
    await conductor.save(work, campaign, running, conductor.SYSTEM, "started by operationMgt")


async def end(work: Work, campaign: Campaign) -> None:
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


OPERATION_MGT: Final = TechnicalWorkflow(
    name="operationMgt",
    label="Campaign jobs",
    label_fr="Traitements sur les opérations",
    package="Campaign",
    run=operation_mgt,
    timers=(conductor.START_TIMER, conductor.END_TIMER),
)
WORKFLOWS: Final = (OPERATION_MGT,)
