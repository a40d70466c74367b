"""SMS through a real HTTP gateway that accepts, refuses, is busy, hangs or hangs up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.delivery import ambiguous, invariants
from services.delivery.app import SERVICE
from services.delivery.claims import Claims
from services.delivery.erase import erase
from services.delivery.settings import DeliverySettings
from shared.ids import recipient_key
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import Case, add_operators, said, sending
from tests.integration.http_sink import Sink, answer, close, listening
from tests.integration.test_delivery_messages import of_batch
from tests.waiting import eventually
from topics.bounces import AddressQuarantined
from topics.delivery import (
    Channel,
    DeliveryRefused,
    MessageOutcome,
    Outcome,
    SendMessage,
    TemplateRefused,
)

NUMBER = "+33612345678"
SPELT = "0033 (0)6 12 34-56.78"


@pytest.fixture
async def gateway() -> AsyncIterator[Sink]:
    async with listening() as sink:
        yield sink


@pytest.fixture
async def runtime(open_service: Open, gateway: Sink) -> Runtime:
    return await a_runtime(open_service, gateway)


async def a_runtime(open_service: Open, gateway: Sink, **settings: str) -> Runtime:
    found = await open_service(
        SERVICE,
        SMTP_PORT="1",
        SMS_GATEWAY_URL=gateway.url,
        SMS_GATEWAY_TOKEN="gate-secret",
        SMS_SENDER="MUSTER",
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.1",
        **settings,
    )
    await add_operators(found)
    return found


async def template(runtime: Runtime, text: str = "Code {{ ctx.code }}", **more: Any) -> UUID:
    values: dict[str, Any] = {
        "channel": Channel.SMS,
        "text": text,
        "subject": "",
        "body": "",
        "from_address": "",
        "from_name": "",
        "proof_recipients": (),
    }
    case = Case([])
    await runtime.execute(case.template(**values | more))
    return case.template_id


def sms(template_id: UUID, number: str = NUMBER, **ctx: Any) -> SendMessage:
    return SendMessage(
        message_id=uuid4(),
        template_id=template_id,
        channel=Channel.SMS,
        address=number,
        recipient_key=recipient_key(SECRET.encode(), "sms", NUMBER),
        ctx={"code": "1234"} | ctx,
    )


async def outcome(runtime: Runtime, command: SendMessage) -> tuple[Outcome, str]:
    async def probe() -> list[MessageOutcome]:
        every = await said(runtime, MessageOutcome)
        return [one for one in every if one.message_id == command.message_id]

    [found] = await eventually(probe, what="the message's outcome")
    return found.outcome, found.reason


async def row(runtime: Runtime, command: SendMessage) -> dict[str, Any]:
    found = await runtime.pool.fetchrow(
        "SELECT outcome, reason, code, attempts FROM ledger WHERE run_id = $1", command.message_id
    )
    assert found is not None
    return dict(found)


async def holds(runtime: Runtime) -> bool:
    async with runtime.pool.acquire() as connection:
        return await invariants.broken(connection) == []


async def test_an_sms_is_posted_once_with_its_key_and_its_parts_are_kept(
    runtime: Runtime, gateway: Sink
) -> None:
    command = sms(await template(runtime, "Code {{ ctx.code }} <€>"), SPELT)
    async with sending(runtime):
        await runtime.execute(command)
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
        await runtime.execute(command)
    [posted] = gateway.posted
    assert posted.json == {
        "id": str(command.message_id),
        "from": "MUSTER",
        "to": NUMBER,
        "text": "Code 1234 <€>",
    }
    assert posted.headers["Idempotency-Key"] == str(command.message_id)
    assert posted.headers["Authorization"] == "Bearer gate-secret"
    assert await runtime.pool.fetchval("SELECT parts FROM attempts") == 1
    assert await holds(runtime)


async def test_a_busy_or_broken_gateway_gets_the_same_message_again_when_it_asks_for_it(
    runtime: Runtime, gateway: Sink
) -> None:
    gateway.will(answer(429, Retry_After="1"), answer(500), answer(202))
    command = sms(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
    assert len({one.headers["Idempotency-Key"] for one in gateway.posted}) == 1
    assert len(gateway.posted) == 3
    attempts = await runtime.pool.fetch(
        "SELECT outcome, code, started_at FROM attempts ORDER BY number"
    )
    assert [(one["outcome"], one["code"]) for one in attempts] == [
        ("deferred", "429"),
        ("deferred", "500"),
        ("sent", "202"),
    ]
    assert (attempts[1]["started_at"] - attempts[0]["started_at"]).total_seconds() >= 1


async def test_what_can_never_leave_is_answered_with_the_reason(
    runtime: Runtime, gateway: Sink
) -> None:
    gateway.will(answer(400, {"code": "sender not allowed!"}))
    template_id = await template(runtime)
    long = await template(runtime, "x" * 1600)
    mail = Case([])
    await runtime.execute(mail.template())
    commands = {
        "refused_by_gateway: 400 sender_not_allowed": sms(template_id),
        "bad_address": sms(template_id, "06 12 34 56 78"),
        "too_long: 11 parts, at most 10": sms(long),
        "wrong_channel": sms(mail.template_id),
        "unknown_template": sms(uuid4()),
    }
    async with sending(runtime):
        for reason, command in commands.items():
            await runtime.execute(command)
            assert await outcome(runtime, command) == (Outcome.FAILED, reason)
    assert len(gateway.posted) == 1


async def test_a_lost_answer_is_ambiguous_and_waits_for_a_person(
    runtime: Runtime, gateway: Sink
) -> None:
    gateway.will(close)
    command = sms(await template(runtime))

    async def ambiguous() -> bool:
        found = await row(runtime, command)
        return bool(found["outcome"] == "ambiguous")

    async with sending(runtime):
        await runtime.execute(command)
        await eventually(ambiguous, what="the row in doubt")
    assert len(gateway.posted) == 1
    assert await said(runtime, MessageOutcome) == []


async def test_a_gateway_that_promises_to_send_once_a_key_is_asked_again_after_a_lost_answer(
    open_service: Open, gateway: Sink
) -> None:
    runtime = await a_runtime(
        open_service,
        gateway,
        SMS_GATEWAY_IDEMPOTENT="true",
        SMS_GATEWAY_TIMEOUT_SECONDS="0.3",
    )
    gateway.will(close, gateway.hang)
    command = sms(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
    assert [one.headers["Idempotency-Key"] for one in gateway.posted] == 3 * [
        str(command.message_id)
    ]


async def test_a_number_that_is_none_is_quarantined_and_the_next_message_ignored(
    runtime: Runtime, gateway: Sink
) -> None:
    gateway.will(answer(422, {"error": "invalid_number", "detail": f"{NUMBER} is unknown"}))
    template_id = await template(runtime)
    first, second = sms(template_id), sms(template_id)
    async with sending(runtime):
        await runtime.execute(first)
        assert await outcome(runtime, first) == (Outcome.FAILED, "invalid_number")
        await runtime.execute(second)
        assert await outcome(runtime, second) == (Outcome.IGNORED, "quarantine")
    assert len(gateway.posted) == 1
    [told] = await said(runtime, AddressQuarantined)
    assert (told.channel, told.recipient_key) == (Channel.SMS, first.recipient_key)
    # People qualify what mail servers say; this is none of it.
    assert await runtime.pool.fetchval("SELECT count(*) FROM bounce_messages") == 0
    assert await holds(runtime)


async def test_without_a_gateway_it_is_said_at_once(open_service: Open) -> None:
    runtime = await open_service(SERVICE, SMTP_PORT="1")
    await add_operators(runtime)
    command = sms(await template(runtime))
    await runtime.execute(command)
    assert await outcome(runtime, command) == (Outcome.FAILED, "no_gateway")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("text", {"text": " "}),
        ("body", {"body": "<p>no</p>"}),
        ("channel", {"channel": Channel.DIRECT_MAIL}),
        ("text", {"text": "{{ nobody }}"}),
        ("endpoint", {"endpoint": "shop"}),
    ],
)
async def test_a_template_that_is_none_for_sms_is_refused_at_its_field(
    runtime: Runtime, field: str, values: dict[str, Any]
) -> None:
    await template(runtime, **values)
    [refused] = await said(runtime, TemplateRefused)
    assert refused.field == field


async def test_a_campaign_takes_no_sms_template(runtime: Runtime) -> None:
    case = Case([])
    case.template_id = await template(runtime)
    [refused] = await runtime.execute(case.prepare())
    assert isinstance(refused, DeliveryRefused)
    assert refused.field == "template_id"


async def test_each_channel_is_claimed_by_its_own_senders_alone(
    runtime: Runtime, gateway: Sink
) -> None:
    mail = Case([])
    await runtime.execute(mail.template(subject="Hello", body="<p>Hello</p>"))
    letter = SendMessage(
        message_id=uuid4(), template_id=mail.template_id, address="a@x.example", recipient_key="k"
    )
    text = sms(await template(runtime))
    await runtime.execute(text)
    await runtime.execute(letter)
    settings = cast("DeliverySettings", runtime.settings)
    found = {}
    for channel in (Channel.EMAIL, Channel.SMS, Channel.WEBHOOK):
        claims = Claims(runtime.uow, settings, f"test-{channel}", channel)
        if await claims.due_urgent():
            batch = await claims.take_urgent()
            assert batch is not None
            found[channel] = [row.run_id for row in batch.rows]
        assert not await claims.due_urgent()
    assert found == {Channel.EMAIL: [letter.message_id], Channel.SMS: [text.message_id]}
    # What is in doubt and sent again by a person waits in the queue of its own channel again.
    await runtime.pool.execute(
        "UPDATE queue SET lease_until = clock_timestamp() - interval '1 second'"
    )
    async with sending(runtime):

        async def doubted() -> bool:
            rows = await runtime.pool.fetch("SELECT outcome FROM ledger")
            return {one["outcome"] for one in rows} == {"ambiguous"}

        await eventually(doubted, what="both in doubt")
        async with runtime.uow.begin() as work:
            assert await ambiguous.resend(work) == 2
        assert await outcome(runtime, text) == (Outcome.SENT, "")
    assert len(gateway.posted) == 1
    assert await holds(runtime)


async def test_an_sms_of_a_real_time_event_goes_before_batch_ones(runtime: Runtime) -> None:
    template_id = await template(runtime)
    waiting = [of_batch(sms(template_id)) for _ in range(2)]
    for command in waiting:
        await runtime.execute(command)
    late = sms(template_id)
    await runtime.execute(late)
    settings = cast("DeliverySettings", runtime.settings)
    batch = await Claims(runtime.uow, settings, "test", Channel.SMS).take_urgent()
    assert batch is not None
    assert [row.run_id for row in batch.rows] == [
        late.message_id,
        *(one.message_id for one in waiting),
    ]


async def test_a_stopped_delivery_holds_its_sms_back_too(runtime: Runtime) -> None:
    command = sms(await template(runtime))
    await runtime.execute(command)
    await runtime.pool.execute(
        "UPDATE technical_workflows SET status = 'stopped' WHERE name = 'deliveryMgt'"
    )
    settings = cast("DeliverySettings", runtime.settings)
    claims = Claims(runtime.uow, settings, "test", Channel.SMS)
    assert not await claims.due_urgent()
    assert await claims.take_urgent() is None


async def test_erasing_a_number_takes_its_message_back(runtime: Runtime, gateway: Sink) -> None:
    command = sms(await template(runtime))
    await runtime.execute(command)
    async with runtime.uow.begin() as work:
        await erase(work, command.recipient_key, NUMBER)
    assert await outcome(runtime, command) == (Outcome.IGNORED, "erased")
    assert await runtime.pool.fetchval("SELECT count(*) FROM queue") == 0
    async with sending(runtime):
        other = sms(await template(runtime))
        await runtime.execute(other)
        assert await outcome(runtime, other) == (Outcome.SENT, "")
    assert len(gateway.posted) == 1
