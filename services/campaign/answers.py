"""What other services answer: counts, content, snapshots, approvals, holds, progress, ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from services.campaign import conductor
from services.campaign.asking import after_decision, ask_next
from services.campaign.conductor import SYSTEM
from services.campaign.domain.campaigns import Campaign, move, settled
from services.campaign.domain.starts import is_ready
from services.campaign.domain.waiting import waiting
from services.campaign.store.campaigns import CampaignStore
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.actions import ActionsCompleted, ActionsMoved, ActionsRefused
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalDecided,
    DeliveryFinished,
    DeliveryPrepared,
    DeliveryProgressed,
    DeliveryRefused,
    ProofFailed,
    ProofSent,
)
from topics.funds import UseGoods
from topics.stock import ConsumeStock
from topics.supplier import ExtractionProduced
from topics.targeting import SnapshotFrozen, TargetCounted, TargetRefused
from topics.workflows import WorkflowState

registry = Registry()


async def find(work: Work, campaign_id: UUID) -> Campaign | None:
    """Return a campaign, locked; ``None`` when the answer is not about one of ours."""
    return await CampaignStore(work.connection).lock(campaign_id)


@registry.on(TargetCounted)
async def counted(event: TargetCounted, work: Work) -> None:
    """Keep the counts of the target that is still chosen."""
    before = await find(work, event.campaign_id)
    if before is None or before.targeting_id != event.targeting_id:
        return
    after = settled(replace(before, counts=event.counts, problem=""))
    await conductor.save(work, before, after, SYSTEM, "target counted")


@registry.on(TargetRefused)
async def target_refused(event: TargetRefused, work: Work) -> None:
    """Say why there is no count, or no proof."""
    before = await find(work, event.campaign_id)
    if before is None or before.targeting_id != event.targeting_id:
        return
    after = replace(before, problem=f"target: {event.reason}")
    if event.snapshot_id is not None:
        if event.snapshot_id != before.snapshot_id:
            return
        after = replace(after, snapshot_id=None)
        if before.status is Status.PROOF_GENERATING:
            after = move(after, Status.ERROR)
    await conductor.save(work, before, after, SYSTEM, event.reason)


@registry.on(DeliveryPrepared)
async def prepared(event: DeliveryPrepared, work: Work) -> None:
    """Keep the content's hash; a change of content voids the approval."""
    before = await find(work, event.campaign_id)
    if before is None or before.delivery_id != event.delivery_id:
        return
    if before.template_id != event.template_id or before.content_hash == event.content_hash:
        return
    after = replace(
        before, content_hash=event.content_hash, send_doubles=event.send_doubles, problem=""
    )
    underway = {Status.PROOF_PENDING, Status.READY_TO_RUN}
    if before.status in underway and before.snapshot_id is not None:
        after = conductor.void_approval(work, after, "the content was edited")
        after = move(after, Status.READY_TO_TEST)
    await conductor.save(work, before, settled(after), SYSTEM, "content prepared")


@registry.on(DeliveryRefused)
async def delivery_refused(event: DeliveryRefused, work: Work) -> None:
    """Say why there is no content; a run that cannot start is an error."""
    before = await find(work, event.campaign_id)
    if before is None or before.delivery_id != event.delivery_id:
        return
    after = replace(before, problem=event.reason)
    if before.status is Status.RUNNING:
        after = move(after, Status.ERROR)
    await conductor.save(work, before, after, SYSTEM, event.reason)


@registry.on(SnapshotFrozen)
async def frozen(event: SnapshotFrozen, work: Work) -> None:
    """Ask for the proof over the snapshot, or for the approval of the target alone."""
    before = await find(work, event.campaign_id)
    if before is None or before.snapshot_id != event.snapshot_id or before.snapshot_hash:
        return
    after = replace(
        before,
        snapshot_hash=event.snapshot_hash,
        snapshot_members=event.members,
        snapshot_chunks=event.chunks,
        control_members=event.control,
        counts=event.counts,
    )
    conductor.estimate(work, after)
    await conductor.save(work, before, ask_next(work, after), SYSTEM)


