"""One outside event's life over a real broker, from a plain producer's record to Sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from uuid import uuid4

import pytest

from services.cli.checking import verdicts
from services.events_status import handlers
from services.events_status.app import SERVICE
from services.events_status.domain import Received
from services.events_status.taking import take_in
from shared.consumer import HALT_AFTER
from shared.errors import Permanent
from shared.registry import Taken
from shared.service import Runtime
from shared.uow import Work
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.events_story import (
    ADDRESS,
    KIND,
    MANAGER,
    SOURCE,
    STRUCTURED,
    SUPERVISOR,
    WRITTEN,
    Outside,
    actor,
    asked,
    binary,
    broken,
    counted,
    data,
    know_operators,
    outcome_of,
    read_all,
    statuses,
    structured,
)
from tests.integration.test_core import running, send
from tests.waiting import eventually
from topics.delivery import Outcome, SendBatchMessage
from topics.events import EventState, EventStatus, EventStatusChanged, RouteEventType
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, EVENTS_STATE, EVENTS_STATUS
from topics.outside import Queue, event_id
from topics.workflows import Control, ControlWorkflow

Place = tuple[Runtime, Outside]
TEMPLATE = uuid4()
BAD_DEPLOY = "order.of-a-bad-deploy"


@pytest.fixture
async def place(open_service: Open) -> AsyncIterator[Place]:
    """The service at work, with one event type linked to a template."""
    runtime = await open_service(SERVICE)
    await make_topics(runtime.settings, *runtime.topics, *WRITTEN)
    await know_operators(runtime)
    await runtime.execute(
        RouteEventType(event_type=KIND, template_id=TEMPLATE, actor=actor(MANAGER))
    )
    async with running(runtime):
        yield runtime, Outside(runtime)


async def status_is(runtime: Runtime, ce_id: str, status: EventStatus) -> bool:
    return (await statuses(runtime)).get(ce_id) == status


async def reach(runtime: Runtime, ce_id: str, status: EventStatus) -> None:
    await eventually(
        partial(status_is, runtime, ce_id, status), what=f"event {ce_id} being {status}"
    )


async def test_binary_and_structured_events_are_routed_delivered_and_end_sent(place: Place) -> None:
    runtime, outside = place
    await outside.send(data(external_id="X-1"), binary("b-1"))
    await outside.send(structured("s-1"), STRUCTURED)
    await outside.event("n-1", kind="order.unheard_of")
    await outside.send(structured("q-1"), STRUCTURED, topic=EVENTS_BATCH)
    messages = {one.message_id: one for one in await asked(runtime, 3)}
    assert set(messages) == {event_id(SOURCE, ce_id) for ce_id in ("b-1", "s-1", "q-1")}
    assert [
        name
        for name in ("b-1", "s-1", "q-1")
        if isinstance(messages[event_id(SOURCE, name)], SendBatchMessage)
    ] == ["q-1"]
    mine = messages[event_id(SOURCE, "b-1")]
    assert (mine.template_id, mine.address, mine.ctx) == (TEMPLATE, ADDRESS, {"order": "A-17"})
    told = {"b-1": Outcome.SENT, "s-1": Outcome.IGNORED, "q-1": Outcome.FAILED}
    for ce_id, outcome in told.items():
        await send(runtime, outcome_of(messages[event_id(SOURCE, ce_id)], outcome, runtime))
    await reach(runtime, "b-1", EventStatus.SENT)
    await reach(runtime, "s-1", EventStatus.IGNORED)
    await reach(runtime, "q-1", EventStatus.DELIVERY_ERROR)
    await reach(runtime, "n-1", EventStatus.NOT_COVERED)
    assert await broken(runtime) == []
    await _check_what_was_published(runtime)


async def _check_what_was_published(runtime: Runtime) -> None:
    # Intake, routing and outcome of three events; intake and routing of the uncovered one.
    changes = [
        one
        for one in await read_all(runtime, EVENTS_STATUS, count=3 * 3 + 2 + 1)
        if isinstance(one, EventStatusChanged)
    ]
    mine = [one for one in changes if one.event_id == event_id(SOURCE, "b-1")]
    assert [(one.before, one.after) for one in mine] == [
        (None, EventStatus.PENDING),
        (EventStatus.PENDING, EventStatus.PENDING_DELIVERY),
        (EventStatus.PENDING_DELIVERY, EventStatus.SENT),
    ]
    # One state a transaction: real-time events are routed where they come in.
    states = await read_all(runtime, EVENTS_STATE, count=2 + 2 + 1 + 3)
    latest = [
        one
        for one in states
        if isinstance(one, EventState) and one.event_id == event_id(SOURCE, "b-1")
    ][-1]
    assert (latest.status, latest.version, latest.external_id) == (EventStatus.SENT, 3, "X-1")
    assert ADDRESS not in "".join(one.model_dump_json() for one in [*changes, *states])


async def test_malformed_events_land_in_the_dead_letters_with_a_reason_and_no_value(
    place: Place,
) -> None:
    runtime, outside = place
    await outside.send(b"hello", [])
    await outside.send(data("ann at example.org"), binary("w-1"))
    await outside.send(structured("w-2", language="de"), STRUCTURED, topic=EVENTS_BATCH)
    await outside.send(b"{", STRUCTURED)
    await outside.event("good")
    await reach(runtime, "good", EventStatus.PENDING_DELIVERY)

    async def letters() -> dict[str, str] | None:
        rows = await runtime.pool.fetch(
            "SELECT topic, coalesce(ce_id, ''), reason, consumer FROM dead_letters ORDER BY reason"
        )
        return (
            {row["reason"]: f"{row['consumer']} {row['topic']}" for row in rows}
            if (len(rows) == 4)
            else None
        )

    found = await eventually(letters, what="four dead letters")
    realtime = f"events_status {EVENTS_REALTIME.name}"
    assert found == {
        "attribute 'id' is missing": realtime,
        "email: is no e-mail address (such as name@example.org)": realtime,
        "the structured event is no JSON": realtime,
        "language: String should match pattern '^(en|fr)$'": (
            f"events_status_batch {EVENTS_BATCH.name}"
        ),
    }
    assert set(await statuses(runtime)) == {"good"}


async def test_the_check_sees_what_the_batch_queue_has_not_handled(open_service: Open) -> None:
    runtime = await open_service(SERVICE)
    await make_topics(runtime.settings, *runtime.topics, *WRITTEN)
    await Outside(runtime).event("waits", topic=EVENTS_BATCH)
    [verdict] = await verdicts(runtime.settings, ["events_status"])
    assert verdict.broken == (f"I4 events_status_batch never handled waits of {SOURCE}",)
    async with running(runtime):
        await eventually(lambda: statuses(runtime), what="the event")
    [verdict] = await verdicts(runtime.settings, ["events_status"])
    assert verdict.broken == ()


async def test_what_outsiders_write_wrong_halts_nobody(place: Place) -> None:
    runtime, outside = place
    for _ in range(HALT_AFTER + 5):
        await outside.send(b"{", STRUCTURED, key="one")
    await outside.send(structured("behind"), STRUCTURED, key="one")
    await reach(runtime, "behind", EventStatus.PENDING_DELIVERY)
    await eventually(lambda: not runtime.problems, what="the service being ready")


async def test_a_halted_partition_of_the_batch_queue_shows_in_readiness(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, outside = place

    async def take_some(events: Sequence[Taken[Received]], work: Work, queue: Queue) -> None:
        if any(event.event_type == BAD_DEPLOY for _, event in events):
            raise Permanent("a bad deploy")
        await take_in(events, work, queue)

    monkeypatch.setattr(handlers, "take_in", take_some)
    await eventually(lambda: not runtime.problems, what="the service being ready")
    for number in range(HALT_AFTER):
        bad = structured(f"bad-{number}", kind=BAD_DEPLOY)
        await outside.send(bad, STRUCTURED, topic=EVENTS_BATCH, key="one")
    [problem] = await eventually(lambda: runtime.problems, what="the halt")
    assert EVENTS_BATCH.name in problem
    await stays_halted(runtime, outside)


async def stays_halted(runtime: Runtime, outside: Outside) -> None:
    """Have the consumer begin anew: it goes on with the other partitions alone."""
    consumer = runtime.consumers[1]
    former = consumer._client
    assert former is not None
    await former.stop()
    for number in range(8):
        bad = structured(f"more-{number}", kind=BAD_DEPLOY)
        await outside.send(bad, STRUCTURED, topic=EVENTS_BATCH, key="one")
        await outside.event(f"good-{number}", topic=EVENTS_BATCH)
    await eventually(lambda: statuses(runtime), what="an event of another partition")
    assert consumer._client is not former
    assert await runtime.pool.fetchval("SELECT count(*) FROM dead_letters") == HALT_AFTER


async def test_a_stopped_workflow_holds_its_events_until_it_is_started(place: Place) -> None:
    runtime, outside = place

    async def control(what: Control) -> None:
        await send(
            runtime,
            ControlWorkflow(name="rtEventsProcessing", control=what, actor=actor(SUPERVISOR)),
        )

    async def is_in(status: str) -> bool:
        found = await runtime.pool.fetchval(
            "SELECT status FROM technical_workflows WHERE name = 'rtEventsProcessing'"
        )
        return bool(found == status)

    await control(Control.STOP)
    await eventually(partial(is_in, "stopped"))
    await outside.event("held")
    await outside.event("goes-on", topic=EVENTS_BATCH)
    await reach(runtime, "goes-on", EventStatus.PENDING_DELIVERY)
    assert (await statuses(runtime))["held"] == EventStatus.PENDING
    await control(Control.START)
    await reach(runtime, "held", EventStatus.PENDING_DELIVERY)


async def test_duplicates_and_a_replay_without_inbox_change_nothing(place: Place) -> None:
    runtime, outside = place
    for _ in range(3):
        await outside.event("twice")
    await outside.event("twice", topic=EVENTS_BATCH)
    (message,) = await asked(runtime, 1)
    outcome = outcome_of(message, Outcome.SENT, runtime)
    await send(runtime, outcome, outcome)
    await reach(runtime, "twice", EventStatus.SENT)
    before = await counted(runtime)
    assert before == {"events": 1, "event_history": 3, "event_messages": 1, "outcomes": 1}
    await runtime.pool.execute("TRUNCATE inbox")
    await outside.event("twice")
    await send(runtime, outcome)
    await outside.event("last")
    await reach(runtime, "last", EventStatus.PENDING_DELIVERY)
    await eventually(partial(_handled_again, runtime))
    assert (await counted(runtime)) == {
        "events": 2,
        "event_history": 5,
        "event_messages": 2,
        "outcomes": 1,
    }
    assert await runtime.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    sent = {one.message_id for one in await asked(runtime, 2)}
    assert sent == {message.message_id, event_id(SOURCE, "last")}
    assert await broken(runtime) == []


async def _handled_again(runtime: Runtime) -> bool:
    return bool(await runtime.pool.fetchval("SELECT count(*) >= 3 FROM inbox"))


async def test_real_time_events_do_not_wait_behind_a_flood_of_batch_ones(place: Place) -> None:
    runtime, outside = place
    await asyncio.gather(
        *(outside.event(f"flood-{i}", topic=EVENTS_BATCH) for i in range(300)),
    )
    await outside.event("urgent")
    await reach(runtime, "urgent", EventStatus.PENDING_DELIVERY)
    await eventually(partial(_all_routed, runtime, 301))
    assert await broken(runtime) == []


async def _all_routed(runtime: Runtime, count: int) -> bool:
    found = await statuses(runtime)
    return len(found) == count and set(found.values()) == {EventStatus.PENDING_DELIVERY}
