"""Events as rows: lists, rights, erasure, late bounces, and what the checks notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.copying import update_statuses
from services.events_status.erase import erase
from services.events_status.handlers import batch_registry
from services.events_status.invariants import INVARIANTS
from services.events_status.publishing import route_event_type
from services.events_status.workflows import process_batch, process_realtime
from shared import identity
from shared.clock import DrivenClock
from shared.consumer import Batcher
from shared.ids import recipient_key
from shared.service import Runtime
from shared.uow import Work
from shared.workflows import Step
from tests.conftest import Open
from tests.integration.events_story import (
    ADDRESS,
    KIND,
    MANAGER,
    READER,
    SOURCE,
    SUPERVISOR,
    actor,
    binary,
    broken,
    calling,
    counted,
    data,
    held_back,
    know_operators,
    record,
    statuses,
)
from topics.cloudevents import Envelope
from topics.delivery import MessageOutcome, Outcome, SendMessage, TemplateState
from topics.events import EventStatus, EventTypeRouted, RouteEventType, RouteRefused
from topics.names import EVENTS_BATCH, EVENTS_REALTIME, Topic
from topics.outside import event_id
from topics.workflows import Control, ControlWorkflow

TEMPLATE = uuid4()
OFFSETS = count()


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(runtime) as opened:
        yield opened


def link(kind: str, template_id: UUID | None, by: UUID = MANAGER) -> RouteEventType:
    return RouteEventType(event_type=kind, template_id=template_id, actor=actor(by))


def as_(runtime: Runtime, operator: UUID) -> dict[str, str]:
    token = identity.issue(
        runtime.settings.secret,
        actor(operator),
        audience="events_status",
        now=runtime.clock.now(),
    )
    return {identity.HEADER: token}


async def take(
    runtime: Runtime, ce_id: str, *, topic: Topic = EVENTS_REALTIME, kind: str = KIND, **more: Any
) -> UUID:
    """Hand an intake record to the service as its consumers would."""
    registry = runtime.registry if topic is EVENTS_REALTIME else batch_registry
    batcher = Batcher(runtime.uow, registry, name="test")
    one = record(data(**more), binary(ce_id, kind=kind), topic=topic, offset=next(OFFSETS))
    assert not await batcher.handle([one])
    return event_id(SOURCE, ce_id)


async def step(runtime: Runtime, run: Any) -> tuple[Step, list[Any]]:
    async with runtime.uow.begin() as work:
        found: Step = await run(work)
        return found, list(work.emitted)


async def say(runtime: Runtime, event: UUID, outcome: Outcome, *, minutes: int = 0) -> None:
    await runtime.execute(
        MessageOutcome(
            message_id=event,
            outcome=outcome,
            reason=f"because {outcome}",
            at=runtime.clock.now() + timedelta(minutes=minutes),
        )
    )


async def test_a_late_bounce_turns_sent_into_a_delivery_error(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    event = await take(runtime, "1")
    assert (await step(runtime, process_realtime))[0] == Step(1, 1)
    for outcome, minutes in ((Outcome.AMBIGUOUS, 0), (Outcome.SENT, 1), (Outcome.FAILED, 9)):
        await say(runtime, event, outcome, minutes=minutes)
        await step(runtime, update_statuses)
    detail = (await client.get(f"/events/{event}", headers=as_(runtime, READER))).json()
    assert [line["after"] for line in detail["history"]] == [
        "pending",
        "pending_delivery",
        "sent",
        "delivery_error",
    ]
    assert detail["event"]["reason"] == "because failed"
    assert [one["outcome"] for one in detail["outcomes"]] == ["ambiguous", "sent", "failed"]
    assert ADDRESS not in str(detail)
    assert await broken(runtime) == []


async def test_an_outcome_of_a_message_that_is_not_ours_is_left_alone(runtime: Runtime) -> None:
    async with held_back(runtime):
        event = await take(runtime, "1")
    await say(runtime, event, Outcome.SENT)
    await say(runtime, uuid4(), Outcome.SENT)
    assert await runtime.pool.fetchval("SELECT count(*) FROM outcomes") == 0


async def test_an_uncovered_event_stays_so_when_its_type_is_linked_afterwards(
    runtime: Runtime,
) -> None:
    await take(runtime, "1", kind="order.new")
    found, _ = await step(runtime, process_realtime)
    assert found == Step(1, 0)
    await runtime.execute(link("order.new", TEMPLATE))
    assert (await step(runtime, process_realtime))[0] == Step()
    assert await statuses(runtime) == {"1": EventStatus.NOT_COVERED}


async def test_batch_events_wait_while_real_time_ones_are_pending(runtime: Runtime) -> None:
    await take(runtime, "slow", topic=EVENTS_BATCH)
    async with held_back(runtime):
        await take(runtime, "fast")
    assert (await step(runtime, process_batch))[0] == Step()
    await step(runtime, process_realtime)
    assert await runtime.pool.fetchval(
        "SELECT count(*) FROM workflow_wakes WHERE name = 'batchEventsProcessing'"
    )
    assert (await step(runtime, process_batch))[0] == Step(1, 1)


async def test_batch_events_go_on_when_the_processing_of_real_time_ones_is_stopped(
    runtime: Runtime,
) -> None:
    await runtime.execute(stop("rtEventsProcessing"))
    await take(runtime, "slow", topic=EVENTS_BATCH)
    await take(runtime, "fast")
    assert (await step(runtime, process_batch))[0] == Step(1, 1)


def stop(name: str) -> ControlWorkflow:
    return ControlWorkflow(name=name, control=Control.STOP, actor=actor(SUPERVISOR))


async def test_what_a_stopped_workflow_holds_back_says_so(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(stop("rtEventsProcessing"))
    await take(runtime, "1")
    held = {"workflow": "rtEventsProcessing", "status": "stopped"}
    page = (await client.get("/events", headers=as_(runtime, READER))).json()
    assert [one["held_by"] for one in page["events"]] == [held]
    counts = (await client.get("/events/counts", headers=as_(runtime, READER))).json()
    assert (counts["total"], counts["held_by"]) == (1, [held])
    assert [(one["queue"], one["status"], one["events"]) for one in counts["counts"]] == [
        ("realtime", "pending", 1)
    ]


async def test_the_same_command_replayed_later_does_not_bring_an_old_route_back(
    runtime: Runtime,
) -> None:
    old, new = link("k", uuid4()), link("k", uuid4())
    async with runtime.uow.begin() as work:
        await _as_message(work, "m-1", old)
        await _as_message(work, "m-2", new)
        await _as_message(work, "m-1", old)
        assert [type(one) for one in work.emitted] == [EventTypeRouted] * 2
    found = await runtime.pool.fetchval("SELECT template_id FROM routes WHERE event_type = 'k'")
    assert found == new.template_id


async def _as_message(work: Work, ce_id: str, command: RouteEventType) -> None:
    work.cause = Envelope("/test", ce_id, command.ce_type, None, b"")
    await route_event_type(command, work)


async def test_events_are_listed_by_filter_and_page(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    headers = as_(runtime, READER)
    for i in range(5):
        await take(runtime, f"r{i}", external_id="X" if i % 2 else None)
    await take(runtime, "b", topic=EVENTS_BATCH, kind="order.lost")
    first = (await client.get("/events?limit=4", headers=headers)).json()
    rest = (await client.get(f"/events?limit=4&before={first['next']}", headers=headers)).json()
    ids = [one["ce_id"] for one in first["events"] + rest["events"]]
    assert ids == ["b", "r4", "r3", "r2", "r1", "r0"]
    assert rest["next"] is None

    async def ids_of(query: str) -> list[str]:
        page = (await client.get(f"/events?{query}", headers=headers)).json()
        return [one["ce_id"] for one in page["events"]]

    assert await ids_of("external_id=X") == ["r3", "r1"]
    assert await ids_of("event_type=order.lost") == ["b"]
    assert await ids_of("queue=realtime&status=sent") == []
    assert (await client.get("/events?external_id=%00", headers=headers)).status_code == 422
    assert (await client.get(f"/events/{uuid4()}", headers=headers)).status_code == 404
    assert (await client.get("/events")).status_code == 401


async def test_only_who_manages_events_may_search_by_address(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await take(runtime, "mine")
    await take(runtime, "other", email="bob@example.org")
    body = {"address": ADDRESS.upper()}
    refused = await client.post("/events/search", json=body, headers=as_(runtime, READER))
    assert refused.status_code == 403
    found = await client.post("/events/search", json=body, headers=as_(runtime, MANAGER))
    assert [one["ce_id"] for one in found.json()["events"]] == ["mine"]
    assert ADDRESS not in found.text


async def test_routes_are_linked_shown_and_unlinked_by_who_may(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    await runtime.execute(
        TemplateState(
            template_id=TEMPLATE,
            version=1,
            label="Order confirmed",
            language="en",
            subject="Thanks",
            content_hash="0",
        )
    )
    headers, body = as_(runtime, MANAGER), {"template_id": str(TEMPLATE)}
    refused = await client.put("/routes/a/b.c", json=body, headers=as_(runtime, READER))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert (await client.put("/routes/a/b.c", json=body, headers=headers)).status_code == 204
    first = (await client.get("/routes?limit=1", headers=headers)).json()
    rest = (await client.get(f"/routes?after={first['next']}", headers=headers)).json()
    routes = first["routes"] + rest["routes"]
    assert [(one["event_type"], one["template"]) for one in routes] == [
        ("a/b.c", "Order confirmed"),
        (KIND, "Order confirmed"),
    ]
    assert (await client.delete("/routes/a/b.c", headers=headers)).status_code == 204
    assert len((await client.get("/routes", headers=headers)).json()["routes"]) == 1


async def test_a_command_without_the_right_is_refused_and_writes_nothing(runtime: Runtime) -> None:
    (answer,) = await runtime.execute(link("k", TEMPLATE, by=READER))
    assert isinstance(answer, RouteRefused)
    assert await runtime.pool.fetchval("SELECT count(*) FROM routes") == 1


async def test_erasing_an_address_clears_it_and_a_replay_does_not_bring_it_back(
    runtime: Runtime,
) -> None:
    await take(runtime, "done")
    await step(runtime, process_realtime)
    async with held_back(runtime):
        await take(runtime, "waiting")
        await take(runtime, "other", email="bob@example.org")
    key = recipient_key(runtime.settings.secret, "email", f" {ADDRESS.upper()} ")
    async with runtime.uow.begin() as work:
        assert await erase(work, key, ADDRESS) == 2
    assert await statuses(runtime) == {
        "done": EventStatus.PENDING_DELIVERY,
        "waiting": EventStatus.EXPIRED,
        "other": EventStatus.PENDING,
    }
    await runtime.pool.execute("TRUNCATE inbox")
    await take(runtime, "done")
    found = await runtime.pool.fetch("SELECT address, ctx FROM events WHERE address <> ''")
    assert [row["address"] for row in found] == ["bob@example.org"]
    _, emitted = await step(runtime, process_realtime)
    assert [one.address for one in emitted if isinstance(one, SendMessage)] == ["bob@example.org"]
    assert await broken(runtime) == []


BREAKS = {
    "I4 an event's status": "UPDATE events SET status = 'sent' WHERE ce_id = '1'",
    "I4 an event goes one legal way": (
        "UPDATE event_history SET after = 'not_covered' WHERE version = 2"
    ),
    "I2 events taken in": "DELETE FROM event_history WHERE before IS NULL",
    "I1 an event has one message": "DELETE FROM event_messages",
    "I6 an event is sent": "UPDATE events SET template_version = 7",
    "I4 a status copied": "DELETE FROM outcomes",
    "I4 an event has failed": "UPDATE events SET errors = 1",
    "I1 an event is recycled": "UPDATE events SET recycled_from = event_id",
    "I2 the minutes of the live view": """
        INSERT INTO level_snapshots (told_until, as_of, snapshot)
        SELECT now() + interval '5 minutes', now(), jsonb_build_object('minutes', jsonb_build_array(
            jsonb_build_object('minute', date_trunc('minute', now()), 'incoming', 7, 'queued', 0)))
    """,
}


@pytest.mark.parametrize("name", BREAKS)
async def test_each_check_notices_what_it_is_for(runtime: Runtime, name: str) -> None:
    event = await take(runtime, "1")
    await step(runtime, process_realtime)
    await say(runtime, event, Outcome.IGNORED)
    await step(runtime, update_statuses)
    assert await broken(runtime) == []
    await runtime.pool.execute(BREAKS[name])
    assert any(one.startswith(name) for one in await broken(runtime))
    assert {one for one in BREAKS for full in INVARIANTS if full.startswith(one)} == set(BREAKS)


async def test_a_scheduled_event_waits_for_its_time_and_an_expired_one_is_not_sent(
    open_service: Open,
) -> None:
    clock = DrivenClock(datetime(2026, 11, 26, 9, tzinfo=UTC))
    runtime = await open_service(SERVICE, clock)
    await know_operators(runtime)
    await runtime.execute(link(KIND, TEMPLATE))
    hour = timedelta(hours=1)
    await take(runtime, "later", scheduled=(clock.now() + hour).isoformat())
    await take(runtime, "in time", expiration=(clock.now() + hour).isoformat())
    await take(runtime, "too late", scheduled=(clock.now() + hour).isoformat(),
               expiration=(clock.now() + 2 * hour).isoformat())  # fmt: skip
    assert (await step(runtime, process_realtime))[0] == Step(1, 1)
    assert await statuses(runtime) == {
        "later": "pending",
        "in time": "pending_delivery",
        "too late": "pending",
    }
    timers = await runtime.pool.fetch("SELECT kind, due_at FROM timers")
    assert [tuple(one) for one in timers] == [("events.scheduled.realtime", clock.now() + hour)]
    clock.advance(hour - timedelta(seconds=1))
    assert (await step(runtime, process_realtime))[0] == Step()
    clock.advance(timedelta(hours=1, seconds=1))
    assert (await step(runtime, process_realtime))[0] == Step(2, 1)
    assert await statuses(runtime) == {
        "later": "pending_delivery",
        "in time": "pending_delivery",
        "too late": "expired",
    }
    assert await broken(runtime) == []


async def test_an_event_by_sms_is_not_covered_while_no_template_is_for_sms(
    runtime: Runtime,
) -> None:
    await take(runtime, "1", email=None, phone="+33612345678")
    await step(runtime, process_realtime)
    assert await statuses(runtime) == {"1": "not_covered"}


async def test_a_real_time_event_is_routed_where_it_comes_in_and_counts_for_its_workflow(
    runtime: Runtime,
) -> None:
    await take(runtime, "covered")
    await take(runtime, "other", kind="unheard.of")
    assert await statuses(runtime) == {"covered": "pending_delivery", "other": "not_covered"}
    assert await counted(runtime) == {
        "events": 2, "event_history": 4, "event_messages": 1, "outcomes": 0
    }  # fmt: skip
    found, emitted = await step(runtime, process_realtime)
    assert (found, emitted) == (Step(2, 1), [])
    assert (await step(runtime, process_realtime))[0] == Step()
    assert await broken(runtime) == []


async def test_what_comes_behind_waiting_events_waits_for_its_turn(runtime: Runtime) -> None:
    async with held_back(runtime):
        await take(runtime, "first")
    await take(runtime, "second")
    assert set((await statuses(runtime)).values()) == {"pending"}
    assert (await step(runtime, process_realtime))[0] == Step(2, 2)
    await take(runtime, "third")
    assert (await statuses(runtime))["third"] == "pending_delivery"


async def test_a_step_under_way_has_the_events_that_come_meanwhile(runtime: Runtime) -> None:
    async with runtime.uow.begin() as under_way:
        await under_way.connection.execute(
            "UPDATE technical_workflows SET lease_epoch = 1 WHERE name = 'rtEventsProcessing'"
        )
        await take(runtime, "1")
        assert await statuses(runtime) == {"1": "pending"}


async def test_outcomes_wait_while_updating_is_stopped_and_then_are_copied_in_order(
    runtime: Runtime,
) -> None:
    event = await take(runtime, "1")
    async with held_back(runtime, "updateEventsStatus"):
        await say(runtime, event, Outcome.SENT)
    assert await statuses(runtime) == {"1": "pending_delivery"}
    await say(runtime, event, Outcome.FAILED)
    assert await statuses(runtime) == {"1": "pending_delivery"}
    assert (await step(runtime, update_statuses))[0] == Step(2, 2)
    assert await statuses(runtime) == {"1": "delivery_error"}
    assert await broken(runtime) == []
