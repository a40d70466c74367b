"""Events that fail: tried again after a while, given up in the end, recycled to another channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.copying import update_statuses
from services.events_status.erase import erase
from services.events_status.recycling import recycle_events
from services.events_status.workflows import process_realtime
from shared.clock import DrivenClock
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import said
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
from topics.cloudevents import Envelope
from topics.delivery import MessageOutcome, Outcome, SendMessage
from topics.events import (
    EventRulesRefused,
    EventsFound,
    FindEvents,
    FoundEvent,
    RouteEventType,
    SetEventRules,
)

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
PHONE = "+33612345678"


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOW)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(
        SERVICE, clock, EVENTS_MAX_TRIES="3", EVENTS_RETRY_BASE_SECONDS="60"
    )
    await know_operators(opened)
    await opened.execute(link(KIND, TEMPLATE))
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(runtime) as opened:
        yield opened


async def routed(runtime: Runtime) -> list[SendMessage]:
    """Process the real-time queue; return what the delivery is asked to send since the last."""
    await step(runtime, process_realtime)
    found = await said(runtime, SendMessage)
    await runtime.pool.execute("DELETE FROM outbox")
    return found


async def not_taken(runtime: Runtime, message: SendMessage) -> None:
    """Have the delivery say that it has not taken a message, twice, and the status be copied."""
    said = MessageOutcome(
        message_id=message.message_id,
        outcome=Outcome.FAILED,
        reason="unknown_template",
        at=runtime.clock.now(),
        not_taken=True,
    )
    for _ in range(2):
        await runtime.execute(said)
        await step(runtime, update_statuses)


async def detail(runtime: Runtime, client: httpx.AsyncClient, event: UUID) -> dict[str, object]:
    answer = await client.get(f"/events/{event}", headers=as_(runtime, READER))
    found: dict[str, object] = answer.json()["event"]
    return found


async def test_a_message_that_was_not_taken_is_asked_for_again_after_a_while_as_another(
    runtime: Runtime, client: httpx.AsyncClient, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    [first] = await routed(runtime)
    assert first.message_id == event
    await not_taken(runtime, first)
    shown = await detail(runtime, client, event)
    assert (shown["status"], shown["reason"], shown["errors"]) == ("pending", "unknown_template", 1)
    assert shown["template_id"] is None
    next_try_at = datetime.fromisoformat(str(shown["next_try_at"]))
    assert timedelta(seconds=48) <= next_try_at - NOW <= timedelta(seconds=60)
    [timer] = await runtime.pool.fetch("SELECT kind, due_at FROM timers")
    assert timer["kind"] == "events.scheduled.realtime"
    assert next_try_at <= timer["due_at"] < next_try_at + timedelta(seconds=1)
    clock.advance(timedelta(seconds=47))
    assert await routed(runtime) == []
    clock.advance(timedelta(seconds=14))
    [second] = await routed(runtime)
    assert second.message_id not in {event, first.message_id}
    assert (second.address, second.ctx) == (first.address, first.ctx)
    await runtime.execute(
        MessageOutcome(message_id=second.message_id, outcome=Outcome.SENT, at=clock.now())
    )
    await step(runtime, update_statuses)
    assert await statuses(runtime) == {"1": "sent"}
    assert await broken(runtime) == []


async def test_an_event_whose_tries_are_used_up_expires_and_may_be_sent_again_by_hand(
    runtime: Runtime, client: httpx.AsyncClient, clock: DrivenClock
) -> None:
    event = await take(runtime, "1")
    for number in range(3):
        [message] = await routed(runtime)
        await not_taken(runtime, message)
        clock.advance(timedelta(seconds=60 * 2**number))
    assert await routed(runtime) == []
    shown = await detail(runtime, client, event)
    assert (shown["status"], shown["errors"], shown["next_try_at"]) == ("expired", 3, None)
    assert shown["reason"] == "unknown_template; given up after 3 tries"
    history = (await client.get(f"/events/{event}", headers=as_(runtime, READER))).json()["history"]
    assert [line["after"] for line in history] == [
        *("pending", "pending_delivery") * 3,
        "expired",
    ]
    answer = await client.post(f"/events/{event}/resend", headers=as_(runtime, MANAGER))
    assert answer.status_code == 200
    assert len(await routed(runtime)) == 1
    assert await broken(runtime) == []


async def test_a_late_answer_about_a_message_of_an_earlier_try_changes_nothing(
    runtime: Runtime, clock: DrivenClock
) -> None:
    await take(runtime, "1")
    [first] = await routed(runtime)
    await not_taken(runtime, first)
    clock.advance(timedelta(seconds=60))
    [second] = await routed(runtime)
    await not_taken(runtime, first)  # twice more, with another time
    assert await statuses(runtime) == {"1": "pending_delivery"}
    assert second.message_id != first.message_id
    assert await broken(runtime) == []


async def test_a_resume_is_for_paused_events_only(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    event = await take(runtime, "1")
    await routed(runtime)
    refused = await client.post(f"/events/{event}/resume", headers=as_(runtime, MANAGER))
    assert (refused.status_code, refused.json()["field"]) == (409, "control")
    assert await statuses(runtime) == {"1": "pending_delivery"}


async def recycle(
    runtime: Runtime, client: httpx.AsyncClient, event: UUID, to: str | None, by: UUID = MANAGER
) -> httpx.Response:
    return await client.post(
        f"/events/{event}/recycle", headers=as_(runtime, by), json={"channel": to} if to else {}
    )


async def failed(runtime: Runtime, ce_id: str, **more: Any) -> UUID:
    """Take an event in and have its delivery fail."""
    event = await take(runtime, ce_id, **more)
    await step(runtime, process_realtime)
    await say(runtime, event, Outcome.FAILED)
    await step(runtime, update_statuses)
    return event


async def test_an_event_in_delivery_error_is_recycled_once_to_its_other_channel(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    event = await failed(runtime, "1", phone=PHONE, external_id="X-1")
    assert (await recycle(runtime, client, event, "sms", READER)).status_code == 403
    first = await recycle(runtime, client, event, "sms")
    again = UUID(first.json()["event_id"])
    assert (await recycle(runtime, client, event, "sms")).json() == first.json()
    shown = await detail(runtime, client, again)
    assert (shown["channel"], shown["recycled_from"]) == ("sms", str(event))
    assert (shown["status"], shown["external_id"]) == ("pending", "X-1")
    row = await runtime.pool.fetchrow(
        "SELECT address, recipient_key, ctx, tried_channels FROM events WHERE event_id = $1", again
    )
    key = recipient_key(runtime.settings.secret, "sms", PHONE)
    assert row is not None
    assert tuple(row) == (PHONE, key, {"order": "A-17"}, ["email"])
    assert await runtime.pool.fetchval("SELECT count(*) FROM events") == 2
    assert await broken(runtime) == []


async def test_what_cannot_be_recycled_is_refused_with_the_reason(
    runtime: Runtime, client: httpx.AsyncClient, clock: DrivenClock
) -> None:
    async def why(event: UUID, to: str | None) -> tuple[str, str]:
        refused = await recycle(runtime, client, event, to)
        assert refused.status_code == 409, refused.text
        return refused.json()["field"], refused.json()["detail"]

    async with held_back(runtime):
        pending = await take(runtime, "pending", phone=PHONE)
    assert await why(pending, "sms") == ("control", "an event that is pending is not recycled")
    event = await failed(runtime, "1")
    assert await why(event, None) == ("channel", "say which channel it is recycled to")
    assert await why(event, "pigeon") == ("channel", "is neither email nor sms")
    assert await why(event, "sms") == ("channel", "it has no address for sms")
    assert await why(event, "email") == ("channel", "it was tried by email already")
    late = await failed(
        runtime, "2", phone=PHONE, expiration=(clock.now() + timedelta(hours=1)).isoformat()
    )
    clock.advance(timedelta(hours=1))
    assert await why(late, "sms") == ("event_id", "its expiration is over")
    refused = await client.post(
        f"/events/{event}/resend", headers=as_(runtime, MANAGER), json={"channel": "sms"}
    )
    assert (refused.status_code, refused.json()["field"]) == (409, "channel")


async def test_an_event_that_was_recycled_does_not_go_back_to_where_it_came_from(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    sms = RouteEventType(
        event_type=KIND, channel="sms", template_id=TEMPLATE, publish=True, actor=actor(MANAGER)
    )
    await runtime.execute(sms)
    event = await failed(runtime, "1", phone=PHONE)
    again = UUID((await recycle(runtime, client, event, "sms")).json()["event_id"])
    await step(runtime, process_realtime)
    await say(runtime, again, Outcome.FAILED)
    await step(runtime, update_statuses)
    refused = await recycle(runtime, client, again, "email")
    assert refused.json()["detail"] == "it was tried by email already"
    assert await broken(runtime) == []


@pytest.mark.parametrize(("channel", "address"), [("email", ADDRESS), ("sms", PHONE)])
async def test_erasing_either_address_clears_both_and_what_was_recycled(
    runtime: Runtime, client: httpx.AsyncClient, channel: str, address: str
) -> None:
    event = await failed(runtime, "1", phone=PHONE)
    await take(runtime, "other", email="bob@example.org", phone="+33699999999")
    again = UUID((await recycle(runtime, client, event, "sms")).json()["event_id"])
    key = recipient_key(runtime.settings.secret, channel, address)
    async with runtime.uow.begin() as work:
        assert await erase(work, key, address) == 2
    rows = await runtime.pool.fetch("SELECT address FROM event_addresses")
    assert [row["address"] for row in rows] == ["+33699999999"]
    left = await runtime.pool.fetch("SELECT address, ctx FROM events ORDER BY address")
    assert [row["address"] for row in left] == ["", "", "bob@example.org"]
    assert (await detail(runtime, client, again))["status"] == "expired"
    refused = await recycle(runtime, client, event, "sms")
    assert refused.json()["detail"] == "its address was erased"


async def test_slack_is_told_where_an_event_may_be_recycled_to_and_when_it_is_tried_again(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    async def found(event: UUID) -> FoundEvent:
        search = FindEvents(search_id=uuid4(), event_id=event, actor=actor(MANAGER))
        [answer] = await runtime.execute(search)
        assert isinstance(answer, EventsFound)
        return answer.events[0]

    event = await failed(runtime, "1", phone=PHONE)
    assert (await found(event)).recycles_to == ("sms",)
    await recycle(runtime, client, event, "sms")
    assert (await found(event)).recycles_to == ()
    waits = await take(runtime, "2")
    [message] = [one for one in await routed(runtime) if one.message_id == waits]
    await not_taken(runtime, message)
    shown = await found(waits)
    assert (shown.status, shown.errors, shown.recycles_to) == ("pending", 1, ())
    assert shown.next_try_at is not None
    assert [one.reason for one in shown.history] == ["", "", "unknown_template"]


def rules(kind: str = KIND, *, by: UUID = MANAGER, **more: Any) -> SetEventRules:
    return SetEventRules(event_type=kind, actor=actor(by), **more)


async def recycled(runtime: Runtime) -> list[tuple[str, str, str]]:
    """Have what failed recycled; return channel, status and sender's name of what came of it."""
    await step(runtime, recycle_events)
    rows = await runtime.pool.fetch(
        "SELECT channel, status, external_id FROM events WHERE recycled_from IS NOT NULL"
        " ORDER BY seq"
    )
    return [tuple(row) for row in rows]


