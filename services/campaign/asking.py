"""A campaign's approvals asked, one after the other, and what each end leads to."""

from __future__ import annotations

from dataclasses import replace

from services.campaign import conductor
from services.campaign.conductor import SYSTEM
from services.campaign.domain.campaigns import Campaign, move, without_approval
from services.campaign.domain.gates import next_gate, passed, rules_of, waits_for_person
from services.campaign.runs import freeze
from shared.errors import Refused
from shared.uow import Work
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    GenerateProof,
    RequestApproval,
    WithdrawApproval,
)
from topics.message import Actor, Command

AGAIN = "its approvals are asked again"
_BACK_TO_TEST = frozenset({Status.PROOF_GENERATING, Status.PROOF_PENDING, Status.READY_TO_RUN})


def ask_next(work: Work, campaign: Campaign, *, submitted: bool = False) -> Campaign:
    """Ask for the approval that is next, unless there is none or a person is to submit it."""
    kind = next_gate(campaign)
    if kind is None or (waits_for_person(campaign) and not submitted):
        return campaign
    work.emit(_request(campaign, kind))
    return replace(campaign, asked=kind)


def _request(campaign: Campaign, kind: ApprovalKind) -> Command:
    requested_by = Actor(id=campaign.manager_id, via=SYSTEM.via)
    snapshot_id = campaign.snapshot_id or campaign.campaign_id
    if kind is ApprovalKind.PROOF and campaign.delivery_id is not None:
        return GenerateProof(
            campaign_id=campaign.campaign_id,
            campaign_number=campaign.number,
            campaign_label=campaign.label,
            delivery_id=campaign.delivery_id,
            snapshot_id=snapshot_id,
            snapshot_hash=campaign.snapshot_hash or "",
            count=campaign.snapshot_members,
            chunks=campaign.snapshot_chunks,
            reviewer_ids=campaign.reviewer_ids,
            requested_by=requested_by,
            rules=rules_of(campaign),
            series_id=campaign.series_id,
        )
    return RequestApproval(
        campaign_id=campaign.campaign_id,
        campaign_number=campaign.number,
        campaign_label=campaign.label,
        snapshot_id=snapshot_id,
        snapshot_hash=campaign.snapshot_hash or "",
        count=campaign.snapshot_members,
        reviewer_ids=campaign.reviewer_ids,
        requested_by=requested_by,
        kind=kind,
        rules=rules_of(campaign),
    )


def after_decision(work: Work, campaign: Campaign, event: ApprovalDecided) -> Campaign:
    """Return a campaign after one of its approvals ended.

    Granted: the next is asked, or money and goods. Any other end: ready to test again.
    """
    if campaign.status is Status.PROOF_GENERATING and event.kind is ApprovalKind.PROOF:
        # The decision overtook ProofSent, which travels with it but is handled first or never.
        campaign = move(campaign, Status.PROOF_PENDING)
    if event.outcome is not ApprovalOutcome.APPROVED:
        return _sent_back(work, campaign, event)
    granted = tuple(dict.fromkeys((*campaign.granted, event.kind)))
    campaign = replace(campaign, granted=granted, asked=None)
    campaign = replace(campaign, approved=campaign.approved or passed(campaign))
    if campaign.approved or event.kind is ApprovalKind.TARGET:
        campaign = conductor.reserve(work, campaign)
    return ask_next(work, conductor.if_all_held(campaign))


def _sent_back(work: Work, campaign: Campaign, event: ApprovalDecided) -> Campaign:
    if campaign.granted and event.outcome is not ApprovalOutcome.WITHDRAWN:
        reason = f"the approval of its {event.kind} is {event.outcome}"
        work.emit(WithdrawApproval(campaign_id=campaign.campaign_id, reason=reason, actor=SYSTEM))
    return sent_back(
        without_approval(conductor.give_back(work, campaign, f"approval {event.outcome}"))
    )


def sent_back(campaign: Campaign) -> Campaign:
    """Return a campaign whose approval is void where it is tested again; a run goes on."""
    if campaign.has_message and campaign.status in _BACK_TO_TEST:
        return move(campaign, Status.READY_TO_TEST)
    return campaign


def asked_again(work: Work, campaign: Campaign) -> Campaign:
    """Return a campaign whose approvals are withdrawn and asked from the first on.

    Raises:
        Refused: nothing is asked or granted, its proof is being made, or it has started.
    """
    in_time = campaign.status in {Status.PROOF_PENDING, Status.READY_TO_RUN}
    of_target = campaign.asked is ApprovalKind.TARGET
    if campaign.snapshot_id is None or not (in_time or of_target):
        reason = f"{campaign.short} has no approval that could be asked again"
        raise Refused(reason, code="nothing_to_ask_again", campaign=campaign.short)
    return freeze(work, sent_back(conductor.void_approval(work, campaign, AGAIN)))