@registry.on(ProofSent)
async def proof_sent(event: ProofSent, work: Work) -> None:
    """The proof is out: its approval is pending."""
    before = await find(work, event.campaign_id)
    if before is None or before.snapshot_id != event.snapshot_id:
        return
    if before.status is not Status.PROOF_GENERATING:
        return
    after = move(replace(before, content_hash=event.content_hash), Status.PROOF_PENDING)
    await conductor.save(work, before, after, SYSTEM, f"proof {event.proof_number} sent")


@registry.on(ProofFailed)
async def proof_failed(event: ProofFailed, work: Work) -> None:
    """The proof could not be made: an error, with a retry."""
    before = await find(work, event.campaign_id)
    if before is None or before.snapshot_id != event.snapshot_id:
        return
    if before.status is not Status.PROOF_GENERATING:
        return
    after = replace(move(before, Status.ERROR), problem=event.reason)
    await conductor.save(work, before, after, SYSTEM, event.reason)


@registry.on(ApprovalDecided)
async def decided(event: ApprovalDecided, work: Work) -> None:
    """Approved: go on to the next, or to money and goods. Else: ready to test again, and why."""
    before = await find(work, event.campaign_id)
    if event.file_id is not None or before is None or before.snapshot_id != event.snapshot_id:
        return
    reason = f"{event.outcome}{f': {event.reason}' if event.reason else ''}"
    await CampaignStore(work.connection).note(
        before.campaign_id,
        f"{event.kind} approval {event.outcome}",
        event.by.id,
        work.now,
        event.reason,
    )
    after = after_decision(work, before, event)
    if is_ready(after):
        await wake(work, "operationMgt")
    await conductor.save(work, before, after, event.by, reason)


@registry.on(DeliveryProgressed)
async def progressed(event: DeliveryProgressed, work: Work) -> None:
    """Keep the run's counts, newest revision only."""
    await _delivery_counts(work, event, done=False)


@registry.on(DeliveryFinished)
async def delivered(event: DeliveryFinished, work: Work) -> None:
    """No message is open: the campaign may be finished."""
    await _delivery_counts(work, event, done=True)


async def _delivery_counts(
    work: Work, event: DeliveryProgressed | DeliveryFinished, *, done: bool
) -> None:
    before = await find(work, event.campaign_id)
    if before is None:
        return
    if before.run_id != event.run_id:
        await _earlier_counts(work, before, event, done=done)
        return
    newer = event.revision > before.delivery_revision
    if not newer and not done:
        return
    is_prepared = not isinstance(event, DeliveryProgressed) or event.prepared
    after = replace(
        before,
        delivery_done=before.delivery_done or done,
        delivery_prepared=before.delivery_prepared or is_prepared,
    )
    if newer:
        after = replace(after, delivery_counts=event.counts, delivery_revision=event.revision)
    if newer and isinstance(event, DeliveryProgressed):
        after = replace(after, wave_progress=event.waves)
        await _note_wave(work, before, after)
    if done and before.status is Status.CANCELLED and before.funds == "held":
        after = conductor.close_accounts(work, after, "the campaign was cancelled")
    after = conductor.finish_if_complete(work, after)
    await conductor.save(work, before, after, SYSTEM, "all is delivered")


async def _note_wave(work: Work, before: Campaign, after: Campaign) -> None:
    told, waves = before.wave_progress, after.wave_progress
    if waves is not None and waves.opened > (told.opened if told is not None else 0):
        await CampaignStore(work.connection).note(
            after.campaign_id, f"wave {waves.opened} of {waves.total}", SYSTEM.id, work.now
        )


async def _earlier_counts(
    work: Work, before: Campaign, event: DeliveryProgressed | DeliveryFinished, *, done: bool
) -> None:
    """Keep the counts of a run that an edit ended; what it cost is booked once it is done."""
    run = before.earlier(event.run_id)
    if run is None:
        return
    changes: dict[str, Any] = {"done": run.done or done}
    if event.revision > run.revision:
        changes |= {"counts": event.counts, "revision": event.revision}
    changed = run.model_copy(update=changes)
    if changed == run:
        return
    after = conductor.close_earlier(work, before.with_earlier(changed))
    after = conductor.finish_if_complete(work, after)
    await conductor.save(work, before, after, SYSTEM, "all is delivered")


