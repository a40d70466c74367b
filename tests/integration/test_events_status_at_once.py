"""What is done at once stands beside runs, the purge and other causes, as a step of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from services.events_status.app import SERVICE
from services.events_status.archive.synchronising import synchronise
from services.events_status.copying import update_statuses
from services.events_status.intake import read_event
from services.events_status.purge import purge_events
from services.events_status.workflows import process_realtime
from shared.clock import DrivenClock
from shared.consumer import Batcher
from shared.kafka import Record
from shared.producer import pack_headers, unpack_headers
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import Step
from tests.conftest import Open
from tests.integration.events_story import (
    KIND,
    binary,
    broken,
    data,
    held_back,
    know_operators,
    statuses,
)
from tests.integration.test_events_status_rows import TEMPLATE, link, say, step, take
from tests.integration.test_events_status_steering import NOW, ends, exhausted
from tests.outboxes import outbox_of
from tests.waiting import eventually
from topics.cloudevents import Envelope, decode_envelope, decode_message, encode_headers
from topics.delivery import MessageOutcome, Outcome
from topics.events import EventStatusChanged
from topics.names import EVENTS_REALTIME
from topics.outside import Queue

NAMED = "rtEventsProcessing"
UPDATING = "updateEventsStatus"
LEASED = """
UPDATE technical_workflows SET lease_owner = $2, lease_until = now() + $3 * interval '1 second'
WHERE name = $1
"""
WAITING = """
SELECT EXISTS (SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOW)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock)
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


async def test_a_run_that_was_begun_does_what_comes_meanwhile_until_its_lease_is_over(
    runtime: Runtime,
) -> None:
    await runtime.pool.execute(LEASED, NAMED, "an engine", 30)
    await take(runtime, "1")
    assert await statuses(runtime) == {"1": "pending"}
    assert (await step(runtime, process_realtime))[0] == Step(1, 1)
    await runtime.pool.execute(LEASED, NAMED, "an engine that was killed", -1)
    await take(runtime, "2")
    assert (await statuses(runtime))["2"] == "pending_delivery"


async def test_what_is_scheduled_goes_before_what_comes_once_its_time_is_there(
    runtime: Runtime, clock: DrivenClock
) -> None:
    await take(runtime, "scheduled", scheduled=(NOW + timedelta(minutes=1)).isoformat())
    await take(runtime, "before")
    clock.advance(timedelta(minutes=1))
    await take(runtime, "after")
    assert await statuses(runtime) == {
        "scheduled": "pending", "before": "pending_delivery", "after": "pending"
    }  # fmt: skip
    assert (await step(runtime, process_realtime))[0] == Step(3, 3)
    await take(runtime, "later")
    assert (await statuses(runtime))["later"] == "pending_delivery"


async def come_in(runtime: Runtime, work: Work) -> None:
    intake = runtime.registry.intake(EVENTS_REALTIME.name)
    assert intake is not None
    headers = binary(uuid4().hex)
    envelope = decode_envelope(headers, data())
    await intake.handle([(envelope, read_event(envelope, Queue.REALTIME))], work)


async def told(runtime: Runtime, work: Work, event: UUID, outcome: Outcome) -> None:
    entry = runtime.registry.entry(MessageOutcome)
    assert entry is not None
    said = MessageOutcome(message_id=event, outcome=outcome, reason="", at=runtime.clock.now())
    await entry.handle([said], work)


@pytest.mark.parametrize("workflow", [NAMED, UPDATING])
async def test_what_is_left_to_a_workflow_does_not_hold_its_run_up(
    runtime: Runtime, workflow: str
) -> None:
    event = await take(runtime, "routed")
    async with held_back(runtime, workflow):
        await take(runtime, "waits")
        await say(runtime, event, Outcome.AMBIGUOUS)
    async with runtime.uow.begin() as work:
        await come_in(runtime, work)
        await told(runtime, work, event, Outcome.SENT)
        locked = "SELECT 1 FROM technical_workflows WHERE name = $1 FOR UPDATE NOWAIT"
        assert await runtime.pool.fetchval(locked, workflow) == 1
    assert (await statuses(runtime))["routed"] in {"pending_delivery", "sent"}
    assert await broken(runtime) == []


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_bounce_during_the_purge_of_its_event_leaves_nothing_behind(
    runtime: Runtime, clock: DrivenClock, at_once: bool
) -> None:
    event = await take(runtime, "1")
    await ends(runtime, event, Outcome.SENT)
    await exhausted(runtime, partial(synchronise, account="default"))
    clock.advance(timedelta(days=31, seconds=1))
    if not at_once:
        stopped = "UPDATE technical_workflows SET status = 'stopped' WHERE name = $1"
        await runtime.pool.execute(stopped, UPDATING)
    async with runtime.uow.begin() as purging:
        await purge_events(purging)
        bounce = asyncio.create_task(say(runtime, event, Outcome.FAILED))
        if at_once:
            await eventually(lambda: runtime.pool.fetchval(WAITING), what="the bounce to wait")
        else:
            await bounce
    await bounce
    await step(runtime, update_statuses)
    assert await statuses(runtime) == {}
    assert await broken(runtime) == []
    late = "SELECT outcome FROM late_outcomes WHERE event_id = $1"
    assert await runtime.pool.fetchval(late, event) == Outcome.FAILED


async def test_a_status_copied_with_others_names_no_message_of_another_event(
    runtime: Runtime,
) -> None:
    events = [await take(runtime, name) for name in ("1", "2")]
    assert not await Batcher(runtime.uow, runtime.registry, name="outcomes").handle(
        [outcome(event, offset, runtime) for offset, event in enumerate(events)]
    )
    sent = {
        one.event_id: envelope for envelope, one in await changes(runtime) if one.after == "sent"
    }
    assert set(sent) == set(events)
    for event, envelope in sent.items():
        strangers = {f"{name} of {other}" for name in ("asked", "said") for other in events}
        strangers -= {f"asked of {event}", f"said of {event}"}
        assert {envelope.correlation_id, envelope.causation_id}.isdisjoint(strangers)


def outcome(event: UUID, offset: int, runtime: Runtime) -> Record:
    message = MessageOutcome(
        message_id=event, outcome=Outcome.SENT, reason="", at=runtime.clock.now()
    )
    headers = encode_headers(
        message=message,
        key=str(event),
        source="/muster/delivery",
        message_id=f"said of {event}",
        time=NOW.isoformat(),
        correlation_id=f"asked of {event}",
        causation_id=None,
        traceparent=None,
    )
    body = message.model_dump_json().encode()
    packed = unpack_headers(pack_headers(headers))
    return Record(message.topic.name, 0, offset, str(event), packed, body)


async def changes(runtime: Runtime) -> list[tuple[Envelope, EventStatusChanged]]:
    """Return the changes of status that wait to be published, each with its envelope."""
    found = []
    for row in await outbox_of(runtime):
        envelope = decode_envelope(unpack_headers(row.headers), row.value)
        if envelope.type == EventStatusChanged.ce_type:
            message = decode_message(envelope)
            assert isinstance(message, EventStatusChanged)
            found.append((envelope, message))
    return found
