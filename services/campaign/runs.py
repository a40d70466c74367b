"""A campaign's run: frozen for its approval, started over exactly what was approved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.campaign.domain.campaigns import Campaign, HeldBack, move, without_approval
from services.campaign.domain.gates import besides_proof
from shared.errors import Refused
from shared.ids import new_id
from shared.uow import Work
from topics.actions import GenerateActions
from topics.campaign import CampaignStatus as Status
from topics.delivery import StartDelivery
from topics.message import Command
from topics.targeting import ControlGroup, FreezeSnapshot


def commands_of_run(campaign: Campaign) -> Iterator[Command]:
    """Yield what starts a run; the receivers know a run that they have already."""
    if campaign.run_id is None or campaign.snapshot_id is None or campaign.snapshot_hash is None:
        return
    if campaign.delivery_id is not None and campaign.content_hash is not None:
        yield StartDelivery(
            campaign_id=campaign.campaign_id,
            run_id=campaign.run_id,
            delivery_id=campaign.delivery_id,
            campaign_number=campaign.number,
            campaign_label=campaign.label,
            snapshot_id=campaign.snapshot_id,
            snapshot_hash=campaign.snapshot_hash,
            content_hash=campaign.content_hash,
            count=campaign.snapshot_members,
            chunks=campaign.snapshot_chunks,
            waves=campaign.waves,
            approvals=besides_proof(campaign),
            weight=campaign.weight,
        )
    if campaign.action_model_ids:
        yield GenerateActions(
            campaign_id=campaign.campaign_id,
            run_id=campaign.run_id,
            snapshot_id=campaign.snapshot_id,
            snapshot_hash=campaign.snapshot_hash,
            chunks=campaign.snapshot_chunks,
            model_ids=campaign.action_model_ids,
        )


def freeze(work: Work, campaign: Campaign) -> Campaign:
    """Return the campaign with a new snapshot asked for.

    Raises:
        Refused: it has no target, or its state does not allow it.
    """
    if campaign.targeting_id is None or campaign.counts is None:
        reason = "choose a target first, and wait for its count"
        raise Refused(reason, field="targeting_id", code="no_target")
    if campaign.has_message:
        campaign = move(campaign, Status.PROOF_GENERATING)
    elif campaign.status is not Status.READY_TO_RUN:
        reason = "choose a template or action models first"
        raise Refused(reason, field="template_id", code="no_content")
    snapshot_id = new_id()
    work.emit(
        FreezeSnapshot(
            campaign_id=campaign.campaign_id,
            snapshot_id=snapshot_id,
            targeting_id=campaign.targeting_id or snapshot_id,
            control_group=_control_group(campaign),
        )
    )
    return replace(
        without_approval(campaign),
        snapshot_id=snapshot_id,
        snapshot_hash=None,
        asked_at=work.now,
        held_back=None if campaign.held_back is HeldBack.QUEUED else campaign.held_back,
        problem="",
    )


def _control_group(campaign: Campaign) -> ControlGroup | None:
    group = campaign.control_group
    if group is None or group.seed:
        return group
    return group.model_copy(update={"seed": str(campaign.campaign_id)})
