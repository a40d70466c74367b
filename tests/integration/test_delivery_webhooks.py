"""Webhooks to real HTTP servers: signed, repeated until accepted, never where they must not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from services.delivery import invariants
from services.delivery.app import SERVICE
from services.delivery.store.webhooks import EndpointStore
from services.delivery.webhooks import keeping
from services.delivery.webhooks.addresses import fault_of
from shared.errors import Refused
from shared.ids import recipient_key
from shared.sealing import seal
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import SECRET
from tests.integration.delivery_harness import Case, add_operators, said, sending
from tests.integration.http_sink import Posted, Sink, answer, close, listening
from tests.waiting import eventually
from topics.delivery import Channel, MessageOutcome, Outcome, SendMessage, TemplateRefused

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
async def shop() -> AsyncIterator[Sink]:
    async with listening() as sink:
        yield sink


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    return await a_runtime(open_service, WEBHOOK_ALLOW_PRIVATE="true")


async def a_runtime(open_service: Open, **settings: str) -> Runtime:
    found = await open_service(
        SERVICE,
        SMTP_PORT="1",
        PROGRESS_SECONDS="0.1",
        SENDER_RETRY_BASE_SECONDS="0.1",
        WEBHOOK_TIMEOUT_SECONDS="0.5",
        **settings,
    )
    await add_operators(found)
    return found


async def registered(runtime: Runtime, url: str, name: str = "shop") -> str:
    async with runtime.uow.begin() as work:
        _, secret = await keeping.add(work, name=name, url=url)
    return secret


async def template(runtime: Runtime, text: str = "", endpoint: str = "shop") -> UUID:
    case = Case([])
    await runtime.execute(
        case.template(
            channel=Channel.WEBHOOK,
            endpoint=endpoint,
            text=text,
            body="",
            from_address="",
            proof_recipients=(),
        )
    )
    return case.template_id


def hook(template_id: UUID, **ctx: Any) -> SendMessage:
    message_id = uuid4()
    return SendMessage(
        message_id=message_id,
        template_id=template_id,
        channel=Channel.WEBHOOK,
        recipient_key=recipient_key(SECRET.encode(), "webhook", str(message_id)),
        ctx={"order": "A-17"} | ctx,
        event_type="order.shipped",
        external_id="ext-1",
        received_at=AT,
    )


async def outcome(runtime: Runtime, command: SendMessage) -> tuple[Outcome, str]:
    async def probe() -> list[MessageOutcome]:
        every = await said(runtime, MessageOutcome)
        return [one for one in every if one.message_id == command.message_id]

    [found] = await eventually(probe, what="the message's outcome")
    return found.outcome, found.reason


def signatures(posted: Posted, secret: str) -> list[bool]:
    """Say of each signature whether it is this secret's, computed from the scheme's text alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}."
    own = hmac.new(key, head.encode() + posted.body, hashlib.sha256).digest()
    versions = [one.split(",", 1) for one in posted.headers["webhook-signature"].split(" ")]
    assert {version for version, _ in versions} == {"v1"}
    return [hmac.compare_digest(base64.b64decode(text), own) for _, text in versions]


async def holds(runtime: Runtime) -> bool:
    async with runtime.pool.acquire() as connection:
        return await invariants.broken(connection) == []


async def test_an_event_is_posted_once_and_its_signature_is_the_standards(
    runtime: Runtime, shop: Sink
) -> None:
    secret = await registered(runtime, shop.url)
    command = hook(await template(runtime, "Order {{ ctx.order }} <left>"))
    async with sending(runtime):
        await runtime.execute(command)
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
    [posted] = shop.posted
    assert posted.json == {
        "id": str(command.message_id),
        "type": "order.shipped",
        "time": AT.isoformat(),
        "external_id": "ext-1",
        "ctx": {"order": "A-17"},
        "text": "Order A-17 <left>",
    }
    assert posted.headers["webhook-id"] == str(command.message_id)
    age = datetime.now(UTC).timestamp() - int(posted.headers["webhook-timestamp"])
    assert 0 <= age < 60
    assert signatures(posted, secret) == [True]
    assert await holds(runtime)


async def test_after_a_rotation_both_secrets_sign_until_the_first_is_over(
    open_service: Open, shop: Sink
) -> None:
    runtime = await a_runtime(open_service, WEBHOOK_ALLOW_PRIVATE="true")
    old = await registered(runtime, shop.url)
    async with runtime.uow.begin() as work:
        _, new = await keeping.rotate(work, name="shop")
    template_id = await template(runtime)
    first, second = hook(template_id), hook(template_id)
    async with sending(runtime):
        await runtime.execute(first)
        await outcome(runtime, first)
        await runtime.pool.execute("UPDATE webhook_endpoints SET previous_until = now()")
        await runtime.execute(second)
        await outcome(runtime, second)
    both, one = shop.posted
    assert (signatures(both, new), signatures(both, old)) == ([True, False], [False, True])
    assert (signatures(one, new), signatures(one, old)) == ([True], [False])
    kept = await runtime.pool.fetchval("SELECT sealed_secret FROM webhook_endpoints")
    assert base64.b64decode(new.removeprefix("whsec_")) not in kept


