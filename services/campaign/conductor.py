"""What every change of a campaign ends with, and the steps that several handlers share."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from services.campaign.domain.campaigns import Campaign, ended_for_rest, move, without_approval
from services.campaign.domain.earlier import EarlierRun
from services.campaign.domain.series import proof_wanted
from services.campaign.domain.starts import awaits_start, gives_work, is_ready
from services.campaign.domain.volumes import is_complete, volumes_planned, volumes_real
from services.campaign.domain.waiting import waiting
from services.campaign.states import state_of
from services.campaign.store.campaigns import CampaignStore
from shared.ids import new_id
from shared.timers import clear, set_timer
from shared.uow import Work
from shared.workflows import wake
from topics.actions import ActionMove, MoveActions
from topics.budget import CommitFunds, EstimateCost, ReleaseFunds, ReserveFunds
from topics.campaign import CampaignMoved
from topics.campaign import CampaignStatus as Status
from topics.delivery import PrepareDelivery, StopDelivery, WithdrawApproval
from topics.message import Actor, system_actor
from topics.stock import EstimateStock, ReleaseStock, ReserveStock
from topics.targeting import CountTarget

SYSTEM = system_actor("campaign")
START_TIMER = "campaign.start"
PROOF_TIMER = "campaign.proof"
END_TIMER = "campaign.end"
RUN_ENDED = "the run was ended by an edit"


async def save(
    work: Work, before: Campaign | None, after: Campaign, actor: Actor, reason: str = ""
) -> Campaign:
    """Write a campaign, tell of its move, publish its state, set its timers."""
    store = CampaignStore(work.connection)
    if is_ready(after) and not (before is not None and is_ready(before)):
        after = replace(after, ready_at=work.now)
    wait = waiting(after, await store.workflows(), now=work.now)
    after = replace(
        after,
        version=after.version + 1,
        waiting_for=wait.reason,
        waiting_workflow=wait.workflow,
    )
    if before is None:
        await store.insert(after)
    else:
        await store.save(after)
    if before is not None and before.status is not after.status:
        await store.note(
            after.campaign_id, f"{before.status} → {after.status}", actor.id, work.now, reason
        )
        work.emit(
            CampaignMoved(
                campaign_id=after.campaign_id,
                number=after.number,
                label=after.label,
                before=before.status,
                after=after.status,
                reason=reason,
                actor=actor,
            )
        )
    await _set_timers(work, after)
    if before is not None and gives_work(before, after):
        await wake(work, "operationMgt")
    work.emit(state_of(after, wait))
    return after


async def _set_timers(work: Work, campaign: Campaign) -> None:
    key = str(campaign.campaign_id)
    if awaits_start(campaign):
        await set_timer(work, START_TIMER, key, campaign.start_at)
    else:
        await clear(work, START_TIMER, key)
    if campaign.prove_at is not None and campaign.held_back is None and proof_wanted(campaign):
        await set_timer(work, PROOF_TIMER, key, campaign.prove_at)
    else:
        await clear(work, PROOF_TIMER, key)
    under_way = campaign.status in {Status.RUNNING, Status.SUSPENDED} and not campaign.is_series
    if under_way and not campaign.validity_over:
        await set_timer(work, END_TIMER, key, campaign.end_at)
    else:
        await clear(work, END_TIMER, key)


def ask_for_count(work: Work, campaign: Campaign) -> Campaign:
    """Have the target counted afresh; until then the campaign has no counts."""
    if campaign.targeting_id is not None:
        work.emit(CountTarget(campaign_id=campaign.campaign_id, targeting_id=campaign.targeting_id))
    return replace(campaign, counts=None)


def ask_for_content(work: Work, campaign: Campaign) -> Campaign:
    """Have the delivery made over the template; until then the campaign has no content."""
    if campaign.template_id is None:
        return replace(campaign, content_hash=None)
    delivery_id = campaign.delivery_id or new_id()
    work.emit(
        PrepareDelivery(
            campaign_id=campaign.campaign_id,
            delivery_id=delivery_id,
            template_id=campaign.template_id,
            supplier_service_id=campaign.supplier_service_id,
        )
    )
    return replace(campaign, delivery_id=delivery_id, content_hash=None)


def estimate(work: Work, campaign: Campaign) -> None:
    """Have the cost and the goods estimated, for the card the reviewer sees."""
    if campaign.budget_id is not None:
        work.emit(
            EstimateCost(
                campaign_id=campaign.campaign_id,
                budget_id=campaign.budget_id,
                volumes=volumes_planned(campaign),
            )
        )
    quantity = volumes_planned(campaign).letters * campaign.stock_per_letter
    if campaign.stock_line_id is not None:
        work.emit(
            EstimateStock(
                campaign_id=campaign.campaign_id,
                line_id=campaign.stock_line_id,
                quantity=quantity,
            )
        )


def reserve(work: Work, campaign: Campaign) -> Campaign:
    """Ask for the money and the goods of an approved campaign; no run holds them beside it."""
    campaign = close_earlier(work, campaign, done_only=False)
    if campaign.budget_id is not None and campaign.funds == "none":
        campaign = replace(campaign, hold_id=new_id(), funds="asked")
        work.emit(
            ReserveFunds(
                campaign_id=campaign.campaign_id,
                campaign_number=campaign.number,
                campaign_label=campaign.label,
                hold_id=campaign.hold_id or new_id(),
                budget_id=campaign.budget_id or campaign.campaign_id,
                requested_by=Actor(id=campaign.manager_id, via=SYSTEM.via),
                volumes=volumes_planned(campaign),
            )
        )
    quantity = volumes_planned(campaign).letters * campaign.stock_per_letter
    if campaign.stock_line_id is not None and quantity and campaign.goods == "none":
        campaign = replace(campaign, reservation_id=new_id(), goods="asked")
        work.emit(
            ReserveStock(
                campaign_id=campaign.campaign_id,
                reservation_id=campaign.reservation_id or new_id(),
                line_id=campaign.stock_line_id or campaign.campaign_id,
                quantity=quantity,
            )
        )
    return campaign


def if_all_held(campaign: Campaign) -> Campaign:
    """Return an approved campaign ready to run once its money and goods are held."""
    waiting_for_answers = "asked" in {campaign.funds, campaign.goods}
    if campaign.approved and not waiting_for_answers and campaign.status is Status.PROOF_PENDING:
        return move(campaign, Status.READY_TO_RUN)
    return campaign


def give_back(work: Work, campaign: Campaign, reason: str) -> Campaign:
    """Release what is held or asked; a late answer to a released hold is released again."""
    if campaign.hold_id is not None and campaign.funds in {"asked", "held"}:
        work.emit(
            ReleaseFunds(campaign_id=campaign.campaign_id, hold_id=campaign.hold_id, reason=reason)
        )
    goods = _release_goods(work, campaign, reason)
    return replace(goods, hold_id=None, funds="none", reservation_id=None, goods="none")


def _release_goods(work: Work, campaign: Campaign, reason: str) -> Campaign:
    if campaign.reservation_id is not None and campaign.goods in {"asked", "held"}:
        work.emit(
            ReleaseStock(
                campaign_id=campaign.campaign_id,
                reservation_id=campaign.reservation_id,
                reason=reason,
            )
        )
    return campaign


def void_approval(work: Work, campaign: Campaign, reason: str) -> Campaign:
    """Take back an open or granted approval with what hangs on it."""
    if campaign.snapshot_id is not None:
        work.emit(WithdrawApproval(campaign_id=campaign.campaign_id, reason=reason, actor=SYSTEM))
    campaign = give_back(work, campaign, reason)
    return replace(without_approval(campaign), modified_at=work.now)


def close_accounts(work: Work, campaign: Campaign, reason: str) -> Campaign:
    """Have what a campaign really cost booked, and unused goods given back; both are answered."""
    if campaign.hold_id is not None and campaign.funds == "held":
        work.emit(
            CommitFunds(
                campaign_id=campaign.campaign_id,
                hold_id=campaign.hold_id,
                volumes=volumes_real(campaign),
            )
        )
    return _release_goods(work, campaign, reason)


def end_run(work: Work, campaign: Campaign, reason: str) -> Campaign:
    """End the run of a suspended campaign, for another one to do the rest."""
    if campaign.run_id is not None and campaign.has_message:
        work.emit(
            StopDelivery(
                campaign_id=campaign.campaign_id,
                run_id=campaign.run_id,
                leave_rest=True,
                reason=reason,
                actor=SYSTEM,
            )
        )
    return close_earlier(work, ended_for_rest(campaign))


def close_earlier(work: Work, campaign: Campaign, *, done_only: bool = True) -> Campaign:
    """Have booked what ended runs cost, once, and the goods they did not use given back.

    A run with messages in doubt is waited for; where that cannot be, before the next hold, what it
    came to so far is booked, and what comes of the doubt with the next hold.
    """
    return replace(
        campaign,
        earlier_runs=tuple(
            _closed(work, campaign.campaign_id, run) if run.done or not done_only else run
            for run in campaign.earlier_runs
        ),
    )


def _closed(work: Work, campaign_id: UUID, run: EarlierRun) -> EarlierRun:
    if run.closed:
        return run
    if run.reservation_id is not None:
        work.emit(
            ReleaseStock(
                campaign_id=campaign_id, reservation_id=run.reservation_id, reason=RUN_ENDED
            )
        )
    if run.hold_id is None:
        return run.model_copy(update={"closed": True})
    work.emit(CommitFunds(campaign_id=campaign_id, hold_id=run.hold_id, volumes=run.used))
    return run.model_copy(update={"closed": True, "booked": run.used})


def finish_if_complete(work: Work, campaign: Campaign) -> Campaign:
    """Return a running campaign finished when nothing of its run is left to do."""
    if campaign.status is not Status.RUNNING or not is_complete(campaign):
        return campaign
    return finish(work, campaign)


def finish(work: Work, campaign: Campaign) -> Campaign:
    """Return the campaign finished, its accounts closed."""
    finished = move(campaign, Status.FINISHED)
    return replace(close_accounts(work, finished, "the campaign is finished"), problem="")


def stop_run(work: Work, campaign: Campaign, reason: str) -> None:
    """End what a run has under way: messages that have not left, actions not done."""
    if campaign.run_id is not None and campaign.has_message:
        work.emit(StopDelivery(campaign_id=campaign.campaign_id, reason=reason, actor=SYSTEM))
    if campaign.has_actions and (campaign.run_id is not None or campaign.earlier_runs):
        work.emit(
            MoveActions(campaign_id=campaign.campaign_id, move=ActionMove.CANCEL, actor=SYSTEM)
        )
