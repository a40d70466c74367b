"""Stock lines, reservations, consumptions, orders and alerts against a real database."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

import pytest

from services.stock.app import SERVICE
from services.stock.invariants import INVARIANTS, broken
from services.stock.workflows import manage_stock
from shared.clock import DrivenClock
from shared.registry import answer
from shared.service import Runtime
from tests.conftest import Open
from topics.cloudevents import Envelope
from topics.message import Actor, Message, Via, system_actor
from topics.operators import OperatorState, Role
from topics.stock import (
    ConsumeStock,
    OrderReceived,
    OrderStock,
    ReleaseStock,
    ReserveStock,
    SaveStockLine,
    StockAlertCleared,
    StockAlertRaised,
    StockConsumed,
    StockLineState,
    StockRefused,
    StockReleased,
    StockReservationRefused,
    StockReserved,
)

DAMAGES: Final = (
    "UPDATE stock_lines SET delivered = delivered + 1",
    "UPDATE reservations SET rest = rest + 1 WHERE status = 'held'",
    "UPDATE consumptions SET taken = taken - 1",
    "UPDATE orders SET received_at = NULL",
    "UPDATE ledger_entries SET quantity = 1 WHERE kind = 'initial'",
)
M = TypeVar("M", bound=Message)
STOCK = system_actor("stock")


@pytest.fixture
async def stock(open_service: Open) -> Runtime:
    return await open_service(SERVICE, DATABASE_POOL_SIZE="12")


def only(kind: type[M], emitted: list[Message]) -> M:
    found = [one for one in emitted if isinstance(one, kind)]
    assert len(found) == 1, emitted
    return found[0]


def a_line(**changes: object) -> SaveStockLine:
    fields: dict[str, object] = {
        "line_id": uuid4(),
        "actor": STOCK,
        "stock": "Paper",
        "label": "Envelopes C5",
        "initial": 10,
        "group": "purchasing",
    }
    return SaveStockLine.model_validate(fields | changes)


async def saved(runtime: Runtime, **changes: object) -> UUID:
    command = a_line(**changes)
    only(StockLineState, await runtime.execute(command))
    return command.line_id


def a_reservation(line_id: UUID, quantity: int) -> ReserveStock:
    return ReserveStock(
        campaign_id=uuid4(), reservation_id=uuid4(), line_id=line_id, quantity=quantity
    )


def a_release(reservation: ReserveStock) -> ReleaseStock:
    return ReleaseStock(
        campaign_id=reservation.campaign_id,
        reservation_id=reservation.reservation_id,
        reason="cancelled",
    )


def a_file(reservation: ReserveStock, quantity: int) -> ConsumeStock:
    return ConsumeStock(
        campaign_id=reservation.campaign_id,
        reservation_id=reservation.reservation_id,
        cause_id=uuid4(),
        quantity=quantity,
    )


def an_order(line_id: UUID, quantity: int, due_on: date) -> OrderStock:
    return OrderStock(
        order_id=uuid4(), line_id=line_id, quantity=quantity, due_on=due_on, actor=STOCK
    )


async def work_off(runtime: Runtime) -> list[Message]:
    """Run stockMgt's function until nothing is left; return what it emitted."""
    emitted: list[Message] = []
    while True:
        async with runtime.uow.begin() as work:
            step = await manage_stock(work)
            emitted += work.emitted
        if not step.more:
            return emitted


async def levels(runtime: Runtime, line_id: UUID) -> tuple[int, int, int, int]:
    row = await runtime.pool.fetchrow(
        "SELECT initial, delivered, consumed, reserved FROM stock_lines WHERE line_id = $1", line_id
    )
    assert row is not None
    return tuple(row.values())


async def check_invariants(runtime: Runtime) -> None:
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []


