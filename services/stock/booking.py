"""Booking: what extraction files took leaves the stock, then what a reservation has left goes back.

A reservation's row is locked before its line's.
"""

from __future__ import annotations

from services.stock.domain import Levels, consume, release
from services.stock.reservations import Consumption, ReservationRow, ReservationStore
from services.stock.store import LineStore
from shared import faults
from shared.answers import AnswerStore
from shared.uow import Work
from topics.stock import ConsumeStock, ReleaseStock, StockConsumed, StockReleased


async def book_next(work: Work) -> bool:
    """Book the files of the reservation whose file waits longest; return whether one did."""
    store = ReservationStore(work.connection)
    reservation_id = await store.next_to_book()
    row = await store.lock(reservation_id) if reservation_id else None
    if row is None or row.line_id is None:
        return False
    for consumption in await store.waiting(row.reservation_id):
        row = await _book(consumption, row, work)
    if row.release_asked:
        await give_back(row, work)
    return True


async def _book(consumption: Consumption, row: ReservationRow, work: Work) -> ReservationRow:
    lines, store = LineStore(work.connection), ReservationStore(work.connection)
    assert row.line_id is not None, "a file is booked once its line is known"
    line = await lines.lock(row.line_id)
    levels = line.levels if line else Levels()
    decision = consume(levels, row.reservation, consumption.asked)
    await store.decide(row.reservation_id, decision.reservation)
    await store.consumed(consumption.cause_id, decision.quantity, work.now)
    if line is not None and decision.entries:
        booked = await lines.book(line, consumption.cause_id, decision.entries, work.now)
        faults.reach("stock.consumed")
        levels = booked.levels
        work.emit(booked.state)
    answer = StockConsumed(
        campaign_id=consumption.campaign_id,
        reservation_id=row.reservation_id,
        line_id=row.line_id,
        cause_id=consumption.cause_id,
        quantity=decision.quantity,
        in_stock=levels.in_stock,
    )
    await AnswerStore(work.connection).keep(consumption.cause_id, ConsumeStock, answer)
    work.emit(answer)
    return row.with_reservation(decision.reservation)


async def give_back(row: ReservationRow, work: Work) -> None:
    """Give back what is left of a locked reservation; answered once it is known which line."""
    lines, store = LineStore(work.connection), ReservationStore(work.connection)
    decision = release(row.reservation)
    await store.decide(row.reservation_id, decision.reservation)
    line = await lines.lock(row.line_id) if row.line_id else None
    if line is not None and decision.entries:
        booked = await lines.book(line, row.reservation_id, decision.entries, work.now)
        work.emit(booked.state)
    if row.line_id is not None:
        released = StockReleased(
            campaign_id=row.campaign_id,
            reservation_id=row.reservation_id,
            line_id=row.line_id,
            quantity=decision.quantity,
        )
        await AnswerStore(work.connection).keep(row.reservation_id, ReleaseStock, released)
        work.emit(released)
