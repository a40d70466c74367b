"""Plans: campaigns that are approved and have not left, as pressure rules count them."""

from __future__ import annotations

from typing import Final

from services.delivery.store.pressure import PressureStore
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.campaign import CampaignState, CampaignStatus

PLANNED: Final = frozenset({CampaignStatus.READY_TO_RUN, CampaignStatus.RUNNING})
registry = Registry()


@registry.on(CampaignState)
async def campaign_seen(state: CampaignState, work: Work) -> None:
    """Keep what a campaign plans to send, and when; one that has no message plans nothing."""
    planned = state.status in PLANNED and state.delivery_id is not None
    await PressureStore(work.connection).see(state, planned=planned)
    if planned:
        await wake(work, "deliveryMgt")
