"""Events that an enrichment service adds to before they are routed, over a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from services.events_status.app import SERVICE
from services.events_status.enrichment.connector import MOST_ANSWER_BYTES, Connector
from services.events_status.enrichment.enriching import Enricher, enrich_events
from services.events_status.erase import erase
from services.events_status.settings import settings_of
from services.events_status.workflows import process_realtime
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import said
from tests.integration.events_story import (
    ADDRESS,
    KIND,
    MANAGER,
    actor,
    broken,
    held_back,
    know_operators,
    statuses,
)
from tests.integration.http_sink import Sink, answer, close, listening
from tests.integration.test_events_status_rows import TEMPLATE, link, step, take
from tests.waiting import eventually
from topics.delivery import SendMessage
from topics.events import SetEventRules

SECRET = "a secret of the enrichment service"
Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with listening() as opened:
        yield opened


@pytest.fixture
async def runtime(open_service: Open, sink: Sink) -> Runtime:
    opened = await open_service(
        SERVICE,
        EVENTS_ENRICHMENT_URL=sink.url,
        EVENTS_ENRICHMENT_SECRET=SECRET,
        EVENTS_ENRICHMENT_SECONDS="0.5",
        EVENTS_MAX_TRIES="2",
        EVENTS_RETRY_BASE_SECONDS="0.1",
    )
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    await opened.execute(SetEventRules(event_type=KIND, enrich=True, actor=actor(MANAGER)))
    return opened


def says(change: Callable[[dict[str, Any]], Any]) -> Play:
    """Answer what a function makes of each event."""

    async def play(request: web.Request) -> web.StreamResponse:
        events = (await request.json())["events"]
        return web.json_response({"events": [change(one) for one in events]})

    return play


def added(one: dict[str, Any]) -> dict[str, Any]:
    return {"id": one["id"], "ctx": {"name": f"N {one['external_id']}"}}


def unless(poison: str, fails: Play) -> Play:
    """Answer well, but fail whenever an event of that name is asked about."""

    async def play(request: web.Request) -> web.StreamResponse:
        events = (await request.json())["events"]
        if any(one["external_id"] == poison for one in events):
            return await fails(request)
        return await says(added)(request)

    return play


async def enriched(runtime: Runtime) -> bool:
    """Route what waits, and have one call made; return whether there was something to ask."""
    await step(runtime, process_realtime)
    connector = Connector.of(settings_of(runtime.settings))
    assert connector is not None
    try:
        return await Enricher(runtime, connector).step(asyncio.Event())
    finally:
        await connector.close()


async def messages(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """Route what may be routed; return the ctx of each message by its event's CloudEvents id."""
    await step(runtime, process_realtime)
    rows = await runtime.pool.fetch("SELECT event_id, ce_id FROM events")
    names = {row["event_id"]: row["ce_id"] for row in rows}
    return {names[one.message_id]: one.ctx for one in await said(runtime, SendMessage)}


async def errors(runtime: Runtime) -> dict[str, tuple[str, int, str]]:
    rows = await runtime.pool.fetch("SELECT ce_id, status, errors, reason FROM events")
    return {row["ce_id"]: (row["status"], row["errors"], row["reason"]) for row in rows}


async def test_what_the_service_adds_is_in_the_message_and_the_call_is_signed(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "plain", kind="unheard.of")
    await take(runtime, "1", external_id="one", ctx={"order": "A-1", "name": "old"})
    assert await statuses(runtime) == {"plain": "not_covered", "1": "pending"}
    sink.will(says(added))
    assert await enriched(runtime)
    assert await messages(runtime) == {"1": {"order": "A-1", "name": "N one"}}
    [posted] = sink.posted
    [shown] = posted.json["events"]
    assert (shown["type"], shown["address"], shown["queue"]) == (KIND, ADDRESS, "realtime")
    headers = {name.lower(): value for name, value in posted.headers.items()}
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + posted.body
    mac = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert not await enriched(runtime)
    assert await broken(runtime) == []


async def test_types_without_that_rule_are_not_asked_about(runtime: Runtime, sink: Sink) -> None:
    await runtime.execute(SetEventRules(event_type=KIND, actor=actor(MANAGER)))
    await take(runtime, "1")
    assert await statuses(runtime) == {"1": "pending_delivery"}
    assert not await enriched(runtime)
    assert sink.posted == []


