"""Events held back, sent again, counted and purged, as rows with a driven clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.archive.synchronising import synchronise
from services.events_status.copying import update_statuses
from services.events_status.erase import erase
from services.events_status.purge import TOO_LONG, purge_events
from services.events_status.statistics import count_events
from services.events_status.workflows import process_batch, process_realtime
from shared.clock import DrivenClock
from shared.ids import recipient_key
from shared.registry import answer
from shared.service import Runtime
from shared.uow import Work
from tests.conftest import Open
from tests.integration.events_story import (
    ADDRESS,
    KIND,
    MANAGER,
    READER,
    actor,
    broken,
    calling,
    held_back,
    know_operators,
    statuses,
)
from tests.integration.test_events_status_rows import TEMPLATE, as_, link, say, step, take
from tests.outboxes import outbox_of
from topics.cloudevents import Envelope
from topics.delivery import Outcome, SendMessage
from topics.events import ControlEvent, EventControl, EventControlled, EventsFound, FindEvents
from topics.names import EVENTS_BATCH

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOW)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock, MUSTER_ZONE="Europe/Paris")
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(runtime) as opened:
        yield opened


async def control(
    runtime: Runtime, client: httpx.AsyncClient, event: UUID, what: str, by: UUID = MANAGER
) -> httpx.Response:
    return await client.post(f"/events/{event}/{what}", headers=as_(runtime, by))


async def ends(runtime: Runtime, event: UUID, outcome: Outcome) -> list[Any]:
    """Process an event and have the delivery say what became of it."""
    _, said = await step(runtime, process_realtime)
    await say(runtime, event, outcome)
    await step(runtime, update_statuses)
    return said


async def exhausted(runtime: Runtime, run: Any) -> int:
    """Run a workflow's function until nothing is left; return how often."""
    for number in range(1, 100):
        if not (await step(runtime, run))[0].more:
            return number
    raise AssertionError("the step never ends")


async def test_a_paused_event_waits_for_its_resume(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    event = await take(runtime, "1", topic=EVENTS_BATCH)
    assert (await control(runtime, client, event, "pause", READER)).status_code == 403
    for _ in range(2):
        assert (await control(runtime, client, event, "pause")).json() == {"event_id": str(event)}
    await step(runtime, process_batch)
    assert await statuses(runtime) == {"1": "paused"}
    await control(runtime, client, event, "resume")
    await step(runtime, process_batch)
    assert await statuses(runtime) == {"1": "pending_delivery"}
    refused = await control(runtime, client, event, "pause")
    assert (refused.status_code, refused.json()["field"]) == (409, "control")
    assert (await control(runtime, client, uuid4(), "pause")).status_code == 409
    assert await broken(runtime) == []


@pytest.mark.parametrize("outcome", [Outcome.SENT, Outcome.IGNORED, Outcome.FAILED])
async def test_an_event_is_sent_again_as_another_one(
    runtime: Runtime, client: httpx.AsyncClient, outcome: Outcome
) -> None:
    event = await take(runtime, "1", external_id="X-1")
    assert (await control(runtime, client, event, "resend")).status_code == 409
    await ends(runtime, event, outcome)
    again = UUID((await control(runtime, client, event, "resend")).json()["event_id"])
    said = await ends(runtime, again, Outcome.SENT)
    [message] = [one for one in said if isinstance(one, SendMessage)]
    assert (message.message_id, message.address, message.ctx) == (again, ADDRESS, {"order": "A-17"})
    detail = (await client.get(f"/events/{again}", headers=as_(runtime, READER))).json()["event"]
    assert (detail["status"], detail["resent_from"]) == ("sent", str(event))
    assert detail["external_id"] == "X-1"
    assert await broken(runtime) == []


async def test_a_resend_that_is_replayed_makes_one_event(runtime: Runtime) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.FAILED)
    command = ControlEvent(event_id=event, control=EventControl.RESEND, actor=actor(MANAGER))
    entry = runtime.registry.entry(ControlEvent)
    assert entry is not None
    for identity in ("c-1", "c-1", "c-2"):
        async with runtime.uow.begin() as work:
            work.cause = Envelope("/bot", identity, command.ce_type, work.now, b"")
            await entry.handle(command, work)
    assert await runtime.pool.fetchval("SELECT count(*) FROM events") == 3