async def test_events_of_a_type_with_that_rule_are_recycled_by_themselves(
    runtime: Runtime,
) -> None:
    await failed(runtime, "before", phone=PHONE, external_id="before")
    await runtime.execute(rules(recycle_to="sms"))
    await failed(runtime, "1", phone=PHONE, external_id="1")
    await failed(runtime, "no phone", external_id="no phone")
    await failed(runtime, "by sms", email=None, phone=PHONE, external_id="by sms")
    late = await take(runtime, "late", phone=PHONE, external_id="late")
    for outcome, minutes in ((Outcome.SENT, 1), (Outcome.FAILED, 9)):
        await say(runtime, late, outcome, minutes=minutes)
    assert await runtime.pool.fetchval("SELECT count(*) FROM workflow_wakes") > 0
    expected = [("sms", "pending", "1"), ("sms", "pending", "late")]
    assert await recycled(runtime) == expected
    assert await recycled(runtime) == expected
    assert await broken(runtime) == []


async def test_a_rule_that_is_taken_back_recycles_nothing_any_more(runtime: Runtime) -> None:
    await runtime.execute(rules(recycle_to="sms"))
    await failed(runtime, "1", phone=PHONE)
    await runtime.execute(rules())
    assert await recycled(runtime) == []
    await failed(runtime, "2", phone=PHONE)
    assert await runtime.pool.fetchval("SELECT count(*) FROM recycling_due") == 0