LONG = {"a": "x" * 300_000}
HUGE = {"events": [], "more": "x" * (MOST_ANSWER_BYTES + 1)}
BAD: dict[str, tuple[Play, str]] = {
    "a server error": (answer(500), "the enrichment service answered 500"),
    "a redirect": (answer(307, location="/else"), "the enrichment service answered 307"),
    "too many calls": (answer(429), "the enrichment service answered 429"),
    "no JSON": (answer(200), "the enrichment service answered no JSON"),
    "no list": (answer(200, {"events": 1}), "has no list 'events'"),
    "nothing of it": (answer(200, {"events": [1, {}]}), "does not name the event"),
    "a huge answer": (answer(200, HUGE), f"answered over {MOST_ANSWER_BYTES} bytes"),
    "a closed connection": (close, "cannot be reached"),
    "no ctx": (says(lambda one: {"id": one["id"], "ctx": 7}), "has no ctx for the event"),
    "an error": (says(lambda one: {"id": one["id"], "error": "who?"}), "refused: who?"),
    "a NUL": (says(lambda one: {"id": one["id"], "ctx": {"a": "\x00"}}), "holds a NUL character"),
    "too much": (says(lambda one: {"id": one["id"], "ctx": LONG}), "at most 262144"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_service_that_fails_has_the_event_tried_again_and_given_up_in_the_end(
    runtime: Runtime, sink: Sink, name: str
) -> None:
    play, reason = BAD[name]
    await take(runtime, "1", external_id="one")
    sink.will(play, play)
    assert await enriched(runtime)
    [(status, failed, why)] = (await errors(runtime)).values()
    assert (status, failed) == ("pending", 1)
    assert reason in why

    async def tried_again() -> bool:
        return await enriched(runtime)

    await eventually(tried_again, what="the second try")
    [(status, failed, why)] = (await errors(runtime)).values()
    assert (status, failed) == ("expired", 2)
    assert why.endswith("given up after 2 tries")
    assert await messages(runtime) == {}
    assert await broken(runtime) == []


async def test_a_service_that_hangs_or_is_not_there_is_waited_for_no_longer_than_set(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "1")
    sink.will(sink.hang)
    async with asyncio.timeout(5):
        assert await enriched(runtime)
    assert "did not answer within 0.5 s" in (await errors(runtime))["1"][2]
    gone = Connector("http://127.0.0.1:9/", SECRET.encode(), 0.5)
    await take(runtime, "2")
    await step(runtime, process_realtime)
    enricher = Enricher(runtime, gone)
    while await enricher.step(asyncio.Event()):
        pass
    await gone.close()
    assert "cannot be reached (ConnectError)" in (await errors(runtime))["2"][2]


@pytest.mark.parametrize("fails", [answer(500), answer(200)], ids=["500", "no JSON"])
async def test_one_event_that_makes_each_call_fail_harms_itself_alone(
    runtime: Runtime, sink: Sink, fails: Play
) -> None:
    async with held_back(runtime):
        for number in range(20):
            await take(runtime, str(number), external_id=str(number))
    sink.will(*[unless("13", fails)] * 12)
    assert await enriched(runtime)
    found = await errors(runtime)
    assert {name for name, (_, failed, _) in found.items() if failed} == {"13"}
    assert set(await messages(runtime)) == set(found) - {"13"}
    assert len(sink.posted) <= 11


async def test_a_service_that_fails_always_is_not_asked_about_each_event(
    runtime: Runtime, sink: Sink
) -> None:
    async with held_back(runtime):
        for number in range(40):
            await take(runtime, str(number))
    sink.will(*[answer(500)] * 100)
    assert await enriched(runtime)
    assert len(sink.posted) == 3
    assert {failed for _, failed, _ in (await errors(runtime)).values()} == {1}


async def test_an_answer_that_comes_after_the_address_was_erased_brings_nothing_back(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "1", external_id="one")

    async def erased_meanwhile(request: web.Request) -> web.StreamResponse:
        async with runtime.uow.begin() as work:
            assert await erase(work, recipient_key(work.settings.secret, "email", ADDRESS), "")
        return await says(added)(request)

    sink.will(erased_meanwhile)
    assert await enriched(runtime)
    assert await statuses(runtime) == {"1": "expired"}
    assert await runtime.pool.fetchval("SELECT ctx FROM events") == {}
    assert await runtime.pool.fetchval("SELECT count(*) FROM event_enrichments") == 0


async def test_a_call_that_died_is_made_again_once_its_lease_is_over(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "1", external_id="one")
    await step(runtime, process_realtime)
    await runtime.pool.execute(
        "UPDATE event_enrichments SET claim = event_id, calls = 1, lease_until = now() + '1 hour'"
    )
    assert not await enriched(runtime)
    await runtime.pool.execute("UPDATE event_enrichments SET lease_until = now() - '1 s'::interval")
    sink.will(says(added))
    assert await enriched(runtime)
    assert await messages(runtime) == {"1": {"order": "A-17", "name": "N one"}}


async def test_an_answer_that_comes_after_another_took_the_event_over_is_not_written(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "1", external_id="one")

    async def taken_over_meanwhile(request: web.Request) -> web.StreamResponse:
        await runtime.pool.execute("UPDATE event_enrichments SET claim = event_id")
        return await says(added)(request)

    sink.will(taken_over_meanwhile)
    assert await enriched(runtime)
    assert await messages(runtime) == {}
    assert await runtime.pool.fetchval("SELECT ctx FROM events") == {"order": "A-17"}
    assert await runtime.pool.fetchval("SELECT done_at FROM event_enrichments") is None


async def test_an_event_that_kills_whoever_asks_about_it_is_given_up(
    runtime: Runtime, sink: Sink
) -> None:
    await take(runtime, "1")
    await step(runtime, process_realtime)
    await runtime.pool.execute("UPDATE event_enrichments SET calls = 5")
    assert await enriched(runtime)
    assert "broken off 5 times" in (await errors(runtime))["1"][2]
    assert sink.posted == []


async def test_a_stopped_workflow_holds_enrichment_back(runtime: Runtime, sink: Sink) -> None:
    await take(runtime, "1", external_id="one")
    await step(runtime, process_realtime)
    async with held_back(runtime):
        assert not await enriched(runtime)
    sink.will(says(added))
    assert await enriched(runtime)


async def test_the_task_enriches_what_comes_until_it_is_stopped(
    runtime: Runtime, sink: Sink
) -> None:
    async with working(runtime):
        sink.will(says(added))
        event = await take(runtime, "1", external_id="one")
        await step(runtime, process_realtime)

        async def done() -> bool:
            return await enrichment_of(runtime, event) == "done"

        await eventually(done, what="the enrichment")
        sink.will(sink.hang)
        second = await take(runtime, "2")
        await step(runtime, process_realtime)
        await eventually(lambda: len(sink.posted) == 2, what="the second call")
    # Stopped in the middle of a call, it gives the event back, and no call is counted.
    row = await runtime.pool.fetchrow(
        "SELECT calls, lease_until FROM event_enrichments WHERE event_id = $1", second
    )
    assert row is not None
    assert tuple(row) == (0, None)


async def enrichment_of(runtime: Runtime, event: UUID) -> str | None:
    found: str | None = await runtime.pool.fetchval(
        "SELECT CASE WHEN done_at IS NULL THEN 'waiting' ELSE 'done' END"
        " FROM event_enrichments WHERE event_id = $1",
        event,
    )
    return found


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    """Have the service's task enrich what waits."""
    stop = asyncio.Event()
    task = asyncio.create_task(enrich_events(runtime, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def test_events_that_waited_when_the_service_was_taken_away_are_tried_and_given_up(
    open_service: Open,
) -> None:
    runtime = await open_service(SERVICE, EVENTS_MAX_TRIES="1")
    await know_operators(runtime)
    await runtime.execute(link(KIND, TEMPLATE))
    await runtime.pool.execute(
        "INSERT INTO event_rules VALUES ($1, true, NULL, 'before', now())", KIND
    )
    await take(runtime, "1")
    await step(runtime, process_realtime)
    [(status, _, why)] = (await errors(runtime)).values()
    assert status == "expired"
    assert "EVENTS_ENRICHMENT_URL" in why
    assert await broken(runtime) == []