async def test_a_hundred_parallel_reservations_of_a_stock_of_ten_make_exactly_ten(
    stock: Runtime,
) -> None:
    line_id = await saved(stock, initial=10)
    commands = [a_reservation(line_id, 1) for _ in range(100)]
    answers = await asyncio.gather(*(stock.execute(command) for command in commands))
    kinds = [type(message) for emitted in answers for message in emitted]
    assert kinds.count(StockReserved) == 10
    assert kinds.count(StockReservationRefused) == 90
    assert await levels(stock, line_id) == (10, 0, 0, 10)
    await check_invariants(stock)


async def test_too_few_goods_are_refused_with_both_numbers(stock: Runtime) -> None:
    line_id = await saved(stock, initial=1200)
    await stock.execute(a_reservation(line_id, 200))
    emitted = await stock.execute(a_reservation(line_id, 1001))
    refused = only(StockReservationRefused, emitted)
    assert (refused.asked, refused.available) == (1001, 1000)
    assert refused.reason.startswith("1,001 of “Envelopes C5” are needed, but 1,000 are available")
    assert len(emitted) == 1


async def test_an_unknown_line_is_refused(stock: Runtime) -> None:
    refused = only(StockReservationRefused, await stock.execute(a_reservation(uuid4(), 1)))
    assert refused.available == 0
    assert "not known" in refused.reason


async def test_the_same_reservation_again_gets_the_same_answer(stock: Runtime) -> None:
    line_id = await saved(stock)
    held, refused = a_reservation(line_id, 4), a_reservation(line_id, 7)
    yes = only(StockReserved, await stock.execute(held))
    no = only(StockReservationRefused, await stock.execute(refused))
    await stock.execute(an_order(line_id, 50, date(2020, 1, 1)))
    await work_off(stock)
    assert await stock.execute(held) == [yes]
    assert await stock.execute(refused) == [no]
    assert await levels(stock, line_id) == (10, 50, 0, 4)


async def test_a_file_takes_its_goods_once(stock: Runtime) -> None:
    line_id = await saved(stock)
    reservation = a_reservation(line_id, 6)
    await stock.execute(reservation)
    file = a_file(reservation, 5)
    assert await stock.execute(file) == await stock.execute(file) == []
    consumed = only(StockConsumed, await work_off(stock))
    assert (consumed.quantity, consumed.in_stock) == (5, 5)
    assert await stock.execute(file) == [consumed]
    released = only(StockReleased, await stock.execute(a_release(reservation)))
    assert released.quantity == 1
    assert await levels(stock, line_id) == (10, 0, 5, 0)
    await check_invariants(stock)


async def test_a_file_never_takes_what_others_reserved(stock: Runtime) -> None:
    line_id = await saved(stock)
    ours, theirs = a_reservation(line_id, 4), a_reservation(line_id, 3)
    await stock.execute(ours)
    await stock.execute(theirs)
    await stock.execute(a_file(ours, 20))
    consumed = only(StockConsumed, await work_off(stock))
    assert (consumed.quantity, consumed.in_stock) == (7, 3)
    await stock.execute(a_file(theirs, 3))
    taken = only(StockConsumed, await work_off(stock))
    assert (taken.quantity, taken.in_stock) == (3, 0)
    await check_invariants(stock)


async def test_a_file_that_overtakes_its_reservation_waits_for_it(stock: Runtime) -> None:
    line_id = await saved(stock)
    reservation = a_reservation(line_id, 6)
    file = a_file(reservation, 5)
    assert await stock.execute(file) == []
    assert await work_off(stock) == []
    emitted = await stock.execute(reservation) + await work_off(stock)
    assert only(StockConsumed, emitted).quantity == 5
    assert [one.version for one in emitted if isinstance(one, StockLineState)] == [3, 4]
    assert await levels(stock, line_id) == (10, 0, 5, 1)
    await check_invariants(stock)


