"""stockMgt in a running service, over a real broker."""

from __future__ import annotations

from datetime import date

from services.stock.app import SERVICE
from shared import kafka
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import running, send
from tests.integration.test_stock_lines import (
    a_file,
    a_line,
    a_reservation,
    an_order,
    check_invariants,
)
from tests.waiting import eventually
from topics.message import Message, message_type, system_actor
from topics.names import HEARTBEATS, STOCK_EVENTS, STOCK_STATE, WORKFLOWS_EVENTS, WORKFLOWS_STATE
from topics.stock import OrderReceived, StockAlertRaised, StockConsumed, StockReserved
from topics.workflows import Control, ControlWorkflow


async def control(runtime: Runtime, what: Control) -> None:
    await runtime.execute(
        ControlWorkflow(name="stockMgt", control=what, actor=system_actor("stock"))
    )


async def events(runtime: Runtime, count: int) -> list[Message]:
    """Return the first ``count`` messages on the stock's events topic."""
    client = kafka.reader(runtime.settings, [STOCK_EVENTS.name])
    await client.start()
    found: list[Message] = []

    async def read() -> bool:
        for records in (await client.getmany(timeout_ms=100)).values():
            for record in records:
                kind = message_type(dict(record.headers)["ce_type"].decode())
                assert kind is not None
                found.append(kind.model_validate_json(record.value))
        return len(found) >= count

    try:
        await eventually(read, what=f"{count} events")
    finally:
        await client.stop()
    return found


async def test_files_orders_and_alerts_wait_while_stock_mgt_is_stopped(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    await make_topics(
        runtime.settings,
        *runtime.topics,
        *(STOCK_EVENTS, STOCK_STATE, WORKFLOWS_EVENTS, WORKFLOWS_STATE, HEARTBEATS),
    )
    low, ordered = a_line(initial=10, alert_level=5), a_line(initial=10)
    for line in (low, ordered):
        await runtime.execute(line)
    await control(runtime, Control.STOP)
    reservation = a_reservation(low.line_id, 10)
    await runtime.execute(an_order(ordered.line_id, 5, date(2020, 1, 1)))
    async with running(runtime):
        await send(runtime, reservation, a_file(reservation, 6))
        assert [type(one) for one in await events(runtime, 1)] == [StockReserved]
        waiting = "SELECT count(*) = 1 FROM consumptions WHERE booked_at IS NULL"
        await eventually(lambda: runtime.pool.fetchval(waiting), what="the file's goods")
        assert await runtime.pool.fetchval("SELECT sum(consumed) FROM stock_lines") == 0
        assert not await runtime.pool.fetchval("SELECT bool_or(alert) FROM stock_lines")
        assert await runtime.pool.fetchval("SELECT sum(delivered) FROM stock_lines") == 0
        await control(runtime, Control.START)
        found = {type(one) for one in await events(runtime, 4)}
        assert found == {StockReserved, StockConsumed, OrderReceived, StockAlertRaised}
        await check_invariants(runtime)
