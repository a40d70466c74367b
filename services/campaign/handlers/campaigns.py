"""The commands of campaigns: what a manager asks, decided here."""

from __future__ import annotations

from dataclasses import replace

from services.campaign import conductor
from services.campaign.asking import AGAIN, ask_next, asked_again
from services.campaign.domain.campaigns import (
    BINDING,
    Campaign,
    HeldBack,
    after_edit,
    changed_fields,
    edited,
    move,
    named,
    planned,
)
from services.campaign.domain.gates import start_is_open, waits_for_person
from services.campaign.domain.series import proof_wanted
from services.campaign.domain.starts import confirmed
from services.campaign.domain.waves import check_waves
from services.campaign.handlers.deciding import locked, refused
from services.campaign.places import has_place
from services.campaign.runs import commands_of_run, freeze
from services.campaign.series import cancel_series, launch_series, resume_series, suspend_series
from services.campaign.store.campaigns import CampaignStore
from services.campaign.store.plans import PlanStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.actions import ActionMove, MoveActions
from topics.campaign import (
    CampaignCreated,
    CampaignEdited,
    CampaignFormOpened,
    CancelCampaign,
    CreateCampaign,
    EditCampaign,
    LaunchCampaign,
    OpenCampaignForm,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    SuspendCampaign,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import PauseDelivery, ResumeDelivery

registry = Registry()


@registry.on(OpenCampaignForm, refusal=refused)
async def open_form(command: OpenCampaignForm, work: Work) -> None:
    """Give the form its number."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    number = await CampaignStore(work.connection).number(command.campaign_id)
    work.emit(
        CampaignFormOpened(campaign_id=command.campaign_id, number=number, actor=command.actor)
    )


@registry.on(CreateCampaign, refusal=refused)
async def create(command: CreateCampaign, work: Work) -> None:
    """Save a new campaign, then have its target counted and its content made."""
    await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    store = CampaignStore(work.connection)
    if await store.lock(command.campaign_id) is not None:
        raise Refused("this campaign is saved already", field="campaign_id", code="saved_already")
    settings = work.settings
    campaign = planned(
        command.plan,
        campaign_id=command.campaign_id,
        number=0,
        manager_id=command.actor.id,
        zone=settings.muster_zone,
        now=work.now,
    )
    check_waves(campaign, campaign.start_at)
    campaign = await PlanStore(work.connection).under_program(campaign)
    campaign = replace(campaign, number=await store.number(command.campaign_id))
    campaign = conductor.ask_for_content(work, conductor.ask_for_count(work, campaign))
    await conductor.save(work, None, campaign, command.actor)
    await store.note(campaign.campaign_id, "created", command.actor.id, work.now)
    work.emit(
        CampaignCreated(
            campaign_id=campaign.campaign_id,
            number=campaign.number,
            label=campaign.label,
            actor=command.actor,
        )
    )


@registry.on(EditCampaign, refusal=refused)
async def edit(command: EditCampaign, work: Work) -> None:
    """Change a campaign; an edit of content or target asks for the proof again.

    Any edit of a suspended one does: its run ends where it is, and another one does the rest.
    """
    before = await locked(work, command.campaign_id, command.actor)
    after = edited(before, command.plan, now=work.now)
    await PlanStore(work.connection).check_program(after.program_id)
    changed = changed_fields(before, after)
    if {"waves", "start_at", "end_at", "targeting_id"} & set(changed):
        check_waves(after, max(after.start_at, work.now))
    if not changed or not await _first_time(work):
        return
    after, voids = _bound(work, before, after, changed)
    await conductor.save(work, before, after, command.actor, "edited")
    await CampaignStore(work.connection).note(
        after.campaign_id, "edited", command.actor.id, work.now, ", ".join(changed)
    )
    work.emit(
        CampaignEdited(
            campaign_id=after.campaign_id,
            fields=changed,
            voids_approval=voids,
            actor=command.actor,
        )
    )


async def _first_time(work: Work) -> bool:
    if work.cause is None:
        return True
    cause = f"{work.cause.source} {work.cause.id}"
    return await CampaignStore(work.connection).first_time(cause, work.now)


def _bound(
    work: Work, before: Campaign, after: Campaign, changed: tuple[str, ...]
) -> tuple[Campaign, bool]:
    """Return an edited campaign with what the edit entails, and whether it voids an approval."""
    resumes = before.status is Status.SUSPENDED
    binding = set(changed) if resumes else BINDING & set(changed)
    reason = f"{', '.join(sorted(binding))} was edited"
    if resumes:
        # Before the approval is withdrawn: that would stop the run without leaving its rest.
        after = replace(
            conductor.end_run(work, replace(before, problem=""), reason),
            **{name: getattr(after, name) for name in (*changed, "modified_at")},
        )
    voids = bool(binding) and before.snapshot_id is not None
    if voids:
        after = conductor.void_approval(work, after, reason)
    if "targeting_id" in changed:
        after = conductor.ask_for_count(work, after)
    if resumes or {"template_id", "supplier_service_id"} & set(changed):
        after = conductor.ask_for_content(work, after)
    return (after_edit(after) if binding else after), voids


@registry.on(RequestProof, refusal=refused)
async def request_proof(command: RequestProof, work: Work) -> None:
    """Freeze the target; the snapshot's arrival asks for the first approval, or the only one.

    While too many are under way, operationMgt does it once there is a place.
    """
    before = await locked(work, command.campaign_id, command.actor)
    if before.is_series:
        reason = f"{before.short} is {before.kind}: its occurrences are approved, each by itself"
        raise Refused(reason, code="proof_of_series", **named(before))
    if command.again:
        await conductor.save(work, before, asked_again(work, before), command.actor, AGAIN)
        return
    if waits_for_person(before):
        after = ask_next(work, before, submitted=True)
        await conductor.save(work, before, after, command.actor, "an approval was submitted")
        return
    if before.approved:
        raise Refused(
            f"{before.short} is approved already", code="approved_already", **named(before)
        )
    if before.snapshot_id is not None and before.status is not Status.ERROR:
        raise Refused(
            f"{before.short} has a proof or an approval under way",
            code="proof_under_way",
            **named(before),
        )
    check_waves(before, max(before.start_at, work.now))
    queued = replace(before, prove_at=work.now, held_back=HeldBack.QUEUED)
    if proof_wanted(queued) and not await has_place(work):
        await wake(work, "operationMgt")
        await conductor.save(work, before, queued, command.actor)
        return
    await conductor.save(
        work, before, freeze(work, before), command.actor, "the proof was asked for"
    )


@registry.on(LaunchCampaign, refusal=refused)
async def launch(command: LaunchCampaign, work: Work) -> None:
    """Make an approved campaign due now; of a recurring or periodic one, start the schedule."""
    before = await locked(work, command.campaign_id, command.actor)
    if before.is_series:
        await launch_series(work, before, command.actor)
        return
    if before.status is not Status.READY_TO_RUN:
        reason = f"{before.short} is {before.status}: only a ready_to_run one can be launched"
        raise Refused(reason, code="cannot_launch", **named(before))
    if not before.approved:
        reason = "its target is not approved yet: ask for the approval first"
        raise Refused(reason, code="target_not_approved")
    check_waves(before, work.now)
    if start_is_open(before):
        reason = "its start is not approved yet: ask for the approval first"
        raise Refused(reason, code="start_not_approved")
    await wake(work, "operationMgt")
    after = replace(confirmed(before, work.now), start_at=min(before.start_at, work.now))
    await conductor.save(work, before, after, command.actor)
    await CampaignStore(work.connection).note(
        after.campaign_id, "launched", command.actor.id, work.now
    )


@registry.on(SuspendCampaign, refusal=refused)
async def suspend(command: SuspendCampaign, work: Work) -> None:
    """Hold back messages and actions."""
    before = await locked(work, command.campaign_id, command.actor)
    after = move(before, Status.SUSPENDED)
    if after.is_series:
        await suspend_series(work, before, after, command.actor, command.reason)
        return
    if after.has_message:
        work.emit(PauseDelivery(campaign_id=after.campaign_id, actor=conductor.SYSTEM))
    _move_actions(work, after, ActionMove.SUSPEND)
    await conductor.save(work, before, after, command.actor, command.reason)


@registry.on(ResumeCampaign, refusal=refused)
async def resume(command: ResumeCampaign, work: Work) -> None:
    """Go on."""
    before = await locked(work, command.campaign_id, command.actor)
    if before.status is not Status.SUSPENDED:
        reason = f"{before.short} is {before.status}: only a suspended one can be resumed"
        raise Refused(reason, code="cannot_resume", **named(before))
    if before.is_series:
        await resume_series(work, before, command.actor)
        return
    after = move(before, Status.RUNNING)
    if after.has_message:
        work.emit(ResumeDelivery(campaign_id=after.campaign_id, actor=conductor.SYSTEM))
    _move_actions(work, after, ActionMove.RESUME)
    # What finished while it was suspended may have been the last of it.
    after = conductor.finish_if_complete(work, after)
    await conductor.save(work, before, after, command.actor)


def _move_actions(work: Work, campaign: Campaign, how: ActionMove) -> None:
    if campaign.has_actions:
        work.emit(MoveActions(campaign_id=campaign.campaign_id, move=how, actor=conductor.SYSTEM))


@registry.on(CancelCampaign, refusal=refused)
async def cancel(command: CancelCampaign, work: Work) -> None:
    """End a campaign that is not final; what it used so far is booked, the rest given back."""
    before = await locked(work, command.campaign_id, command.actor)
    after = replace(move(before, Status.CANCELLED), modified_at=work.now, problem="")
    reason = command.reason or "the campaign was cancelled"
    if after.is_series:
        await cancel_series(work, before, after, command.actor, reason)
        return
    conductor.stop_run(work, after, reason)
    if after.run_id is None:
        after = conductor.void_approval(work, after, reason)
    elif not after.has_message or after.delivery_done:
        after = conductor.close_accounts(work, after, reason)
    await conductor.save(work, before, after, command.actor, reason)


@registry.on(RetryCampaign, refusal=refused)
async def retry(command: RetryCampaign, work: Work) -> None:
    """Leave the error state the way it was entered: a new proof, or the run again."""
    before = await locked(work, command.campaign_id, command.actor)
    if before.status is not Status.ERROR:
        reason = f"{before.short} is {before.status}: only one in error can be retried"
        raise Refused(reason, code="cannot_retry", **named(before))
    if before.run_id is None:
        after = freeze(work, before)
    else:
        after = replace(move(before, Status.RUNNING), problem="")
        for start in commands_of_run(after):
            work.emit(start)
    await conductor.save(work, before, after, command.actor, "retried")
