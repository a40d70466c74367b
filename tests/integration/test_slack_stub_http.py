"""The real slack-bolt behind its own HTTP server, with requests signed and forged by the stub."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from deploy.embedded.slack import Forgery, SlackStub, Workspace
from tests.unit.slack_stub.samples import approval_card, campaign_modal


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[SlackStub]:
    async with SlackStub(tmp_path) as running:
        yield running


class HttpBot:
    """A bot behind an HTTP server, with the payloads it let in and their headers."""

    def __init__(self, stub: SlackStub) -> None:
        client = AsyncWebClient(token=stub.seed.app.bot_token, base_url=stub.base_url)
        self.app = AsyncApp(client=client, signing_secret=stub.seed.app.signing_secret)
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.app.command("/campaign")(self.command)
        self.app.view("new_campaign")(self.note)
        self.app.action("approve")(self.note)
        self.app.event("app_home_opened")(self.note)

    async def command(
        self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, respond: AsyncRespond
    ) -> None:
        self.seen.append(body)
        if body.get("text") == "later":
            await ack()
            await respond("Counted", response_type="in_channel")
            return
        if body.get("text") == "reply":
            await ack("Only you see this")
            return
        await client.views_open(trigger_id=body["trigger_id"], view=campaign_modal())
        await ack()

    async def note(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        self.seen.append(body)
        await ack()

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        answer = await self.app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)


@pytest.fixture
async def bot(stub: SlackStub) -> AsyncIterator[HttpBot]:
    bot = HttpBot(stub)
    app = web.Application()
    app.router.add_post("/slack/events", bot.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with stub.workspace() as people:
        await people.use_http(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    yield bot
    await runner.cleanup()


@pytest.fixture
async def people(stub: SlackStub, bot: HttpBot) -> AsyncIterator[Workspace]:
    assert bot.seen == []
    async with stub.workspace() as workspace:
        yield workspace


async def test_commands_modals_clicks_and_events_pass_signed(
    bot: HttpBot, people: Workspace
) -> None:
    assert (await people.slash("manager", "/campaign", "new")).status == 200
    view = await people.wait_for_view("manager")
    with pytest.raises(Exception, match="no options"):
        await people.suggest("manager", view, "targeting")
    await bot.app.client.chat_postMessage(
        channel="C0CAMPAIGNS", text="Proof", blocks=approval_card("Spring")
    )
    card = await people.wait_for_message("Proof")
    assert (await people.click("reviewer", card, "Approve")).acknowledged
    assert (await people.home_opened("manager")).acknowledged
    kinds = [body.get("type", body.get("command")) for body in bot.seen]
    assert kinds == ["/campaign", "block_actions", "event_callback"]


async def test_a_reply_in_the_ack_is_shown_to_the_person(people: Workspace) -> None:
    ack = await people.slash("manager", "/campaign", "reply")
    assert ack.payload is not None
    assert (await people.wait_for_ephemeral("manager")).text == "Only you see this"


async def test_a_response_url_answers_in_the_channel(people: Workspace) -> None:
    await people.slash("manager", "/campaign", "later")
    assert (await people.wait_for_message("Counted", "#campaigns")).by_app


async def test_the_request_url_is_verified(people: Workspace) -> None:
    ack = await people.verify_url()
    assert ack.acknowledged
    assert ack.problem is None


async def test_an_event_sent_again_says_so(bot: HttpBot, people: Workspace) -> None:
    first = await people.home_opened("manager")
    again = await people.redeliver(first, attempt=1, reason="http_timeout")
    assert again.acknowledged
    assert "X-Slack-Retry-Num" not in bot.headers[0]
    assert bot.headers[1]["X-Slack-Retry-Num"] == "1"
    assert bot.headers[1]["X-Slack-Retry-Reason"] == "http_timeout"
    assert bot.seen[0]["event_id"] == bot.seen[1]["event_id"]


@pytest.mark.parametrize("forgery", list(Forgery))
async def test_forged_requests_are_refused(
    bot: HttpBot, people: Workspace, forgery: Forgery
) -> None:
    # Bare slack-bolt reads the timestamp with int() and fails on it: a bot must see to that itself.
    status = 500 if forgery is Forgery.TIMESTAMP_NOT_A_NUMBER else 401
    for ack in (
        await people.slash("manager", "/campaign", "new", forgery=forgery),
        await people.home_opened("manager", forgery=forgery),
    ):
        assert (ack.acknowledged, ack.status) == (False, status)
    assert bot.seen == []


async def test_an_exact_replay_carries_the_same_bytes_and_signature(
    bot: HttpBot, people: Workspace
) -> None:
    await people.slash("manager", "/campaign", "reply")
    assert (await people.replay()).status == 200
    first, second = bot.headers
    signed = ("X-Slack-Signature", "X-Slack-Request-Timestamp")
    assert [first[name] for name in signed] == [second[name] for name in signed]
    assert bot.seen[0] == bot.seen[1]


async def test_an_app_that_is_down_is_a_problem_not_a_crash(
    stub: SlackStub, people: Workspace
) -> None:
    await people.use_http("http://127.0.0.1:9/slack/events")
    ack = await people.slash("manager", "/campaign", "new")
    assert not ack.acknowledged
    assert "cannot be reached" in (ack.problem or "")
    await people.use_sockets()
    assert (await people.slash("manager", "/campaign")).problem == "the app is not connected"
    assert stub.url
