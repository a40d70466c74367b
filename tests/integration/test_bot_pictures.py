"""Pictures of proofs: what the browser may do, and how a picture comes onto its card."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bot import chromium
from bot.chromium import Browser, NoPicture, find_browser, picture
from deploy.embedded.slack import Message, render_text
from tests.conftest import Open
from tests.integration.bot_story import CHANNEL, BotStory, telling
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.delivery import ApprovalOutcome

PNG = b"\x89PNG\r\n\x1a\n"
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="


@pytest.fixture
def browser() -> Browser:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium is installed: pictures of proofs are not tested")
    return found


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, list[str]]]:
    """Yield an address, and what anybody who connected to it said first."""
    heard: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.read(200)).decode("latin-1"))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"127.0.0.1:{port}", heard


def hostile(host: str) -> str:
    url = f"http://{host}"
    return f"""<html><head>
      <meta http-equiv="refresh" content="0;url={url}/refresh">
      <link rel="stylesheet" href="{url}/a.css"><link rel="preconnect" href="{url}">
      <link rel="prefetch" href="{url}/next"><link rel="dns-prefetch" href="//{host}">
      <style>@import url({url}/b.css); @font-face {{font-family: x; src: url({url}/f.woff)}}
        p {{font-family: x; background: url({url}/bg.png)}}</style></head>
      <body onload="fetch('{url}/onload')"><p>Dear reader</p>
      <img src="{url}/pixel.gif"><img src="//{host}/two.gif" srcset="{url}/2x.gif 2x">
      <img src="file:///etc/passwd"><video src="{url}/v.mp4" poster="{url}/p.png" autoplay></video>
      <iframe src="{url}/frame"></iframe><iframe srcdoc="<img src='{url}/deep.gif'>"></iframe>
      <object data="{url}/o.swf"></object><embed src="{url}/e.pdf">
      <svg><image href="{url}/svg.png"/><use href="{url}/u.svg#a"/></svg>
      <form action="{url}/form"><input autofocus type="image" src="{url}/button.png"></form>
      <script>new Image().src = "{url}/script"; new WebSocket("ws://{host}/ws")</script>
      <script src="{url}/s.js"></script></body></html>"""


async def test_a_message_is_drawn_without_a_single_request_leaving(browser: Browser) -> None:
    async with listener() as (host, heard):
        png = await picture(browser, hostile(host))
        assert png.startswith(PNG)
        assert heard == []


async def test_scripts_do_nothing_and_embedded_pictures_are_shown(browser: Browser) -> None:
    plain = await picture(browser, "<body><p>Hello</p></body>")
    script = "<script>document.body.innerHTML = '<h1>Bought</h1>'</script>"
    assert await picture(browser, f"<body><p>Hello</p>{script}</body>") == plain
    dot = f'<img src="{DOT}" width="300" height="300">'
    assert await picture(browser, f"<body><p>Hello</p>{dot}</body>") != plain


async def test_a_long_message_is_cut_and_a_browser_that_fails_says_why(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = await picture(browser, "<body><div style='height:90000px'>x</div></body>")
    height = int.from_bytes(long[20:24], "big")
    assert height == int(chromium.HEIGHTS[1] * chromium.SCALE)
    with pytest.raises(NoPicture, match="the browser ended"):
        await picture(Browser("/bin/false"), "<p>x</p>")
    monkeypatch.setattr(chromium, "SECONDS", 0.01)
    with pytest.raises(NoPicture, match="more than"):
        await picture(browser, "<p>x</p>")


def test_a_browser_that_is_not_there_is_none() -> None:
    assert find_browser("no-such-browser") is None


@asynccontextmanager
async def pages(answers: dict[str, web.Response]) -> AsyncIterator[str]:
    """Serve proofs' messages by path, as the delivery service does; yield the address."""

    async def show(request: web.Request) -> web.Response:
        found = answers.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(text=found.text, status=found.status, content_type="text/html")

    site = web.Application()
    site.router.add_get("/{path:.*}", show)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def story(browser: Browser, open_service: Open, tmp_path: Path) -> AsyncIterator[BotStory]:
    answers = {"/p/good/message": web.Response(text="<h1>Spring is here</h1>")}
    async with (
        pages(answers) as url,
        telling(
            open_service, tmp_path, "socket", PROOF_BROWSER=browser.path, PROOF_PAGES_URL=url
        ) as told,
    ):
        yield told


