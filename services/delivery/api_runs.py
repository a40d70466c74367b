"""HTTP routes over a delivery's runs: sent again, slowed down; and the limits of domains."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.delivery.domain import pace
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.lists import Lists
from services.delivery.store.pace import PaceStore
from services.delivery.wire import RunView
from shared.http import Caller, Here, carry_out, may_read
from shared.rights import Right, require
from topics.delivery import AgainScope, SendAgain, SetDeliveryPace

DOMAIN: Final = r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$"
Domain = Annotated[str, Path(pattern=DOMAIN, max_length=253)]
router = APIRouter(dependencies=[Depends(may_read)])


class NewAgain(BaseModel):
    """Which recipients of a run are sent to again."""

    model_config = ConfigDict(extra="forbid")

    scope: AgainScope = AgainScope.FAILED


class NewPace(BaseModel):
    """How many messages a minute may leave; ``null`` lifts the limit."""

    model_config = ConfigDict(extra="forbid")

    rate_per_minute: int | None = Field(default=None, gt=0, le=10_000_000)


class DomainLimit(BaseModel):
    """What a destination's domain may get: a minute, and a day while it is being warmed up."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    per_minute: int | None = Field(default=None, gt=0, le=10_000_000)
    warmup_from: date | None = None
    warmup_start: int | None = Field(default=None, gt=0, le=10_000_000)
    warmup_factor: Decimal = Field(default=Decimal(2), ge=1, le=10, max_digits=6, decimal_places=3)

    @model_validator(mode="after")
    def _whole(self) -> DomainLimit:
        if (self.warmup_from is None) != (self.warmup_start is None):
            message = "warmup_from and warmup_start come together"
            raise ValueError(message)
        if self.per_minute is None and self.warmup_start is None:
            message = "give per_minute, or warmup_from and warmup_start"
            raise ValueError(message)
        return self


class DomainLimitView(DomainLimit):
    """A limit with its domain."""

    domain: str


@router.post("/deliveries/{delivery_id}/runs/{run_id}/again")
async def send_again(
    delivery_id: UUID, run_id: UUID, body: NewAgain, actor: Caller, runtime: Here
) -> RunView:
    """Send a run again to those whose message failed, or to all who got nothing though they may."""
    campaign_id = await _campaign_of(delivery_id, runtime)
    await carry_out(
        runtime,
        SendAgain(
            campaign_id=campaign_id,
            delivery_id=delivery_id,
            run_id=run_id,
            scope=body.scope,
            actor=actor,
        ),
    )
    return await _run(delivery_id, run_id, runtime)


@router.post("/deliveries/{delivery_id}/pace")
async def set_pace(delivery_id: UUID, body: NewPace, actor: Caller, runtime: Here) -> list[RunView]:
    """Limit what the runs under way hand over a minute; return the delivery's runs."""
    campaign_id = await _campaign_of(delivery_id, runtime)
    await carry_out(
        runtime,
        SetDeliveryPace(campaign_id=campaign_id, rate_per_minute=body.rate_per_minute, actor=actor),
    )
    async with runtime.pool.acquire() as connection:
        return await Lists(connection, addresses=False).runs(delivery_id)


async def _campaign_of(delivery_id: UUID, runtime: Here) -> UUID:
    async with runtime.pool.acquire() as connection:
        found = await DeliveryStore(connection).find(delivery_id)
    if found is None:
        raise HTTPException(404, "there is no such delivery")
    return found.campaign_id


async def _run(delivery_id: UUID, run_id: UUID, runtime: Here) -> RunView:
    async with runtime.pool.acquire() as connection:
        for run in await Lists(connection, addresses=False).runs(delivery_id):
            if run.run_id == run_id:
                return run
    raise HTTPException(404, "there is no such run of this delivery")


@router.get("/domains")
async def domain_limits(runtime: Here) -> list[DomainLimitView]:
    """Return the limits of destinations' domains."""
    async with runtime.pool.acquire() as connection:
        return [DomainLimitView.model_validate(one) for one in await PaceStore(connection).limits()]


@router.put("/domains/{domain}")
async def limit_domain(
    domain: Domain, body: DomainLimit, actor: Caller, runtime: Here
) -> DomainLimitView:
    """Limit what a destination's domain may get; it holds from the next window on."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        await PaceStore(work.connection).save(pace.Limit(domain=domain, **body.model_dump()))
    return DomainLimitView(domain=domain, **body.model_dump())


@router.delete("/domains/{domain}", status_code=204)
async def free_domain(domain: Domain, actor: Caller, runtime: Here) -> None:
    """Lift a domain's limit; what waits for it leaves when its time comes."""
    async with runtime.uow.begin() as work:
        await require(work, actor, Right.MANAGE_CAMPAIGNS)
        if not await PaceStore(work.connection).remove(domain):
            raise HTTPException(404, "this domain has no limit")
