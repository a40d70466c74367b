"""The live view over a real broker: what transactions tell of, shown as rows, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.delivery.app import SERVICE, make_app
from services.delivery.invariants import broken
from services.delivery.tracking.activity import ActivitySource
from services.delivery.views import watch_activity, watch_of
from shared import live_views
from shared.relay import Relay
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.delivery_harness import MANAGER, Case
from tests.integration.test_core import send
from tests.integration.test_delivery_api import by
from tests.integration.test_delivery_indicators import CLICK, a_run, an_event, write
from tests.waiting import PATIENCE, eventually
from topics.delivery import ActivityCounts, DeliveryActivity
from topics.names import DELIVERY_ACTIVITY_CHANGELOG

SENT = ActivityCounts(sent=1, deferred=1)


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    wanted = {DeliveryActivity.topic, DELIVERY_ACTIVITY_CHANGELOG, *opened.topics}
    await make_topics(opened.settings, *wanted)
    return opened


@asynccontextmanager
async def watching(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(watch_activity(runtime, stop))
    try:
        await eventually(lambda: watch_of(runtime).live, what="the view being live")
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def shown(runtime: Runtime, case: Case) -> Any:
    """Return what the API shows of a case's run, ``None`` before it shows anything."""
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get(
            f"/api/v1/delivery/deliveries/{case.delivery_id}/live", headers=by(runtime, MANAGER)
        )
    assert answer.status_code == 200
    return next(iter(answer.json()), None)


async def violations(runtime: Runtime) -> list[str]:
    async with runtime.pool.acquire() as connection:
        return [line for line in await broken(connection) if "live view" in line]


async def test_what_is_told_is_shown_once_and_survives_a_restart(runtime: Runtime) -> None:
    case = await a_run(runtime, ("sent", ""), ("sent", ""))
    source = ActivitySource("sender")

    async def totals(**wanted: int) -> bool:
        found = await shown(runtime, case)
        return bool(found) and wanted.items() <= found["total"].items()

    await runtime.pool.execute("DELETE FROM outbox")
    async with runtime.uow.begin() as work:
        source.tell(work, case.run_id, SENT)
    await write(runtime, an_event(runtime, case, CLICK))
    again = DeliveryActivity(
        run_id=case.run_id, source="other", sequence=1, counts=SENT, at=runtime.clock.now()
    )
    async with watching(runtime):
        relay = asyncio.create_task(Relay(runtime.pool, runtime.settings, SERVICE.name).run())
        try:
            await eventually(lambda: totals(sent=1, deferred=1), what="the summary being shown")
        finally:
            relay.cancel()
            await asyncio.wait({relay}, timeout=6)
        await send(runtime, again, again, again)
        await eventually(lambda: totals(sent=2), what="the other source's summary")
    async with watching(runtime):
        tell = again.model_copy(update={"sequence": 2, "counts": ActivityCounts(clicks=1)})
        await send(runtime, again, tell)
        await eventually(lambda: totals(sent=2, deferred=2, clicks=1), what="what was recovered")
    found = await shown(runtime, case)
    assert found["minute"]["sent"] <= found["hour"]["sent"] == 2
    assert found["as_of"] >= found["last_at"]
    assert await violations(runtime) == []
    await runtime.pool.execute("DELETE FROM tracking_log")
    [line] = await violations(runtime)
    assert "shows 1 clicks, the rows are 0" in line


async def test_a_view_whose_changelog_is_missing_says_so_and_begins_once_it_is_there(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_views, "TOPICLESS_SECONDS", 0.1)
    runtime = await open_service(SERVICE)
    await make_topics(runtime.settings, DeliveryActivity.topic, *runtime.topics)
    stop = asyncio.Event()
    task = asyncio.create_task(watch_activity(runtime, stop))
    try:
        said = await eventually(lambda: capsys.readouterr().out, what="a word of it")
        assert DELIVERY_ACTIVITY_CHANGELOG.name in said
        assert "muster topics apply" in said
        await make_topics(runtime.settings, DELIVERY_ACTIVITY_CHANGELOG)
        await eventually(lambda: watch_of(runtime).live, what="the view being live")
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)
