"""What budget and stock answer: means held, refused, booked and given back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.campaign import conductor
from services.campaign.answers import find
from services.campaign.asking import ask_next, sent_back
from services.campaign.conductor import SYSTEM
from services.campaign.domain.campaigns import FINAL, Campaign
from services.campaign.domain.starts import is_ready
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.budget import FundsCommitted, FundsRefused, FundsReserved, ReleaseFunds
from topics.stock import ReleaseStock, StockReleased, StockReservationRefused, StockReserved

registry: Final = Registry()


@registry.on(FundsReserved)
async def funds_reserved(event: FundsReserved, work: Work) -> None:
    """The money is held; a hold nobody wants any more goes back."""
    before = await find(work, event.campaign_id)
    if before is None or before.hold_id != event.hold_id:
        work.emit(
            ReleaseFunds(
                campaign_id=event.campaign_id, hold_id=event.hold_id, reason="no longer wanted"
            )
        )
        return
    if before.funds == "asked":
        await _held(work, before, replace(before, funds="held"))


@registry.on(StockReserved)
async def stock_reserved(event: StockReserved, work: Work) -> None:
    """The goods are held; a reservation nobody wants any more goes back.

    What a hold's cost types take is the budget's matter.
    """
    if event.hold_id is not None:
        return
    before = await find(work, event.campaign_id)
    if before is None or before.reservation_id != event.reservation_id:
        work.emit(
            ReleaseStock(
                campaign_id=event.campaign_id,
                reservation_id=event.reservation_id,
                reason="no longer wanted",
            )
        )
        return
    if before.goods == "asked":
        await _held(work, before, replace(before, goods="held"))


async def _held(work: Work, before: Campaign, after: Campaign) -> None:
    after = ask_next(work, conductor.if_all_held(after))
    if is_ready(after):
        await wake(work, "operationMgt")
    await conductor.save(work, before, after, SYSTEM, "money and goods are held")


@registry.on(FundsRefused)
async def funds_refused(event: FundsRefused, work: Work) -> None:
    """No money: the approval is void, the reason stands on the campaign."""
    before = await find(work, event.campaign_id)
    if before is not None and before.hold_id == event.hold_id and before.funds == "asked":
        await _means_refused(work, before, replace(before, funds="none"), event.reason)


@registry.on(StockReservationRefused)
async def stock_refused(event: StockReservationRefused, work: Work) -> None:
    """No goods: the approval is void, the reason stands on the campaign."""
    before = await find(work, event.campaign_id)
    if before is None or before.reservation_id != event.reservation_id:
        return
    if before.goods == "asked":
        await _means_refused(work, before, replace(before, goods="none"), event.reason)


async def _means_refused(work: Work, before: Campaign, after: Campaign, reason: str) -> None:
    voided = conductor.void_approval(work, after, reason)
    voided = replace(voided, problem=reason)
    await conductor.save(work, before, sent_back(voided), SYSTEM, reason)


@registry.on(FundsCommitted)
async def funds_committed(event: FundsCommitted, work: Work) -> None:
    """The real cost is booked."""
    before = await find(work, event.campaign_id)
    if before is not None and before.hold_id == event.hold_id and before.funds == "held":
        await conductor.save(work, before, replace(before, funds="closed"), SYSTEM)


@registry.on(StockReleased)
async def goods_given_back(event: StockReleased, work: Work) -> None:
    """What files took is booked, the rest is back."""
    before = await find(work, event.campaign_id)
    if before is None or before.reservation_id != event.reservation_id:
        return
    if before.goods == "held" and before.status in FINAL:
        await conductor.save(work, before, replace(before, goods="closed"), SYSTEM)