async def test_what_is_left_goes_back_behind_the_files_that_stock_mgt_has_to_book(
    stock: Runtime,
) -> None:
    line_id = await saved(stock)
    reservation = a_reservation(line_id, 6)
    await stock.execute(reservation)
    await stock.execute(a_file(reservation, 3))
    await stock.execute(a_file(reservation, 2))
    for _ in range(2):
        assert await stock.execute(a_release(reservation)) == []
    assert await levels(stock, line_id) == (10, 0, 0, 6), "nobody else gets it meanwhile"
    emitted = await work_off(stock)
    assert [one.quantity for one in emitted if isinstance(one, StockConsumed)] == [3, 2]
    released = only(StockReleased, emitted)
    assert released.quantity == 1
    assert await levels(stock, line_id) == (10, 0, 5, 0)
    assert await stock.execute(a_release(reservation)) == [released]
    await check_invariants(stock)


async def test_a_release_that_overtakes_its_reservation_keeps_it_from_being_made(
    stock: Runtime,
) -> None:
    line_id = await saved(stock)
    reservation = a_reservation(line_id, 6)
    assert await stock.execute(a_release(reservation)) == []
    refused = only(StockReservationRefused, await stock.execute(reservation))
    assert "given back" in refused.reason
    assert await levels(stock, line_id) == (10, 0, 0, 0)


async def test_an_order_arrives_on_its_day_in_the_zone_of_the_instance(
    open_service: Open,
) -> None:
    # 22:30 UTC on 1 May is 00:30 on 2 May in Paris.
    clock = DrivenClock(datetime(2026, 5, 1, 21, 30, tzinfo=UTC))
    stock = await open_service(SERVICE, clock, MUSTER_ZONE="Europe/Paris")
    line_id = await saved(stock)
    order = an_order(line_id, 90, date(2026, 5, 2))
    for _ in range(2):
        assert only(StockLineState, await stock.execute(order)).on_order == 90
    assert await work_off(stock) == []
    clock.advance(timedelta(hours=1))
    emitted = await work_off(stock)
    received = only(OrderReceived, emitted)
    assert (received.quantity, received.in_stock) == (90, 100)
    assert only(StockLineState, emitted).on_order == 0
    assert await work_off(stock) == []
    await check_invariants(stock)


async def test_an_alert_is_raised_once_a_crossing_and_cleared_when_goods_arrive(
    stock: Runtime,
) -> None:
    line_id = await saved(stock, alert_level=5)
    reservation = a_reservation(line_id, 10)
    await stock.execute(reservation)
    assert await work_off(stock) == [], "reserved goods are still in stock"
    await stock.execute(a_file(reservation, 5))
    raised = only(StockAlertRaised, await work_off(stock))
    assert (raised.in_stock, raised.crossing, raised.group) == (5, 1, "purchasing")
    await stock.execute(a_file(reservation, 1))
    assert {type(one) for one in await work_off(stock)} == {StockConsumed, StockLineState}
    await stock.execute(an_order(line_id, 2, date(2020, 1, 1)))
    cleared = only(StockAlertCleared, await work_off(stock))
    assert (cleared.in_stock, cleared.crossing) == (6, 1)
    await stock.execute(a_file(reservation, 3))
    assert only(StockAlertRaised, await work_off(stock)).crossing == 2
    await check_invariants(stock)


async def test_a_changed_alert_level_raises_and_clears_too(stock: Runtime) -> None:
    line_id = await saved(stock)
    await stock.execute(a_line(line_id=line_id, alert_level=10))
    assert only(StockAlertRaised, await work_off(stock)).in_stock == 10
    await stock.execute(a_line(line_id=line_id, alert_level=9))
    assert only(StockAlertCleared, await work_off(stock)).in_stock == 10


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_and_repeated_commands_keep_the_ledger_true(
    stock: Runtime, seed: int
) -> None:
    draw = random.Random(seed)
    line_id = await saved(stock, initial=100, alert_level=20)
    commands: list[Message] = []
    for _ in range(8):
        reservation = a_reservation(line_id, draw.randint(1, 40))
        commands += [reservation] * draw.randint(1, 3)
        commands += [a_release(reservation)] * draw.randint(0, 2)
        commands += [a_file(reservation, draw.randint(0, 30))] * draw.randint(0, 3)
        commands += [an_order(line_id, draw.randint(1, 20), date(2020, 1, 1))] * draw.randint(0, 2)
    draw.shuffle(commands)
    await asyncio.gather(*(stock.execute(command) for command in commands))
    await asyncio.gather(*(stock.execute(command) for command in commands), work_off(stock))
    await work_off(stock)
    await check_invariants(stock)


