"""What the stock service does with each command; every reservation is decided and answered once."""

from __future__ import annotations

from typing import Final

from services.stock.booking import give_back
from services.stock.domain import (
    MAX_QUANTITY,
    Reservation,
    ReservationStatus,
    initial,
    outlook,
    refuse,
    reserve,
)
from services.stock.reservations import ReservationStore
from services.stock.store import Line, LineStore
from shared import faults
from shared.answers import AnswerStore
from shared.errors import Refused
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.stock import (
    ConsumeStock,
    EstimateStock,
    OrderStock,
    ReleaseStock,
    ReserveStock,
    SaveStockLine,
    StockEstimated,
    StockRefused,
    StockReservationRefused,
    StockReserved,
)

WORKFLOW: Final = "stockMgt"
registry = Registry()


def _refuse(command: SaveStockLine | OrderStock, refusal: Refused) -> StockRefused:
    return StockRefused(
        line_id=command.line_id,
        actor=command.actor,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveStockLine, refusal=_refuse)
async def save_stock_line(command: SaveStockLine, work: Work) -> None:
    """Save a line; its initial stock counts once, an old message again changes nothing."""
    store = LineStore(work.connection)
    line = await store.lock(command.line_id)
    cause = f"{work.cause.source} {work.cause.id}" if work.cause else None
    if cause is not None and not await store.first_time(cause, work.now):
        if line is not None:
            work.emit(line.state)
        return
    await require(work, command.actor, Right.MANAGE_STOCKS)
    _check_initial(command, line)
    saved = await store.save(command)
    if line is None:
        saved = await store.book(saved, command.line_id, initial(command.initial), work.now)
    work.emit(saved.state)
    await wake(work, WORKFLOW)


def _check_initial(command: SaveStockLine, line: Line | None) -> None:
    if max(command.initial, command.alert_level) > MAX_QUANTITY:
        reason = f"a line holds {MAX_QUANTITY:,} at most"
        over_initial = command.initial > MAX_QUANTITY
        raise Refused(reason, field="initial" if over_initial else "alert_level")
    if line is not None and command.initial != line.levels.initial:
        reason = (
            f"“{line.label}” began with {line.levels.initial:,}, which counts once;"
            " order more instead"
        )
        raise Refused(reason, field="initial")


@registry.on(OrderStock, refusal=_refuse)
async def order_stock(command: OrderStock, work: Work) -> None:
    """Note an order, once per id; stockMgt receives it when its date is reached."""
    await require(work, command.actor, Right.MANAGE_STOCKS)
    store = LineStore(work.connection)
    line = await store.lock(command.line_id)
    if line is None:
        raise Refused("this stock line is not known; save it first", field="line_id")
    if command.quantity > MAX_QUANTITY:
        raise Refused(f"an order brings {MAX_QUANTITY:,} at most", field="quantity")
    known = await store.find_order(command.order_id)
    if known is not None and (known.line_id, known.quantity, known.due_on) != (
        command.line_id,
        command.quantity,
        command.due_on,
    ):
        raise Refused("this order id stands for another order", field="order_id")
    work.emit((await store.order(line, command, work.now)).state)
    await wake(work, WORKFLOW)


@registry.on(EstimateStock)
async def estimate_stock(command: EstimateStock, work: Work) -> None:
    """Say whether a line could cover a campaign; nothing is held, nothing changes."""
    line = await LineStore(work.connection).find(command.line_id)
    if line is None:
        return
    seen = outlook(line.levels, command.quantity, alert_level=line.alert_level)
    work.emit(
        StockEstimated(
            campaign_id=command.campaign_id,
            line_id=command.line_id,
            stock=line.stock,
            label=line.label,
            asked=command.quantity,
            available=line.levels.available,
            on_order=line.on_order,
            alert_level=line.alert_level,
            covered=seen.covered,
            reaches_alert=seen.reaches_alert,
        )
    )


@registry.on(ReserveStock)
async def reserve_stock(command: ReserveStock, work: Work) -> None:
    """Keep goods for a campaign, or refuse with both numbers."""
    store, answers = ReservationStore(work.connection), AnswerStore(work.connection)
    row = await store.claim(command.reservation_id, command.campaign_id, work.now)
    answer = await answers.find(command.reservation_id, ReserveStock)
    if answer is None:
        answer = await _decide(command, row.reservation, work)
        await answers.keep(command.reservation_id, ReserveStock, answer)
    work.emit(answer)
    await wake(work, WORKFLOW)


async def _decide(
    command: ReserveStock, reservation: Reservation, work: Work
) -> StockReserved | StockReservationRefused:
    lines, store = LineStore(work.connection), ReservationStore(work.connection)
    line = await lines.lock(command.line_id)
    quantity = min(command.quantity, MAX_QUANTITY)
    await store.describe(command.reservation_id, command.line_id, quantity)
    if line is None:
        await store.decide(command.reservation_id, refuse(reservation))
        return _refusal(command, 0, "this stock line is not known; choose one that was saved")
    available = line.levels.available
    decision = reserve(line.levels, reservation, command.quantity)
    await store.decide(command.reservation_id, decision.reservation)
    if decision.reservation.status is ReservationStatus.RELEASED:
        reason = "this reservation was given back before it was made; ask for a new one"
        return _refusal(command, available, reason)
    if decision.reservation.status is ReservationStatus.REFUSED:
        return _refusal(command, available, _too_few(line, command.quantity))
    booked = await lines.book(line, command.reservation_id, decision.entries, work.now)
    faults.reach("stock.reserved")
    work.emit(booked.state)
    return StockReserved(
        campaign_id=command.campaign_id,
        reservation_id=command.reservation_id,
        line_id=command.line_id,
        quantity=command.quantity,
        available=booked.levels.available,
        hold_id=command.hold_id,
    )


def _too_few(line: Line, asked: int) -> str:
    return (
        f"{asked:,} of “{line.label}” are needed, but {line.levels.available:,} are available;"
        " order more or narrow the target"
    )


def _refusal(command: ReserveStock, available: int, reason: str) -> StockReservationRefused:
    return StockReservationRefused(
        campaign_id=command.campaign_id,
        reservation_id=command.reservation_id,
        line_id=command.line_id,
        asked=command.quantity,
        available=available,
        reason=reason,
        hold_id=command.hold_id,
    )


@registry.on(ReleaseStock)
async def release_stock(command: ReleaseStock, work: Work) -> None:
    """Give back what a reservation has not consumed, behind the files that stockMgt has to book."""
    store, answers = ReservationStore(work.connection), AnswerStore(work.connection)
    row = await store.claim(command.reservation_id, command.campaign_id, work.now)
    answer = await answers.find(command.reservation_id, ReleaseStock)
    if answer is not None:
        work.emit(answer)
        return
    if row.line_id is not None and await store.waiting(command.reservation_id):
        await store.ask_release(command.reservation_id)
    else:
        await give_back(row, work)


@registry.on(ConsumeStock)
async def consume_stock(command: ConsumeStock, work: Work) -> None:
    """Note what a file took out of a reservation, once per file, for stockMgt to book."""
    answer = await AnswerStore(work.connection).find(command.cause_id, ConsumeStock)
    if answer is not None:
        work.emit(answer)
        return
    await ReservationStore(work.connection).request(command, work.now)
    await wake(work, WORKFLOW)
