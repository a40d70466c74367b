"""Goods that a hold's cost types take: asked of the stock, given back to it, over messages."""

from __future__ import annotations

from services.budget.domain.goods import GoodsStatus
from services.budget.store.goods import GoodsStore
from services.budget.store.holds import HoldRow
from shared.uow import Work
from topics.stock import ReleaseStock, ReserveStock


async def all_held(row: HoldRow, work: Work) -> bool:
    """Return whether a hold has the goods it takes; what is not answered is asked, again too."""
    goods = await GoodsStore(work.connection).of_hold(row.hold_id)
    missing = [one for one in goods if one.status is GoodsStatus.ASKED]
    for one in missing:
        work.emit(
            ReserveStock(
                campaign_id=row.campaign_id,
                reservation_id=one.reservation_id,
                line_id=one.need.line_id,
                quantity=one.quantity,
                hold_id=row.hold_id,
            )
        )
    return not missing


async def give_goods_back(row: HoldRow, reason: str, work: Work) -> None:
    """Have the stock take back what a hold's files have not used; done once, asked once."""
    store = GoodsStore(work.connection)
    for one in await store.of_hold(row.hold_id):
        if one.status in {GoodsStatus.ASKED, GoodsStatus.HELD}:
            work.emit(
                ReleaseStock(
                    campaign_id=row.campaign_id, reservation_id=one.reservation_id, reason=reason
                )
            )
    await store.release(row.hold_id)
