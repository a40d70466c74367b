"""Campaigns as they are published: the state message."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from services.campaign.domain.campaigns import Campaign, HeldBack
from services.campaign.domain.volumes import synthesis
from services.campaign.domain.waiting import Wait
from topics.campaign import CampaignPlan, CampaignState


def state_of(campaign: Campaign, wait: Wait | None = None) -> CampaignState:
    """Return the state message of a campaign; with what it waits for by code, where known."""
    counts = campaign.counts
    return CampaignState(
        campaign_id=campaign.campaign_id,
        version=campaign.version,
        number=campaign.number,
        label=campaign.label,
        status=campaign.status,
        start_at=campaign.start_at,
        end_at=campaign.end_at,
        zone=campaign.zone,
        manager_id=campaign.manager_id,
        targeting_id=campaign.targeting_id,
        template_id=campaign.template_id,
        delivery_id=campaign.delivery_id,
        budget_id=campaign.budget_id,
        plan=_plan_of(campaign),
        snapshot_id=campaign.snapshot_id,
        records=counts.records if counts else None,
        deals=counts.deals if counts else None,
        reachable=counts.reachable if counts else None,
        synthesis=synthesis(campaign),
        waiting_for=campaign.waiting_for,
        waiting_workflow=campaign.waiting_workflow,
        waiting_code=wait.code if wait else None,
        waiting_values=dict(wait.values) if wait else {},
        kind=campaign.kind,
        program_id=campaign.program_id,
        series_id=campaign.series_id,
        occurrence=campaign.occurrence,
        next_at=campaign.next_at,
        control_members=campaign.control_members,
        waves=campaign.wave_progress,
        missed=campaign.held_back is HeldBack.MISSED,
        weight=campaign.weight,
        created_at=campaign.created_at,
        modified_at=campaign.modified_at,
    )


_USUAL: Final = {one.name: one.default for one in fields(Campaign)}


def _unusual(campaign: Campaign, name: str) -> Any:
    """Return what was chosen otherwise than where nobody chooses; else nothing."""
    value = getattr(campaign, name)
    return None if value == _USUAL[name] else value


def _plan_of(campaign: Campaign) -> CampaignPlan:
    """Return the choices that a duplicate starts from."""
    return CampaignPlan(
        label=campaign.label,
        description=campaign.description or None,
        targeting_id=campaign.targeting_id,
        template_id=campaign.template_id,
        action_model_ids=campaign.action_model_ids or None,
        budget_id=campaign.budget_id,
        supplier_service_id=campaign.supplier_service_id,
        stock_line_id=campaign.stock_line_id,
        stock_quantity_per_letter=campaign.stock_per_letter if campaign.stock_line_id else None,
        reviewer_ids=campaign.reviewer_ids or None,
        program_id=campaign.program_id,
        priority=_unusual(campaign, "priority"),
        weight=_unusual(campaign, "weight"),
        severity=_unusual(campaign, "severity"),
        low_activity=_unusual(campaign, "low_activity"),
        control_group=campaign.control_group,
        # The dates of a calendar are of this campaign alone.
        waves=campaign.waves if campaign.waves and not campaign.waves.calendar else None,
        approvals=campaign.approvals,
    )
