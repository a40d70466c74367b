"""What every command of a campaign begins and ends with: its right, its row, its refusal."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from services.campaign.domain.campaigns import Campaign
from services.campaign.store.campaigns import CampaignStore
from shared.errors import Refused
from shared.rights import Right, require
from shared.uow import Work
from topics.campaign import CampaignRefused
from topics.message import Actor


class OfCampaign(Protocol):
    """A command about one campaign."""

    @property
    def campaign_id(self) -> UUID:
        """The campaign's id."""
        ...

    @property
    def actor(self) -> Actor:
        """Who asks."""
        ...


def refused(command: OfCampaign, refusal: Refused) -> CampaignRefused:
    """Return the answer to a command that was not carried out."""
    return CampaignRefused(
        campaign_id=command.campaign_id,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
        code=refusal.code,
        values=refusal.values,
        actor=command.actor,
    )


async def locked(work: Work, campaign_id: UUID, actor: Actor) -> Campaign:
    """Return the campaign to change, locked.

    Raises:
        Refused: there is none, or the actor may not change campaigns.
    """
    await require(work, actor, Right.MANAGE_CAMPAIGNS)
    campaign = await CampaignStore(work.connection).lock(campaign_id)
    if campaign is None:
        raise Refused("there is no such campaign", field="campaign_id", code="unknown_campaign")
    return campaign
