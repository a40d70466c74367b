"""budgetMgt in a running service, over a real broker."""

from __future__ import annotations

from services.budget.app import SERVICE
from shared import kafka
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_budget_holds import a_commit, a_hold, a_save, balance, check_invariants
from tests.integration.test_core import running, send
from tests.waiting import eventually
from topics.budget import FundsCommitted, FundsReserved
from topics.expenses import CostsCalculated
from topics.message import Message, message_type, system_actor
from topics.names import BUDGET_EVENTS, BUDGET_STATE, HEARTBEATS, WORKFLOWS_EVENTS, WORKFLOWS_STATE
from topics.workflows import Control, ControlWorkflow


async def control(runtime: Runtime, what: Control) -> None:
    await runtime.execute(
        ControlWorkflow(name="budgetMgt", control=what, actor=system_actor("budget"))
    )


async def events(runtime: Runtime, count: int) -> list[Message]:
    """Return the first ``count`` messages on the budget's events topic, roll-ups left out."""
    client = kafka.reader(runtime.settings, [BUDGET_EVENTS.name])
    await client.start()
    found: list[Message] = []

    async def read() -> bool:
        for records in (await client.getmany(timeout_ms=100)).values():
            for record in records:
                kind = message_type(dict(record.headers)["ce_type"].decode())
                assert kind is not None
                if kind is not CostsCalculated:
                    found.append(kind.model_validate_json(record.value))
        return len(found) >= count

    try:
        await eventually(read, what=f"{count} events")
    finally:
        await client.stop()
    return found


async def test_a_commit_waits_while_budget_mgt_is_stopped_and_is_booked_when_it_starts(
    open_service: Open,
) -> None:
    runtime = await open_service(SERVICE)
    await make_topics(
        runtime.settings,
        *runtime.topics,
        *(BUDGET_EVENTS, BUDGET_STATE, WORKFLOWS_EVENTS, WORKFLOWS_STATE, HEARTBEATS),
    )
    save = a_save()
    await runtime.execute(save)
    await control(runtime, Control.STOP)
    hold, later = a_hold(save.budget_id, emails=100), a_hold(save.budget_id, emails=5)
    async with running(runtime):
        await send(runtime, hold, a_commit(hold, emails=90))
        await eventually(lambda: runtime.pool.fetchval("SELECT count(*) FROM commits"))
        # What comes after on the topic is handled, the cost still is not computed.
        await send(runtime, later)
        await eventually(lambda: runtime.pool.fetchval("SELECT count(*) = 2 FROM holds"))
        assert await balance(runtime, save.budget_id) == (100_000, 31_300 + 30_065, 0)
        await control(runtime, Control.START)
        found = await events(runtime, 3)
        await check_invariants(runtime)
    assert [type(one) for one in found].count(FundsReserved) == 2
    committed = next(one for one in found if isinstance(one, FundsCommitted))
    assert (committed.spent_minor, committed.released_minor) == (31_170, 130)
