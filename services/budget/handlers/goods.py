"""What the stock answers a hold, and what extraction files take for its cost types."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from services.budget.books import WORKFLOW, Books
from services.budget.domain.goods import GoodsStatus
from services.budget.domain.holds import Hold, HoldStatus, release
from services.budget.holding import give_back, reserved
from services.budget.stocking import all_held, give_goods_back
from services.budget.store.budgets import BudgetStore
from services.budget.store.goods import GoodsStore
from services.budget.store.holds import HoldRow, HoldStore
from shared.answers import AnswerStore
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.budget import FundsRefused, FundsReserved, ReserveFunds
from topics.funds import UseGoods
from topics.stock import ConsumeStock, StockReservationRefused, StockReserved

registry = Registry()


@registry.on(StockReserved)
async def goods_held(event: StockReserved, work: Work) -> None:
    """Note that a line has the goods; the last of a hold's lines lets its campaign go on."""
    row = await _answered(event.hold_id, event.reservation_id, GoodsStatus.HELD, work)
    if row is None or row.budget_id is None or not await all_held(row, work):
        return
    budget = await BudgetStore(work.connection).find(row.budget_id)
    if budget is not None:
        await _answer(row, reserved(row, budget), work)


@registry.on(StockReservationRefused)
async def goods_refused(event: StockReservationRefused, work: Work) -> None:
    """Refuse a hold whose goods are not there; its money and its other goods go back."""
    row = await _answered(event.hold_id, event.reservation_id, GoodsStatus.REFUSED, work)
    if row is None or row.budget_id is None:
        return
    books = await Books.open(work, row.budget_id, str(row.hold_id))
    if books is None:
        return
    decision = release(row.hold)
    refused = replace(decision, hold=Hold(HoldStatus.REFUSED))
    await HoldStore(work.connection).decide(row.hold_id, refused.hold)
    await give_back(books, row, refused)
    booked = await books.close()
    await give_goods_back(row, event.reason, work)
    answer = FundsRefused(
        campaign_id=row.campaign_id,
        hold_id=row.hold_id,
        budget_id=booked.budget_id,
        asked_minor=row.hold.amount_minor,
        left_minor=booked.balance.left_minor,
        reason=event.reason,
    )
    await _answer(row, answer, work)


async def _answered(
    hold_id: UUID | None, reservation_id: UUID, status: GoodsStatus, work: Work
) -> HoldRow | None:
    """Write what the stock answered; return the hold, locked, when it waited for that."""
    if hold_id is None:
        return None
    row = await HoldStore(work.connection).find_locked(hold_id)
    moved = await GoodsStore(work.connection).move(reservation_id, GoodsStatus.ASKED, status)
    return row if moved and row is not None and row.hold.account is not None else None


async def _answer(row: HoldRow, answer: FundsReserved | FundsRefused, work: Work) -> None:
    await AnswerStore(work.connection).keep(row.hold_id, ReserveFunds, answer)
    work.emit(answer)
    if await HoldStore(work.connection).commit_waits(row.hold_id):
        await wake(work, WORKFLOW)


@registry.on(UseGoods)
async def use_goods(command: UseGoods, work: Work) -> None:
    """Have the stock count what a file took; it counts a cause once, however often it is told."""
    for one in await GoodsStore(work.connection).of_hold(command.hold_id):
        if one.status is GoodsStatus.REFUSED:
            continue
        uses = one.need.uses(command.hold_id, command.cause_id, command.letters)
        for cause_id, pieces in uses.items():
            work.emit(
                ConsumeStock(
                    campaign_id=command.campaign_id,
                    reservation_id=one.reservation_id,
                    cause_id=cause_id,
                    quantity=pieces,
                )
            )
