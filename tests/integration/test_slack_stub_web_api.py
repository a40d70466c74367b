"""The real slack_sdk client against the stub's Web API: answers, refusals and scripted faults."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from deploy.embedded.slack import Channel, Person, Seed, SlackStub, Workspace
from tests.unit.slack_stub.samples import approval_card, campaign_modal, plain, section

CAMPAIGNS, MANAGER = "C0CAMPAIGNS", "U0MANAGER01"


def a_seed() -> Seed:
    seed = Seed()
    closed = [
        Channel(id="C0ARCHIVED1", name="old", archived=True),
        Channel(id="G0PRIVATE01", name="board", private=True, app_is_member=False),
    ]
    left = Person(id="U0LEFT00001", name="left", real_name="Left", deleted=True)
    return seed.model_copy(
        update={"channels": [*seed.channels, *closed], "people": [*seed.people, left]}
    )


class StoppedClock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def stub(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[SlackStub]:
    async with SlackStub(tmp_path, seed=a_seed(), monotonic=clock) as running:
        yield running


@pytest.fixture
async def people(stub: SlackStub) -> AsyncIterator[Workspace]:
    async with stub.workspace() as workspace:
        yield workspace


@pytest.fixture
def client(stub: SlackStub) -> AsyncWebClient:
    return AsyncWebClient(token=stub.seed.app.bot_token, base_url=stub.base_url)


async def refusal(call: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        await call
    data = caught.value.response.data
    assert isinstance(data, dict)
    return data


async def test_a_message_is_posted_changed_and_found_with_its_metadata(
    stub: SlackStub, client: AsyncWebClient, people: Workspace
) -> None:
    metadata = {"event_type": "proof", "event_payload": {"number": "C-1042"}}
    posted = await client.chat_postMessage(
        channel=CAMPAIGNS, text="Proof", blocks=approval_card("Spring"), metadata=metadata
    )
    card = await people.wait_for_message("Proof of Spring", "#campaigns")
    assert card.ts == posted["ts"]
    await client.chat_update(channel=CAMPAIGNS, ts=card.ts, text="Approved", blocks=[section("ok")])
    changed = await people.wait_for_update(card, "ok")
    assert [version.content.text for version in changed.versions] == ["Proof", "Approved"]
    assert changed.metadata == metadata
    bare = await client.conversations_history(channel=CAMPAIGNS)
    assert "metadata" not in bare["messages"][0]
    full = await client.conversations_history(channel=CAMPAIGNS, include_all_metadata=True)
    assert full["messages"][0]["metadata"] == metadata
    link = await client.chat_getPermalink(channel=CAMPAIGNS, message_ts=card.ts)
    async with aiohttp.ClientSession() as session:
        async with session.get(link["permalink"], allow_redirects=False) as answer:
            place = answer.headers["Location"].removeprefix("/#")
        async with session.get(stub.url) as answer:
            assert f'id="{place}"' in await answer.text()


async def test_an_update_keeps_what_it_leaves_out_and_removes_what_it_empties(
    client: AsyncWebClient, people: Workspace
) -> None:
    posted = await client.chat_postMessage(channel=CAMPAIGNS, text="a", blocks=[section()])
    await client.chat_update(channel=CAMPAIGNS, ts=posted["ts"], text="b")
    (kept,) = await people.messages(CAMPAIGNS)
    assert (kept.text, len(kept.blocks)) == ("b", 1)
    await client.chat_update(channel=CAMPAIGNS, ts=posted["ts"], text="b", blocks=[])
    (emptied,) = await people.messages(CAMPAIGNS)
    assert emptied.blocks == []


async def test_tokens_are_checked(stub: SlackStub, client: AsyncWebClient) -> None:
    base_url = stub.base_url
    assert (await client.auth_test())["bot_id"] == stub.seed.app.bot_id
    nobody = AsyncWebClient(base_url=base_url)
    assert (await refusal(nobody.auth_test()))["error"] == "not_authed"
    wrong = AsyncWebClient(token="xoxb-wrong", base_url=base_url)
    assert (await refusal(wrong.auth_test()))["error"] == "invalid_auth"
    app_level = AsyncWebClient(token=stub.seed.app.app_token, base_url=base_url)
    assert (await refusal(app_level.auth_test()))["error"] == "not_allowed_token_type"
    bot_token = stub.seed.app.bot_token
    opening = client.apps_connections_open(app_token=bot_token)
    assert (await refusal(opening))["error"] == "not_allowed_token_type"
    assert (await refusal(client.api_call("chat.nothing")))["error"] == "unknown_method"


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0NOWHERE00", "channel_not_found"),
        ("G0PRIVATE01", "channel_not_found"),
        ("#general", "not_in_channel"),
        ("C0ARCHIVED1", "is_archived"),
    ],
)
async def test_channels_the_app_cannot_write_to(
    client: AsyncWebClient, channel: str, error: str
) -> None:
    assert (await refusal(client.chat_postMessage(channel=channel, text="x")))["error"] == error


async def test_messages_slack_would_refuse(client: AsyncWebClient) -> None:
    async def post(**content: Any) -> dict[str, Any]:
        return await refusal(client.chat_postMessage(channel=CAMPAIGNS, **content))

    too_many = await post(text="x", blocks=[section() for _ in range(51)])
    assert too_many["error"] == "invalid_blocks"
    assert too_many["response_metadata"]["messages"] == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]
    assert (await post(text="x" * 40_001))["error"] == "msg_too_long"
    with pytest.warns(UserWarning, match="text"):
        assert (await post(text=""))["error"] == "no_text"
    assert (await post(text="x", blocks='{"not": "a list"}'))["error"] == "invalid_blocks_format"
    assert (await post(text="x", metadata={"event_type": "e"}))[
        "error"
    ] == "invalid_metadata_schema"
    await client.chat_postMessage(channel=CAMPAIGNS, text="x" * 40_000)


async def test_messages_that_cannot_be_changed(client: AsyncWebClient, people: Workspace) -> None:
    await people.say("manager", CAMPAIGNS, "mine")
    (said,) = await people.messages(CAMPAIGNS)
    changing = client.chat_update(channel=CAMPAIGNS, ts=said.ts, text="x")
    assert (await refusal(changing))["error"] == "cant_update_message"
    missing = client.chat_update(channel=CAMPAIGNS, ts="1.000001", text="x")
    assert (await refusal(missing))["error"] == "message_not_found"


async def test_direct_messages_and_ephemerals(client: AsyncWebClient, people: Workspace) -> None:
    opened = await client.conversations_open(users=[MANAGER])
    channel = opened["channel"]["id"]
    assert channel.startswith("D")
    sent = await client.chat_postMessage(channel=MANAGER, text="hello")
    assert sent["channel"] == channel
    assert (await people.messages("manager"))[0].text == "hello"
    await client.chat_postEphemeral(channel=CAMPAIGNS, user=MANAGER, text="only you")
    assert (await people.wait_for_ephemeral("manager", "only you")).channel == CAMPAIGNS
    assert await people.ephemerals("reviewer") == []
    gone = client.conversations_open(users=["U0LEFT00001"])
    assert (await refusal(gone))["error"] == "user_disabled"
    outsider = client.chat_postEphemeral(channel=CAMPAIGNS, user="U0LEFT00001", text="x")
    assert (await refusal(outsider))["error"] == "user_not_in_channel"


async def test_people_are_looked_up(client: AsyncWebClient, people: Workspace) -> None:
    plainly = await client.users_info(user=MANAGER)
    assert "locale" not in plainly["user"]
    user = (await client.users_info(user=MANAGER, include_locale=True))["user"]
    assert (user["locale"], user["tz"]) == ("en-GB", "Europe/Paris")
    found = await client.users_lookupByEmail(email=user["profile"]["email"])
    assert found["user"]["id"] == MANAGER
    unknown = client.users_lookupByEmail(email="nobody@muster.example")
    assert (await refusal(unknown))["error"] == "users_not_found"
    assert (await refusal(client.users_info(user="U0NOBODY000")))["error"] == "user_not_found"
    await people.change_member("manager", snoozed=True, deleted=True)
    assert (await client.dnd_info(user=MANAGER))["snooze_enabled"] is True
    assert (await client.users_info(user=MANAGER))["user"]["deleted"] is True


async def test_history_is_paged_and_bounded(client: AsyncWebClient) -> None:
    ts = [(await client.chat_postMessage(channel=CAMPAIGNS, text=f"m{n}"))["ts"] for n in range(5)]
    first = await client.conversations_history(channel=CAMPAIGNS, limit=2)
    assert [row["text"] for row in first["messages"]] == ["m4", "m3"]
    assert first["has_more"] is True
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=CAMPAIGNS, cursor=cursor)
    assert [row["text"] for row in rest["messages"]] == ["m2", "m1", "m0"]
    since = await client.conversations_history(channel=CAMPAIGNS, oldest=ts[2])
    assert [row["text"] for row in since["messages"]] == ["m4", "m3"]
    names = {channel["name"] for channel in (await client.conversations_list())["channels"]}
    assert {"campaigns", "alerts"} <= names
    assert "board" not in names


async def test_a_view_opens_once_and_within_three_seconds(
    client: AsyncWebClient, people: Workspace, clock: StoppedClock
) -> None:
    await people.slash("manager", "/campaign", "new")
    trigger = await _trigger(people)
    opened = await client.views_open(trigger_id=trigger, view=campaign_modal())
    assert opened["view"]["root_view_id"] == opened["view"]["id"]
    twice = client.views_open(trigger_id=trigger, view=campaign_modal())
    assert (await refusal(twice))["error"] == "exchanged_trigger_id"
    in_time, late = await _trigger(people), await _trigger(people)
    clock.seconds += 3
    await client.views_open(trigger_id=in_time, view=campaign_modal())
    clock.seconds += 0.1
    expired = client.views_open(trigger_id=late, view=campaign_modal())
    assert (await refusal(expired))["error"] == "expired_trigger_id"
    wrong = client.views_open(trigger_id="1.2.3", view=campaign_modal())
    assert (await refusal(wrong))["error"] == "invalid_trigger_id"


async def _trigger(people: Workspace) -> str:
    """Return a fresh trigger id, as an app on the wire would see it."""
    seen: list[dict[str, Any]] = []

    async def take(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(dict(await request.post()))
        return aiohttp.web.Response()

    app = aiohttp.web.Application()
    app.router.add_post("/", take)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        await people.use_http(f"http://127.0.0.1:{port}/")
        await people.slash("manager", "/campaign", "new")
    finally:
        await runner.cleanup()
    return str(seen[0]["trigger_id"])


async def test_a_view_is_changed_unless_the_writer_is_stale(
    client: AsyncWebClient, people: Workspace
) -> None:
    trigger = await _trigger(people)
    view = (await client.views_open(trigger_id=trigger, view=campaign_modal()))["view"]
    changed = {**campaign_modal(), "title": plain("Counted")}
    answer = await client.views_update(view_id=view["id"], hash=view["hash"], view=changed)
    assert answer["view"]["title"]["text"] == "Counted"
    stale = client.views_update(view_id=view["id"], hash=view["hash"], view=changed)
    assert (await refusal(stale))["error"] == "hash_conflict"
    unknown = client.views_update(view_id="V0NOWHERE", view=changed)
    assert (await refusal(unknown))["error"] == "not_found"
    too_long = {**campaign_modal(), "title": plain("x" * 25)}
    bad = await refusal(client.views_update(view_id=view["id"], view=too_long))
    assert bad["error"] == "invalid_arguments"
    assert bad["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]


async def test_a_file_is_uploaded_and_shared(
    client: AsyncWebClient, people: Workspace, stub: SlackStub
) -> None:
    await client.files_upload_v2(
        channel=CAMPAIGNS, content="a;b\n1;2\n", filename="extract.csv", initial_comment="Rejects"
    )
    message = await people.wait_for_message("Rejects", CAMPAIGNS)
    (file,) = await people.files()
    assert message.file_ids == [file.id]
    address = f"{stub.url}/files/{file.id}/{file.name}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert await answer.text() == "a;b\n1;2\n"


async def test_forms_are_read_as_json_bodies_are(stub: SlackStub, people: Workspace) -> None:
    form = {
        "token": stub.seed.app.bot_token,
        "channel": CAMPAIGNS,
        "text": "form",
        "blocks": json.dumps([section("in a form")]),
    }
    address = f"{stub.base_url}chat.postMessage"
    async with aiohttp.ClientSession() as session, session.post(address, data=form) as answer:
        assert (await answer.json())["ok"] is True
    assert (await people.wait_for_message("in a form")).text == "form"


async def test_429_says_when_to_come_back_and_the_handler_does(
    stub: SlackStub, client: AsyncWebClient, people: Workspace
) -> None:
    await people.rate_limit("chat.postMessage", retry_after=1)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=CAMPAIGNS, text="refused")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    patient = AsyncWebClient(
        token=stub.seed.app.bot_token,
        base_url=stub.base_url,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )
    await people.rate_limit("chat.postMessage", retry_after=1)
    await patient.chat_postMessage(channel=CAMPAIGNS, text="after all")
    assert [row.text for row in await people.messages(CAMPAIGNS)] == ["after all"]


async def test_a_pace_holds_for_each_channel_by_itself(
    client: AsyncWebClient, people: Workspace, clock: StoppedClock
) -> None:
    await people.keep_pace("chat.postMessage", per_second=1, burst=2)
    for _ in range(2):
        await client.chat_postMessage(channel=CAMPAIGNS, text="x")
    over = client.chat_postMessage(channel=CAMPAIGNS, text="x")
    assert (await refusal(over))["error"] == "ratelimited"
    await client.chat_postMessage(channel="C0ALERTS001", text="elsewhere")
    clock.seconds += 1
    await client.chat_postMessage(channel=CAMPAIGNS, text="a second later")
    await people.no_faults()
    await client.chat_postMessage(channel=CAMPAIGNS, text="x")


async def test_a_lost_answer_is_posted_twice_by_the_default_client(
    stub: SlackStub, client: AsyncWebClient, people: Workspace
) -> None:
    await people.lose_answers("chat.postMessage")
    await client.chat_postMessage(channel=CAMPAIGNS, text="twice")
    assert [row.text for row in await people.messages(CAMPAIGNS)] == ["twice", "twice"]
    careful = AsyncWebClient(
        token=stub.seed.app.bot_token, base_url=stub.base_url, retry_handlers=[]
    )
    await people.lose_answers("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await careful.chat_postMessage(channel=CAMPAIGNS, text="once")
    assert [row.text for row in await people.messages(CAMPAIGNS)] == ["twice", "twice", "once"]


async def test_slow_and_failing_answers(client: AsyncWebClient, people: Workspace) -> None:
    await people.slow_answers("auth.test", 0.2)
    started = time.monotonic()
    await client.auth_test()
    assert time.monotonic() - started >= 0.2
    await people.fail("auth.test", "fatal_error")
    assert (await refusal(client.auth_test()))["error"] == "fatal_error"
    await client.auth_test()


async def test_the_workspace_is_remembered_and_the_transcript_tells_no_secret(
    tmp_path: Path, client: AsyncWebClient, stub: SlackStub, people: Workspace
) -> None:
    await client.chat_postMessage(channel=CAMPAIGNS, text="write to someone@muster.example")
    await client.users_lookupByEmail(email="robin.clarke@muster.example")
    await people.slash("manager", "/campaign", "new")
    lines = (tmp_path / "transcript.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    calls = [row["method"] for row in rows if row["what"] == "call"]
    assert calls == ["chat.postMessage", "users.lookupByEmail"]
    delivery = next(row for row in rows if row["what"] == "delivery")
    assert (delivery["type"], delivery["acknowledged"]) == ("/campaign", False)
    secrets = (stub.seed.app.bot_token, "muster.example")
    assert not [secret for secret in secrets if any(secret in line for line in lines)]


async def test_a_stub_started_again_knows_its_messages(tmp_path: Path) -> None:
    async with SlackStub(tmp_path / "again") as first:
        client = AsyncWebClient(token=first.seed.app.bot_token, base_url=first.base_url)
        posted = await client.chat_postMessage(channel=CAMPAIGNS, text="before")
    async with SlackStub(tmp_path / "again") as second, second.workspace() as people:
        client = AsyncWebClient(token=second.seed.app.bot_token, base_url=second.base_url)
        await client.chat_update(channel=CAMPAIGNS, ts=posted["ts"], text="after")
        assert (await people.wait_for_message("after")).ts == posted["ts"]


async def test_the_page_shows_messages_and_escapes_them(
    stub: SlackStub, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel=CAMPAIGNS, text="x", blocks=approval_card("<b>Spring"))
    await client.chat_postMessage(channel=CAMPAIGNS, text="&lt;script&gt; 1 < 2 *bold*")
    async with aiohttp.ClientSession() as session, session.get(stub.url) as answer:
        page = await answer.text()
    assert "Proof of &lt;b&gt;Spring" in page
    assert "Camille Martin" in page
    assert "&lt;script&gt; 1 &lt; 2 <b>bold</b>" in page
    assert "<script>" not in page