async def test_a_pause_replayed_later_holds_nothing_back_and_is_answered_once(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1", scheduled=(NOW + timedelta(hours=1)).isoformat())
    entry = runtime.registry.entry(ControlEvent)
    assert entry is not None
    said: list[Any] = []
    for identity, control in (("c-0", "resume"), ("c-1", "pause"), ("c-2", "resume")) * 2:
        command = ControlEvent(event_id=event, control=EventControl(control), actor=actor(MANAGER))
        async with runtime.uow.begin() as work:
            work.cause = Envelope("/bot", identity, command.ce_type, work.now, b"")
            await answer(entry, command, work)
            said += [one for one in work.emitted if isinstance(one, EventControlled)]
    assert [one.control for one in said] == ["resume", "pause", "resume"]
    history = await runtime.pool.fetch("SELECT after FROM event_history ORDER BY version")
    assert [row["after"] for row in history] == ["pending", "paused", "pending"]


async def test_what_was_not_covered_or_was_erased_is_not_sent_again(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    unknown = await take(runtime, "1", kind="unheard.of")
    await step(runtime, process_realtime)
    assert (await control(runtime, client, unknown, "resend")).status_code == 409
    event = await take(runtime, "2")
    await ends(runtime, event, Outcome.SENT)
    key = recipient_key(runtime.settings.secret, "email", ADDRESS)
    async with runtime.uow.begin() as work:
        await erase(work, key, ADDRESS)
    refused = await control(runtime, client, event, "resend")
    assert "erased" in refused.json()["detail"]


async def test_the_statistics_are_the_counted_rows_by_local_day(
    runtime: Runtime, client: httpx.AsyncClient, clock: DrivenClock
) -> None:
    clock.advance(datetime(2026, 11, 25, 22, 59, tzinfo=UTC) - NOW)
    first = await take(runtime, "1")
    clock.advance(timedelta(minutes=2))  # the next day in Paris
    second = await take(runtime, "2")
    await take(runtime, "3", kind="unheard.of")
    await ends(runtime, first, Outcome.SENT)
    await say(runtime, second, Outcome.SENT)
    await step(runtime, update_statuses)
    assert await exhausted(runtime, count_events) == 2
    assert await lines(runtime) == {
        (date(2026, 11, 25), "email", KIND, "sent", 1),
        (date(2026, 11, 26), "email", KIND, "sent", 1),
        (date(2026, 11, 26), "email", "unheard.of", "not_covered", 1),
    }
    # A bounce days later moves an event to another line of its own day.
    for days_looked_at in (2, 1):  # changes of the last two minutes are looked at once more
        clock.advance(timedelta(days=3))
        assert await exhausted(runtime, count_events) == days_looked_at
    await say(runtime, first, Outcome.FAILED)
    await step(runtime, update_statuses)
    await exhausted(runtime, count_events)
    assert (date(2026, 11, 25), "email", KIND, "delivery_error", 1) in await lines(runtime)
    assert len(await lines(runtime)) == 3
    page = await client.get("/statistics?since=2026-11-26", headers=as_(runtime, READER))
    assert [one["events"] for one in page.json()["lines"]] == [1, 1]


async def test_a_line_of_the_statistics_that_is_not_its_rows_is_found(
    runtime: Runtime, clock: DrivenClock
) -> None:
    clock.advance(datetime(2026, 11, 25, 23, 30, tzinfo=UTC) - NOW)  # the 26th in Paris
    await ends(runtime, await take(runtime, "1"), Outcome.SENT)
    clock.advance(timedelta(days=3))
    await take(runtime, "2")
    await step(runtime, process_realtime)
    await exhausted(runtime, count_events)
    assert await broken(runtime) == []
    await runtime.pool.execute("UPDATE event_statistics SET events = 7")
    sentence = "I2 the statistics of a day are its events, counted"
    (found,) = await broken(runtime)  # what was changed just now is looked at once more
    assert found == (
        f"{sentence}: day 2026-11-26, channel email, event_type {KIND}, status sent,"
        " counted 7, rows 1"
    )
    await runtime.pool.execute("INSERT INTO statistics_due VALUES ('2026-11-26')")
    assert await broken(runtime) == []
    await runtime.pool.execute("TRUNCATE event_statistics, statistics_due")
    assert len(await broken(runtime)) == 1


async def lines(runtime: Runtime) -> set[tuple[Any, ...]]:
    query = "SELECT day, channel, event_type, status, events + purged FROM event_statistics"
    return {tuple(row) for row in await runtime.pool.fetch(query)}


async def test_the_purge_keeps_what_is_on_its_way_and_the_statistics(
    runtime: Runtime, clock: DrivenClock
) -> None:
    done = await take(runtime, "done")
    await ends(runtime, done, Outcome.SENT)
    await take(runtime, "flying")
    await step(runtime, process_realtime)
    async with held_back(runtime):
        await take(runtime, "stuck")
    await take(runtime, "far", scheduled=(NOW + timedelta(days=300)).isoformat())
    await exhausted(runtime, count_events)
    counted = await lines(runtime)
    await exhausted(runtime, partial(synchronise, account="default"))
    clock.advance(timedelta(days=31, seconds=1))
    async with held_back(runtime):
        await take(runtime, "young")
    emitted: list[Any] = []

    async def purged(work: Work) -> Any:
        found = await purge_events(work)
        emitted.extend(work.emitted)
        return found

    await exhausted(runtime, purged)
    assert await statuses(runtime) == {
        "flying": "pending_delivery",
        "stuck": "expired",
        "far": "pending",
        "young": "pending",
    }
    reason = await runtime.pool.fetchval("SELECT reason FROM events WHERE ce_id = 'stuck'")
    assert reason == TOO_LONG
    tombs = [one for one in await outbox_of(runtime) if not one.value]
    assert [(one.topic, one.key) for one in tombs] == [("events.state.v1", str(done))]
    await exhausted(runtime, count_events)
    assert counted == {
        (NOW.date(), "email", KIND, "sent", 1),
        (NOW.date(), "email", KIND, "pending_delivery", 1),
        (NOW.date(), "email", KIND, "pending", 2),
    }
    assert {one for one in await lines(runtime) if one[0] == NOW.date()} == {
        (NOW.date(), "email", KIND, "sent", 1),
        (NOW.date(), "email", KIND, "pending_delivery", 1),
        (NOW.date(), "email", KIND, "pending", 1),
        (NOW.date(), "email", KIND, "expired", 1),
    }
    clock.advance(timedelta(days=400))
    await exhausted(runtime, purge_events)
    assert {one[0] for one in await lines(runtime)} == set()
    assert await broken(runtime) == []


async def test_a_search_from_slack_finds_a_few_with_their_statuses(runtime: Runtime) -> None:
    for number in range(7):
        event = await take(runtime, str(number), external_id="X-1")
    await ends(runtime, event, Outcome.SENT)

    async def found(**by: Any) -> EventsFound:
        search = FindEvents(search_id=uuid4(), **({"actor": actor(MANAGER)} | by))
        [answer] = await runtime.execute(search)
        assert isinstance(answer, EventsFound)
        return answer

    named = await found(external_id="X-1")
    assert (len(named.events), named.more) == (5, True)
    [one] = (await found(event_id=event)).events
    assert [change.status for change in one.history] == ["pending", "pending_delivery", "sent"]
    key = recipient_key(runtime.settings.secret, "email", ADDRESS)
    assert (await found(recipient_key=key)).events[0] == one
    assert ADDRESS not in (await found(recipient_key=key)).model_dump_json()
    assert (await found()).events == ()
    assert (await found(event_id=event, actor=actor(READER))).events == ()
