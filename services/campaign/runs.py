"""A campaign's run: the commands that start it, over exactly what was approved."""

from __future__ import annotations

from collections.abc import Iterator

from services.campaign.domain import Campaign
from topics.actions import GenerateActions
from topics.delivery import StartDelivery
from topics.message import Command


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