async def test_what_was_not_answered_is_posted_again_under_the_same_id(
    runtime: Runtime, shop: Sink
) -> None:
    await registered(runtime, shop.url)
    shop.will(close, answer(503), shop.hang, answer(400))
    command = hook(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
    assert [one.headers["webhook-id"] for one in shop.posted] == 5 * [str(command.message_id)]
    assert len({one.body for one in shop.posted}) == 1
    assert await holds(runtime)


async def test_a_redirect_is_not_followed(runtime: Runtime, shop: Sink) -> None:
    await registered(runtime, shop.url)
    shop.will(answer(307, Location=shop.url.replace("messages", "elsewhere")))
    command = hook(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.FAILED, "refused_by_endpoint: 307")
    assert len(shop.posted) == 1


async def test_an_endpoint_that_is_gone_gets_nothing_more(runtime: Runtime, shop: Sink) -> None:
    await registered(runtime, shop.url)
    shop.will(answer(410))
    template_id = await template(runtime)
    first, second, third = hook(template_id), hook(template_id), hook(template_id)
    async with sending(runtime):
        await runtime.execute(first)
        assert await outcome(runtime, first) == (Outcome.FAILED, "refused_by_endpoint: 410")
        await runtime.execute(second)
        assert await outcome(runtime, second) == (Outcome.FAILED, "endpoint_disabled")
        async with runtime.uow.begin() as work:
            await keeping.change(work, name="shop", active=True)
        await runtime.execute(third)
        assert await outcome(runtime, third) == (Outcome.SENT, "")
    assert len(shop.posted) == 2


async def test_an_endless_answer_is_not_read(runtime: Runtime, shop: Sink) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        while not shop.woken.is_set():
            await response.write(b"x" * 65_536)
        return response

    await registered(runtime, shop.url)
    shop.will(endless)
    command = hook(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.SENT, "")
    shop.woken.set()


async def test_one_dead_endpoint_does_not_hold_up_another(runtime: Runtime, shop: Sink) -> None:
    async with listening() as dead:
        await registered(runtime, dead.url, "dead")
        await registered(runtime, shop.url)
        dead.will(*[dead.hang] * 200)
        stuck = [hook(await template(runtime, endpoint="dead")) for _ in range(60)]
        command = hook(await template(runtime))
        async with sending(runtime):
            for one in [*stuck, command]:
                await runtime.execute(one)
            assert await outcome(runtime, command) == (Outcome.SENT, "")
            called = await runtime.pool.fetchval(
                "SELECT count(*) FROM attempts WHERE outcome IN ('deferred', 'open')"
            )
        dead.woken.set()
    assert called < 60


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]
)
async def test_no_webhook_reaches_a_private_address_whatever_was_registered(
    open_service: Open, shop: Sink, host: str
) -> None:
    runtime = await a_runtime(open_service)
    # As if a name had come to mean something else since it was registered.
    secret = b"s" * 32
    async with runtime.uow.begin() as work:
        sealed = seal(work.settings.secret, keeping.PURPOSE, secret, bound_to="shop")
        url = shop.url.replace("127.0.0.1", host)
        await EndpointStore(work.connection).add("shop", url, sealed, work.now)
    command = hook(await template(runtime))
    async with sending(runtime):
        await runtime.execute(command)
        assert await outcome(runtime, command) == (Outcome.FAILED, "forbidden_address")
    assert shop.posted == []


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hooks",
        "ftp://shop.example/",
        "https://user:pass@shop.example/",
        "https://shop.example/#part",
        "https://10.0.0.7/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
        "https:///hooks",
        "https://shop.example:99999/",
        "shop.example",
    ],
)
async def test_an_endpoint_that_may_not_be_is_refused_at_its_url(
    open_service: Open, url: str
) -> None:
    runtime = await a_runtime(open_service)
    with pytest.raises(Refused) as refusal:
        await registered(runtime, url)
    assert refusal.value.field == "url"


def test_a_public_endpoint_may_be() -> None:
    for url in ("https://shop.example/hooks?a=1", "https://1.1.1.1:8443/", "https://[2606::1]/x"):
        assert fault_of(url, allow_private=False) is None


async def test_names_are_unique_and_templates_name_endpoints_there_are(
    runtime: Runtime, shop: Sink
) -> None:
    await registered(runtime, shop.url)
    with pytest.raises(Refused, match="registered already"):
        await registered(runtime, shop.url)
    with pytest.raises(Refused, match="lower-case"):
        await registered(runtime, shop.url, "Shop 1")
    await template(runtime, endpoint="nowhere")
    [refused] = await said(runtime, TemplateRefused)
    assert refused.field == "endpoint"
