"""The real slack-bolt, in Socket Mode, against the stub."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from deploy.embedded.slack import SlackStub, View, Workspace, render_text
from deploy.embedded.slack.inputs import InputRefused
from tests.unit.slack_stub.samples import approval_card, campaign_modal
from tests.waiting import PATIENCE

MANAGER, REVIEWER = "manager", "reviewer"


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[SlackStub]:
    async with SlackStub(tmp_path) as running:
        yield running


@pytest.fixture
async def people(stub: SlackStub) -> AsyncIterator[Workspace]:
    async with stub.workspace() as workspace:
        yield workspace


def an_app(stub: SlackStub) -> AsyncApp:
    client = AsyncWebClient(token=stub.seed.app.bot_token, base_url=stub.base_url)
    return AsyncApp(client=client, signing_secret=stub.seed.app.signing_secret)


@asynccontextmanager
async def connected(stub: SlackStub, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(app, stub.seed.app.app_token, ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


class Bot:
    """A small bot that records what it got and does what the real one does."""

    def __init__(self, app: AsyncApp) -> None:
        self.seen: list[dict[str, Any]] = []
        self.twice = asyncio.Event()
        self.acks = True
        self.submission_answer: dict[str, Any] = {}
        app.command("/campaign")(self.command)
        app.view("new_campaign")(self.submitted)
        app.action("approve")(self.clicked)
        app.options("targeting")(self.options)
        app.event("app_home_opened")(self.home)
        app.view_closed("new_campaign")(self.clicked)
        app.shortcut("new_campaign_shortcut")(self.clicked)

    async def command(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        self.seen.append(body)
        if len(self.seen) == 2:
            self.twice.set()
        if not self.acks:
            return
        await client.views_open(trigger_id=body["trigger_id"], view=campaign_modal())
        await ack()

    async def submitted(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        self.seen.append(body)
        await ack(**self.submission_answer)
        if not self.submission_answer:
            name = body["view"]["state"]["values"]["label"]["label_input"]["value"]
            await client.chat_postMessage(
                channel="C0CAMPAIGNS",
                text=f"Proof of {name}",
                blocks=approval_card(name),
                metadata={"event_type": "proof", "event_payload": {"campaign": name}},
            )

    async def clicked(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        self.seen.append(body)
        if self.acks:
            await ack()

    async def options(self, ack: AsyncAck, payload: dict[str, Any]) -> None:
        names = [n for n in ("Lapsed customers", "New sites") if payload["value"] in n]
        await ack(
            options=[
                {"text": {"type": "plain_text", "text": n}, "value": n.split()[0]} for n in names
            ]
        )

    async def home(self, event: dict[str, Any], client: AsyncWebClient) -> None:
        blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Campaigns"}}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})


async def test_a_campaign_goes_from_command_to_modal_to_card_to_click(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    async with connected(stub, app):
        await people.wait_for_connection()
        assert (await people.slash(MANAGER, "/campaign", "new")).acknowledged
        view = await people.wait_for_view(MANAGER, callback_id="new_campaign")
        ack = await people.submit(
            MANAGER,
            view,
            {"label": "Spring", "targeting.targeting": "Lapsed", "start": "2026-12-01"},
        )
        assert ack.acknowledged
        assert await people.views(MANAGER) == []
        card = await people.wait_for_message("Spring", "#campaigns")
        assert card.metadata == {"event_type": "proof", "event_payload": {"campaign": "Spring"}}
        assert "[ Approve ]" in render_text(card)
        assert (await people.click(REVIEWER, card, "approve")).acknowledged
    command, submission, click = bot.seen
    assert command["text"] == "new"
    assert command["channel_name"] == "campaigns"
    values = submission["view"]["state"]["values"]
    assert values["targeting"]["targeting"]["selected_option"]["value"] == "Lapsed"
    assert values["start"]["start_input"]["selected_date"] == "2026-12-01"
    assert click["user"]["id"] == "U0REVIEWER1"
    assert click["actions"][0]["value"] == "Spring"
    assert click["message"]["ts"] == card.ts
    assert click["container"] == {
        "type": "message",
        "message_ts": card.ts,
        "channel_id": "C0CAMPAIGNS",
        "is_ephemeral": False,
    }


async def test_errors_keep_the_modal_open_and_reach_the_driver(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    bot.submission_answer = {"response_action": "errors", "errors": {"label": "Already used"}}
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        view = await people.wait_for_view(MANAGER)
        ack = await people.submit(MANAGER, view, {"label": "Spring", "targeting": "New"})
        assert ack.errors == {"label": "Already used"}
        (still,) = await people.views(MANAGER)
        assert still.errors == {"label": "Already used"}
        assert still.values["label"]["label_input"]["value"] == "Spring"


async def test_an_answer_slack_would_not_take_is_a_problem(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    bot.submission_answer = {"response_action": "errors", "errors": {"nowhere": "?"}}
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        view = await people.wait_for_view(MANAGER)
        ack = await people.submit(MANAGER, view, {"label": "Spring", "targeting": "New"})
        assert ack.problem is not None
        assert "input blocks" in ack.problem


async def test_the_client_itself_refuses_an_empty_required_field(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        view = await people.wait_for_view(MANAGER)
        with pytest.raises(InputRefused, match="label"):
            await people.submit(MANAGER, view, {"targeting": "New"})
        with pytest.raises(InputRefused, match="not offered"):
            await people.submit(MANAGER, view, {"label": "x", "targeting": "Nobody"})
    assert [body.get("type") for body in bot.seen] == [None]


@pytest.mark.parametrize(
    ("action", "title"), [("update", "Changed"), ("push", "On top"), ("clear", None)]
)
async def test_a_submission_may_change_stack_or_clear_modals(
    stub: SlackStub, people: Workspace, action: str, title: str | None
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    bot.submission_answer = {"response_action": action}
    if title:
        bot.submission_answer["view"] = {**campaign_modal(), "title": _text(title)}
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        view = await people.wait_for_view(MANAGER)
        await people.submit(MANAGER, view, {"label": "Spring", "targeting": "New"})
        titles = [shown.title for shown in await people.views(MANAGER)]
    assert (
        titles == {"update": ["Changed"], "push": ["New campaign", "On top"], "clear": []}[action]
    )


def _text(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


async def test_what_is_not_acknowledged_is_told_and_can_come_again_as_attempt_0(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    bot.acks = False
    await people.wait_at_most(0.3)
    async with connected(stub, app):
        first = await people.slash(MANAGER, "/campaign", "new")
        assert not first.acknowledged
        assert first.problem == "not acknowledged in time"
        bot.acks = True
        await people.wait_at_most(5)
        again = await people.redeliver(first)
        assert again.acknowledged
        assert again.delivery_id == first.delivery_id
    assert bot.seen[0] == bot.seen[1]


async def test_an_unacknowledged_envelope_comes_back_by_itself(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    bot.acks = False
    await people.wait_at_most(0.2)
    await people.redeliver_after(0.05, 0.05, 0.05)
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        await asyncio.wait_for(bot.twice.wait(), PATIENCE)
        bot.acks = True
        await people.wait_for_view(MANAGER)
    assert bot.seen[0]["trigger_id"] == bot.seen[1]["trigger_id"]


async def test_nobody_connected_is_told_at_once(people: Workspace) -> None:
    ack = await people.slash(MANAGER, "/campaign", "new")
    assert ack.problem == "the app is not connected"


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_the_app_comes_back_after_a_refresh(
    stub: SlackStub, people: Workspace, reason: str
) -> None:
    app = an_app(stub)
    Bot(app)
    async with connected(stub, app):
        before = await people.wait_until(_shares(people), "connection")
        assert await people.disconnect(reason) == 1
        await people.wait_until(_other(people, before), "new connection")
        assert (await people.slash(MANAGER, "/campaign", "new")).acknowledged


def _shares(people: Workspace) -> Callable[[], Awaitable[dict[str, int] | None]]:
    async def look() -> dict[str, int] | None:
        return (await people.about())["shares"] or None

    return look


def _other(
    people: Workspace, before: dict[str, int]
) -> Callable[[], Awaitable[dict[str, int] | None]]:
    async def look() -> dict[str, int] | None:
        about = await people.about()
        fresh = {key: n for key, n in about["shares"].items() if key not in before}
        return fresh if about["connected"] else None

    return look


async def test_the_app_comes_back_after_its_connection_was_cut(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    Bot(app)
    async with connected(stub, app):
        before = await people.wait_until(_shares(people), "connection")
        assert await people.drop_connections() == 1
        await people.wait_until(_other(people, before), "new connection", 20)
        assert (await people.slash(MANAGER, "/campaign", "new")).acknowledged


async def test_envelopes_go_to_the_connections_in_turn(stub: SlackStub, people: Workspace) -> None:
    app, other = an_app(stub), an_app(stub)
    bots = Bot(app), Bot(other)
    async with connected(stub, app), connected(stub, other):
        await people.wait_for_connection(2)
        for _ in range(4):
            await people.slash(MANAGER, "/campaign", "new")
        shares = (await people.about())["shares"]
    assert [len(bot.seen) for bot in bots] == [2, 2]
    assert sorted(shares.values()) == [2, 2]


async def test_home_shortcut_suggestions_and_closing(stub: SlackStub, people: Workspace) -> None:
    app = an_app(stub)
    bot = Bot(app)
    async with connected(stub, app):
        assert (await people.home_opened(MANAGER)).acknowledged
        home = await people.wait_for_home(MANAGER, "Campaigns")
        assert home.blocks[0]["type"] == "header"
        assert (await people.shortcut(MANAGER, "new_campaign_shortcut")).acknowledged
        await people.slash(MANAGER, "/campaign", "new")
        view = await people.wait_for_view(MANAGER)
        options = await people.suggest(MANAGER, view, "targeting", "sites")
        assert [option["text"]["text"] for option in options] == ["New sites"]
        assert (await people.close(MANAGER, view)).acknowledged
        assert await people.views(MANAGER) == []
    assert [body.get("type") for body in bot.seen] == ["shortcut", None, "view_closed"]


async def test_a_click_in_a_modal_carries_what_was_typed(
    stub: SlackStub, people: Workspace
) -> None:
    app = an_app(stub)
    bot = Bot(app)
    app.action("targeting")(bot.clicked)
    async with connected(stub, app):
        await people.slash(MANAGER, "/campaign", "new")
        view: View = await people.wait_for_view(MANAGER)
        await people.click(MANAGER, view, "targeting", value="New", values={"label": "Spring"})
    click = bot.seen[-1]
    assert click["container"] == {"type": "view", "view_id": view.id}
    assert click["actions"][0]["selected_option"]["text"]["text"] == "New sites"
    values = click["view"]["state"]["values"]
    assert values["label"]["label_input"]["value"] == "Spring"
    assert values["targeting"]["targeting"]["selected_option"]["value"] == "New"