async def test_what_was_recycled_by_itself_does_not_go_round_in_circles(runtime: Runtime) -> None:
    sms = RouteEventType(
        event_type=KIND, channel="sms", template_id=TEMPLATE, publish=True, actor=actor(MANAGER)
    )
    await runtime.execute(sms)
    await runtime.execute(rules(recycle_to="sms"))
    await failed(runtime, "1", phone=PHONE)
    assert len(await recycled(runtime)) == 1
    await runtime.execute(rules(recycle_to="email"))
    await step(runtime, process_realtime)
    again = await runtime.pool.fetchval("SELECT event_id FROM events WHERE channel = 'sms'")
    await say(runtime, again, Outcome.FAILED)
    assert len(await recycled(runtime)) == 1
    assert await broken(runtime) == []


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (rules(recycle_to="pigeon"), "is neither email nor sms"),
        (rules(enrich=True), "EVENTS_ENRICHMENT_URL names no enrichment service"),
        (rules(recycle_to="sms", by=READER), "may not manage event types"),
    ],
)
async def test_rules_that_cannot_be_are_refused(
    runtime: Runtime, wanted: SetEventRules, why: str
) -> None:
    [answer] = await runtime.execute(wanted)
    assert isinstance(answer, EventRulesRefused)
    assert why in answer.reason
    assert await runtime.pool.fetchval("SELECT count(*) FROM event_rules") == 0


