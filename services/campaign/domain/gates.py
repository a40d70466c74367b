"""The approvals a campaign passes one after the other: which are asked, and which is next. Pure."""

from __future__ import annotations

from services.campaign.domain.campaigns import Campaign
from topics.approval_rules import ApprovalRules
from topics.campaign import CampaignStatus as Status
from topics.delivery import ApprovalKind


def rules_of(campaign: Campaign) -> ApprovalRules:
    """Return how a campaign's approvals are asked."""
    return campaign.approvals or ApprovalRules()


def required(campaign: Campaign) -> tuple[ApprovalKind, ...]:
    """Return the approvals without which there is neither money nor a start, in their order."""
    if not campaign.has_message:
        return (ApprovalKind.TARGET,)
    rules = rules_of(campaign)
    order = (ApprovalKind.TARGET, ApprovalKind.PROOF, ApprovalKind.EXTERNAL_CONTENT)
    return tuple(kind for kind in order if kind is ApprovalKind.PROOF or rules.asks(kind))


def besides_proof(campaign: Campaign) -> tuple[ApprovalKind, ...]:
    """Return what deliveryMgt must find granted besides the proof before it starts a delivery."""
    kinds = (*required(campaign), ApprovalKind.START)
    rules, proof = rules_of(campaign), ApprovalKind.PROOF
    return tuple(kind for kind in kinds if kind is not proof and rules.asks(kind))


def start_is_open(campaign: Campaign) -> bool:
    """Whether the start itself is asked for and was not granted."""
    asks = rules_of(campaign).asks(ApprovalKind.START)
    return asks and ApprovalKind.START not in campaign.granted


def next_gate(campaign: Campaign) -> ApprovalKind | None:
    """Return the approval to ask for now; ``None`` while another is asked, or what it needs lacks.

    Where the target is approved first, its money and goods are held before the content is asked.
    """
    if campaign.asked is not None or campaign.snapshot_hash is None:
        return None
    if campaign.approved:
        ready = campaign.status is Status.READY_TO_RUN and start_is_open(campaign)
        return ApprovalKind.START if ready else None
    if "asked" in {campaign.funds, campaign.goods}:
        return None
    return next((kind for kind in required(campaign) if kind not in campaign.granted), None)


def waits_for_person(campaign: Campaign) -> bool:
    """Whether a person is to submit the next approval; the first one was, by asking for it all."""
    kind = next_gate(campaign)
    if kind is None or kind is required(campaign)[0]:
        return False
    rule = rules_of(campaign).of(kind)
    return rule is not None and not rule.automatic


def passed(campaign: Campaign) -> bool:
    """Whether every approval before the money's is granted."""
    return set(required(campaign)) <= set(campaign.granted)