async def test_each_invariant_is_seen_to_break(stock: Runtime) -> None:
    line_id = await saved(stock)
    reservation = a_reservation(line_id, 8)
    for command in (
        reservation,
        a_file(reservation, 3),
        an_order(line_id, 5, date(2020, 1, 1)),
    ):
        await stock.execute(command)
    await work_off(stock)
    await check_invariants(stock)
    async with stock.pool.acquire() as connection:
        for damage in DAMAGES:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(damage)
            found = await broken(connection)
            await transaction.rollback()
            assert found, damage
            assert found[0].startswith("I7 ")


async def test_a_stock_below_zero_in_the_ledger_is_found(stock: Runtime) -> None:
    line_id = await saved(stock)
    await stock.execute(a_reservation(line_id, 8))
    await stock.pool.execute(
        "UPDATE ledger_entries SET quantity = 11 WHERE kind = 'reserve';"
        "UPDATE stock_lines SET initial = 11, reserved = 11;"
    )
    found = await stock.pool.fetch(INVARIANTS["I7 no stock was ever below zero or reserved twice"])
    assert [row["available"] for row in found] == [-1]


async def test_only_who_manages_stocks_saves_and_orders(stock: Runtime) -> None:
    reviewer = uuid4()
    await stock.execute(
        OperatorState(operator_id=reviewer, version=1, name="Ann", roles=(Role.REVIEWER,))
    )
    actor = Actor(id=str(reviewer), via=Via.SLACK)
    refused = only(StockRefused, await stock.execute(a_line(actor=actor)))
    assert (refused.command, refused.reason) == ("SaveStockLine", "Ann may not manage stocks")
    line_id = await saved(stock)
    order = an_order(line_id, 1, date(2026, 1, 1)).model_copy(update={"actor": actor})
    assert only(StockRefused, await stock.execute(order)).command == "OrderStock"


async def test_the_initial_stock_counts_once(stock: Runtime) -> None:
    line_id = await saved(stock, initial=10)
    again = only(StockLineState, await stock.execute(a_line(line_id=line_id, label="C5 white")))
    assert (again.label, again.initial, again.in_stock) == ("C5 white", 10, 10)
    refused = only(StockRefused, await stock.execute(a_line(line_id=line_id, initial=50)))
    assert refused.field == "initial"
    assert "counts once" in refused.reason


async def test_an_order_of_an_unknown_line_or_under_a_used_id_is_refused(stock: Runtime) -> None:
    line_id = await saved(stock)
    unknown = only(StockRefused, await stock.execute(an_order(uuid4(), 1, date(2026, 1, 1))))
    assert unknown.field == "line_id"
    order = an_order(line_id, 5, date(2026, 1, 1))
    await stock.execute(order)
    other = order.model_copy(update={"quantity": 6})
    assert only(StockRefused, await stock.execute(other)).field == "order_id"
    assert await stock.pool.fetchval("SELECT on_order FROM stock_lines") == 5


async def as_message(runtime: Runtime, command: SaveStockLine, message_id: str) -> list[Message]:
    """Handle a command as if it came from a topic under an id."""
    async with runtime.uow.begin() as work:
        work.cause = Envelope("/muster/stock", message_id, command.ce_type, None, b"")
        entry = runtime.registry.entry(SaveStockLine)
        assert entry is not None
        await answer(entry, command, work)
        return list(work.emitted)


async def test_an_old_save_read_again_does_not_undo_a_later_one(stock: Runtime) -> None:
    old = a_line(alert_level=1)
    await as_message(stock, old, "old")
    await as_message(stock, a_line(line_id=old.line_id, alert_level=9), "new")
    again = only(StockLineState, await as_message(stock, old, "old"))
    assert again.alert_level == 9