@registry.on(ActionsCompleted)
async def actions_completed(event: ActionsCompleted, work: Work) -> None:
    """All actions are generated."""
    before = await find(work, event.campaign_id)
    if before is None:
        return
    organisations, persons = event.organisations, event.persons
    if before.run_id == event.run_id:
        after = replace(
            before, actions_completed=True, organisations=organisations, persons=persons
        )
    elif (run := before.earlier(event.run_id)) is not None:
        reached = {"organisations": organisations, "persons": persons}
        after = before.with_earlier(run.model_copy(update=reached))
    else:
        return
    if event.revision > before.action_revision:
        after = replace(after, action_counts=event.counts, action_revision=event.revision)
    after = conductor.finish_if_complete(work, after)
    await conductor.save(work, before, after, SYSTEM, "all actions are generated")


@registry.on(ActionsMoved)
async def actions_moved(event: ActionsMoved, work: Work) -> None:
    """Actions were executed, cancelled, suspended, resumed or finished."""
    before = await find(work, event.campaign_id)
    if before is None or event.revision <= before.action_revision:
        return
    after = replace(before, action_counts=event.counts, action_revision=event.revision)
    after = conductor.finish_if_complete(work, after)
    await conductor.save(work, before, after, SYSTEM, "all is done")


@registry.on(ActionsRefused)
async def actions_refused(event: ActionsRefused, work: Work) -> None:
    """A run whose actions cannot be generated is an error."""
    before = await find(work, event.subject_id)
    if before is None or event.command != "GenerateActions":
        return
    after = replace(before, problem=event.reason)
    if before.status is Status.RUNNING:
        after = move(after, Status.ERROR)
    await conductor.save(work, before, after, SYSTEM, event.reason)


@registry.on(ExtractionProduced)
async def extracted(event: ExtractionProduced, work: Work) -> None:
    """The supplier's file is written: its goods leave the stock."""
    before = await find(work, event.campaign_id)
    if before is None:
        return
    if before.run_id == event.run_id:
        kept = before.reservation_id if before.goods == "held" else None
        hold_id, per_letter = before.hold_id, before.stock_per_letter
        after = replace(before, extracted=event.rows)
    elif (run := before.earlier(event.run_id)) is not None:
        kept, per_letter, hold_id = run.reservation_id, run.stock_per_letter, run.hold_id
        after = before.with_earlier(run.model_copy(update={"extracted": event.rows}))
    else:
        return
    if kept is not None:
        work.emit(
            ConsumeStock(
                campaign_id=before.campaign_id,
                reservation_id=kept,
                cause_id=event.file_id,
                quantity=event.rows * per_letter,
            )
        )
    if hold_id is not None:
        work.emit(
            UseGoods(
                campaign_id=before.campaign_id,
                hold_id=hold_id,
                cause_id=event.file_id,
                letters=event.rows,
            )
        )
    await conductor.save(work, before, after, SYSTEM)
    await CampaignStore(work.connection).note(
        before.campaign_id, "extraction file produced", SYSTEM.id, work.now, f"{event.rows} rows"
    )


@registry.on(WorkflowState)
async def workflow_changed(event: WorkflowState, work: Work) -> None:
    """Say on each campaign what it waits for now; none waits for an instance by name."""
    if event.instance_of is not None:
        return
    store = CampaignStore(work.connection)
    if not await store.keep_workflow(event.name, event.version, event.status):
        return
    after_number = 0
    while campaigns := await store.not_final(after_number, 500):
        for campaign in campaigns:
            await _say_again(work, campaign)
        after_number = campaigns[-1].number


async def _say_again(work: Work, campaign: Campaign) -> None:
    store = CampaignStore(work.connection)
    now_waits = waiting(campaign, await store.workflows(), now=work.now)
    if (now_waits.reason, now_waits.workflow) != (campaign.waiting_for, campaign.waiting_workflow):
        await conductor.save(work, campaign, campaign, SYSTEM)