def has_picture(message: Message) -> bool:
    return "slack_file" in str(message.blocks)


async def card_with_picture(story: BotStory) -> Message:
    return await story.people.wait_for_message("C-1042", CHANNEL, 60, where=has_picture)


async def test_the_card_gets_its_picture_after_429s_and_lost_answers(story: BotStory) -> None:
    await story.people.rate_limit("files.getUploadURLExternal", retry_after=1)
    await story.people.lose_answers("files.completeUploadExternal")
    await story.hear(samples.an_approval(proof_path="/p/good"))
    card = await card_with_picture(story)
    # The card did not wait for it, and is one message.
    assert not has_picture_in_first(card)
    assert len(await story.people.messages(CHANNEL)) == 1
    shown = next(block for block in card.blocks if block["type"] == "image")
    files = {file.id: file for file in await story.people.files()}
    assert files[shown["slack_file"]["id"]].completed
    assert shown["alt_text"] == "The message “Spring is here”"


def has_picture_in_first(message: Message) -> bool:
    return "slack_file" in str(message.versions[0].content.blocks)


async def test_a_proof_whose_page_is_gone_has_a_card_without_picture(story: BotStory) -> None:
    state = samples.an_approval(proof_path="/p/gone")
    await story.hear(state)
    await story.people.wait_for_message("C-1042", CHANNEL)

    async def given_up() -> bool:
        row = await story.runtime.pool.fetchrow("SELECT done_at, error FROM pictures")
        return bool(row and row["done_at"] and "404" in row["error"])

    await eventually(given_up, what="the picture being given up")
    decided = state.model_copy(
        update={"outcome": ApprovalOutcome.APPROVED, "version": 2, "decided_at": samples.NOW}
    )
    await story.hear(decided)
    await story.people.wait_for_message("Approved", CHANNEL)


async def test_a_picture_that_slack_refuses_costs_the_card_nothing_else(story: BotStory) -> None:
    state = samples.an_approval(proof_path="/p/good")
    await story.hear(state)
    await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.fail("chat.update", "invalid_blocks")

    async def stripped() -> bool:
        row = await story.message(f"approval:{state.approval_id}")
        done = await story.runtime.pool.fetchval("SELECT done_at FROM pictures")
        return bool(done and row["shown_hash"] == row["wanted_hash"])

    await eventually(stripped, what="the card without its picture")
    assert not (await story.message(f"approval:{state.approval_id}"))["failed"]
    await story.hear(state.model_copy(update={"count": 7, "version": 2}))
    card = await card_with_picture(story)
    assert "7" in render_text(card)


async def test_a_card_says_what_changed_since_the_last_approval(story: BotStory) -> None:
    first = samples.an_approval(
        outcome=ApprovalOutcome.APPROVED, decided_at=samples.NOW, proof_path=None
    )
    again = samples.an_approval(
        subject="Spring is <here>", count=1300, content_hash="other", proof_path=None
    )
    cost = samples.a_cost(first.campaign_id, amount_minor=123_456)
    await story.hear(cost, first, cost.model_copy(update={"amount_minor": 200_000}), again)
    card = render_text(await story.people.wait_for_message("1,300", CHANNEL))
    assert "Subject: Spring is here → Spring is <here>" in card
    assert "Recipients: 1,203 → 1,300" in card
    assert "The content has changed" in card
    assert "Cost: €1,234.56 → €2,000.00" in card
    assert "frozen anew" not in card
