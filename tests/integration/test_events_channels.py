"""Outside events from Kafka to an SMS gateway and a webhook, and back to their status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from services.cli.checking import verdicts
from services.delivery.app import SERVICE as DELIVERY
from services.delivery.webhooks import keeping
from services.events_status.app import SERVICE as EVENTS
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET, make_topics
from tests.integration.delivery_harness import Case, add_operators
from tests.integration.events_story import (
    MANAGER,
    WRITTEN,
    Outside,
    actor,
    binary,
    data,
    know_operators,
    statuses,
)
from tests.integration.http_sink import Sink, answer, listening
from tests.integration.test_core import running, send
from tests.integration.test_delivery_kafka import EMITTED
from tests.waiting import eventually
from topics.delivery import Channel
from topics.events import ControlEvent, EventControl, RouteEventType
from topics.names import EVENTS_REALTIME
from topics.outside import SMS, event_id

NUMBER = "+33612345678"


@dataclass
class Place:
    """Message Center and the delivery at work on one instance, with what is at the far ends."""

    events: Runtime
    delivery: Runtime
    outside: Outside
    gateway: Sink
    shop: Sink

    async def covers(self, kind: str, channel: Channel, **template: str) -> None:
        case = Case([])
        values = {"body": "", "from_address": "", "subject": "", "proof_recipients": ()}
        command = case.template(channel=channel, **values | template)
        await send(self.delivery, command)

        async def known() -> UUID | None:
            found: UUID | None = await self.events.pool.fetchval(
                "SELECT template_id FROM templates WHERE template_id = $1", case.template_id
            )
            return found

        await eventually(known, what="the template in Message Center")
        route = RouteEventType(
            event_type=kind, template_id=case.template_id, channel=channel, actor=actor(MANAGER)
        )
        await self.events.execute(route)

    async def event(self, ce_id: str, kind: str, **fields: Any) -> None:
        nobody: dict[str, Any] = {"email": None}
        body = data("", **nobody | fields)
        await self.outside.send(body, binary(ce_id, kind=kind), topic=EVENTS_REALTIME)

    async def reach(self, expected: dict[str, str]) -> None:
        async def reached() -> bool:
            return {**await statuses(self.events)} == expected

        try:
            await eventually(reached, what="the statuses")
        except AssertionError:
            assert await statuses(self.events) == expected

    async def reason(self, ce_id: str) -> str:
        found: str = await self.events.pool.fetchval(
            "SELECT reason FROM events WHERE ce_id = $1", ce_id
        )
        return found


@pytest.fixture
async def place(open_service: Open) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(listening())
        shop = await stack.enter_async_context(listening())
        events = await open_service(EVENTS)
        delivery = await open_service(
            DELIVERY,
            SMTP_PORT="1",
            SMS_GATEWAY_URL=gateway.url,
            WEBHOOK_ALLOW_PRIVATE="true",
            SENDER_RETRY_BASE_SECONDS="0.1",
        )
        topics = {*events.topics, *delivery.topics, *WRITTEN, *EMITTED}
        await make_topics(events.settings, *topics)
        await know_operators(events)
        await know_operators(delivery)
        await add_operators(delivery)
        async with delivery.uow.begin() as work:
            await keeping.add(work, name="shop", url=shop.url)
        await stack.enter_async_context(running(events))
        await stack.enter_async_context(running(delivery))
        yield Place(events, delivery, Outside(events), gateway, shop)


async def test_events_by_sms_and_webhook_end_as_the_far_ends_say(place: Place) -> None:
    await place.covers("code.asked", Channel.SMS, text="Code {{ ctx.code }}")
    await place.covers("order.shipped", Channel.WEBHOOK, endpoint="shop")
    place.gateway.will(answer(202), answer(403, {"code": "blocked"}))
    await place.event("sent", "code.asked", phone="0033 6 12 34 56 78", ctx={"code": 7})
    await place.reach({"sent": "sent"})
    await place.event("refused", "code.asked", phone=NUMBER, ctx={"code": 8})
    await place.event("lacking", "code.asked", phone=NUMBER, ctx={})
    await place.event("hook", "order.shipped", wished_channel="webhook", external_id="X-7")
    await place.event("none", "order.shipped", phone=NUMBER)
    await place.reach(
        {
            "sent": "sent",
            "refused": "delivery_error",
            "lacking": "delivery_error",
            "hook": "sent",
            "none": "not_covered",
        }
    )
    assert await place.reason("refused") == "refused_by_gateway: 403 blocked"
    assert await place.reason("lacking") == "personalisation: text: has no value for code"
    assert place.gateway.posted[0].json["to"] == NUMBER
    [posted] = place.shop.posted
    assert posted.json["id"] == str(event_id("/shop/orders", "hook"))
    assert (posted.json["type"], posted.json["external_id"]) == ("order.shipped", "X-7")
    assert posted.json["time"] is not None
    assert posted.json["ctx"] == {"order": "A-17"}

    place.gateway.will(answer(422, {"code": "unknown_number"}))
    await place.event("unknown", "code.asked", phone=NUMBER, ctx={"code": 9})

    async def ended() -> bool:
        return (await statuses(place.events)).get("unknown") == "delivery_error"

    await eventually(ended, what="the number that is none")
    await place.event("ignored", "code.asked", phone="+33 612345678", ctx={"code": 9})

    async def ignored() -> bool:
        return (await statuses(place.events)).get("ignored") == "ignored"

    await eventually(ignored, what="the quarantined number's event")
    assert await place.reason("ignored") == "quarantine"
    for runtime in (place.events, place.delivery):
        [verdict] = await verdicts(runtime.settings, [runtime.service.name])
        assert verdict.broken == ()


async def test_a_webhooks_event_is_known_by_whom_it_names(place: Place) -> None:
    keys = {
        "mail": recipient_key(SECRET.encode(), "email", "ann@x.example"),
        "phone": recipient_key(SECRET.encode(), "sms", NUMBER),
        "sender": recipient_key(SECRET.encode(), "webhook", "X-1"),
        "nobody": recipient_key(
            SECRET.encode(), "webhook", str(event_id("/shop/orders", "nobody"))
        ),
    }
    named: dict[str, dict[str, Any]] = {
        "mail": {"email": "ann@x.example", "external_id": "X-1"},
        "phone": {"phone": "+33 612 345 678"},
        "sender": {"external_id": "X-1"},
        "nobody": {},
    }
    for ce_id, fields in named.items():
        await place.event(ce_id, "whatever", wished_channel="webhook", **fields)
    await place.reach(dict.fromkeys(named, "not_covered"))
    rows = await place.events.pool.fetch("SELECT ce_id, recipient_key, address FROM events")
    assert {row["ce_id"]: row["recipient_key"] for row in rows} == keys
    assert {row["address"] for row in rows} == {""}


async def test_an_event_that_no_mail_reaches_is_recycled_to_sms(place: Place) -> None:
    await place.covers("code.asked", Channel.SMS, text="Code {{ ctx.code }}")
    mail = {"subject": "Code", "body": "<p>{{ ctx.code }}</p>", "from_address": "us@x.example"}
    await place.covers("code.asked", Channel.EMAIL, **mail)
    both: dict[str, Any] = {"email": "ann@intranet", "phone": "+33 6 12 34 56 78"}
    await place.event("first", "code.asked", **both, ctx={"code": 7})
    await place.reach({"first": "delivery_error"})
    assert await place.reason("first") == "bad_address"
    first = event_id("/shop/orders", "first")
    await place.events.execute(
        ControlEvent(
            event_id=first, control=EventControl.RECYCLE, channel=SMS, actor=actor(MANAGER)
        )
    )

    async def sent() -> bool:
        return sorted((await statuses(place.events)).values()) == ["delivery_error", "sent"]

    await eventually(sent, what="the recycled event being sent")
    [posted] = place.gateway.posted
    assert (posted.json["to"], posted.json["text"]) == (NUMBER, "Code 7")
    assert posted.json["id"] != str(first)
