"""Places: how many more targets may be frozen, and runs prepared, at once."""

from __future__ import annotations

from typing import Final

from services.campaign.settings import settings_of
from services.campaign.store.campaigns import CampaignStore
from shared.uow import Work

_LOCK: Final = "hashtext(current_schema() || '.places')"


async def free_places(work: Work) -> int:
    """Return how many places are free; nobody else is told of them before this transaction ends."""
    # Taken before they are counted: the count and what is started on it are one decision.
    await work.connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
    return await _free(work)


async def has_place(work: Work) -> bool:
    """Whether a place is free for what a person asks; not while operationMgt hands places out.

    It does not wait for that: what holds a campaign's row must not.
    """
    mine = await work.connection.fetchval(f"SELECT pg_try_advisory_xact_lock({_LOCK})")
    return bool(mine) and await _free(work) > 0


async def _free(work: Work) -> int:
    settings = settings_of(work)
    taken = await CampaignStore(work.connection).under_way(work.now - settings.preparation)
    return max(0, settings.campaign_limit_concurrency - taken)