async def test_a_rule_that_is_replayed_does_not_come_back(runtime: Runtime) -> None:
    entry = runtime.registry.entry(SetEventRules)
    assert entry is not None
    old, new = rules(recycle_to="sms"), rules(recycle_to="email")
    for identity, command in (("c-1", old), ("c-2", new), ("c-1", old)):
        async with runtime.uow.begin() as work:
            work.cause = Envelope("/cli", identity, command.ce_type, work.now, b"")
            await entry.handle(command, work)
    assert await runtime.pool.fetchval("SELECT recycle_to FROM event_rules") == "email"


async def test_an_event_that_waited_too_long_in_its_queue_expires(
    open_service: Open, clock: DrivenClock
) -> None:
    runtime = await open_service(SERVICE, clock, EVENTS_MAX_QUEUE_HOURS="2")
    await know_operators(runtime)
    await runtime.execute(link(KIND, TEMPLATE))
    async with held_back(runtime):
        await take(runtime, "old")
        await take(runtime, "later", scheduled=(NOW + timedelta(hours=1)).isoformat())
    clock.advance(timedelta(hours=2, seconds=1))
    assert len(await routed(runtime)) == 1
    assert await statuses(runtime) == {"old": "expired", "later": "pending_delivery"}
    assert await broken(runtime) == []


async def test_rules_are_set_and_read_over_http(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    by, reader = as_(runtime, MANAGER), as_(runtime, READER)
    body = {"recycle_to": "sms"}
    assert (await client.put(f"/rules/{KIND}", json=body, headers=reader)).status_code == 403
    assert (await client.put(f"/rules/{KIND}", json=body, headers=by)).status_code == 204
    wrong = await client.put("/rules/b", json={"recycle_to": "pigeon"}, headers=by)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "recycle_to")
    refused = await client.put("/rules/b", json={"enrich": True}, headers=by)
    assert (refused.status_code, refused.json()["field"]) == (409, "enrich")
    page = (await client.get("/rules?limit=1", headers=reader)).json()
    assert page["next"] == KIND
    [one] = page["rules"]
    assert (one["event_type"], one["enrich"], one["recycle_to"]) == (KIND, False, "sms")
