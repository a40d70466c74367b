"""HTTP routes of a campaign's seeds: addresses that get what its recipients get."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.seeding import why_no_seeds
from services.delivery.store.seeds import SeedStore
from shared.errors import Refused
from shared.http import Caller, Here
from shared.rights import Right, require
from topics.delivery import Seed

router = APIRouter(prefix="/campaigns/{campaign_id}/seeds")


class SeedList(BaseModel):
    """The seeds of a campaign; those of its template do not count beside it."""

    model_config = ConfigDict(extra="forbid")

    seeds: tuple[Seed, ...] = Field(max_length=50)


@router.get("")
async def seeds(campaign_id: UUID, actor: Caller, runtime: Here) -> SeedList:
    """Return a campaign's seeds: its own, or else those of its template."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        return SeedList(seeds=tuple(await SeedStore(work.connection).of(campaign_id)))


@router.put("")
async def save_seeds(campaign_id: UUID, body: SeedList, actor: Caller, runtime: Here) -> SeedList:
    """Give a campaign seeds of its own, or none; they hold for runs that start from now on."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        if reason := why_no_seeds(body.seeds):
            raise Refused(reason, field="seeds")
        await SeedStore(work.connection).save(campaign_id, body.seeds, actor.id, work.now)
    return body


@router.delete("", status_code=204)
async def remove_seeds(campaign_id: UUID, actor: Caller, runtime: Here) -> None:
    """Give a campaign the seeds of its template again."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        await SeedStore(work.connection).remove(campaign_id)
