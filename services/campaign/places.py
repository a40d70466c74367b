"""Places: how many more targets may be frozen, and runs prepared, at once."""

from __future__ import annotations

from services.campaign.settings import settings_of
from services.campaign.store.campaigns import CampaignStore
from shared.uow import Work


async def free_places(work: Work) -> int:
    """Return how many places are free; nobody else is told of them before this transaction ends."""
    # Taken before they are counted: the count and what is started on it are one decision.
    await work.connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.places'))"
    )
    settings = settings_of(work)
    taken = await CampaignStore(work.connection).under_way(work.now - settings.preparation)
    return max(0, settings.campaign_limit_concurrency - taken)
