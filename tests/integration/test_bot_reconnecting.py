"""Slack renews its sockets, sends again what it thinks was lost, and is slow to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from bot.app import SERVICE, run_slack
from deploy.embedded.slack import Ack, SlackStub, render_text
from tests.conftest import Open
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    BotStory,
    Mode,
    free_port,
    opened_form,
    slack_settings,
    telling,
)
from tests.unit.bot import samples
from tests.waiting import PATIENCE, eventually
from topics.campaign import CreateCampaign, OpenCampaignForm
from topics.delivery import DecideApproval

REFRESHES: Final = ("refresh_requested", "warning", "drop")


@pytest.fixture
async def socket_story(open_service: Open, tmp_path: Path) -> AsyncIterator[BotStory]:
    async with telling(open_service, tmp_path, "socket") as told:
        yield told


@pytest.mark.parametrize("reason", REFRESHES)
async def test_a_socket_that_slack_or_the_network_ends_is_renewed(
    socket_story: BotStory, reason: str
) -> None:
    people = socket_story.people
    await socket_story.hear(samples.an_approval())
    card = await people.wait_for_message("C-1042", CHANNEL)
    assert await people.disconnect(reason) == 1
    await people.wait_for_connection(timeout=PATIENCE)
    # Clicked while the former connection may still be open: one of them takes it, once.
    clicks = [people.click(REVIEWER, card, "Approve") for _ in range(5)]
    assert all(ack.acknowledged for ack in await asyncio.gather(*clicks))
    assert len(await socket_story.emitted(DecideApproval)) == 1


async def test_a_socket_is_renewed_although_the_first_try_fails(socket_story: BotStory) -> None:
    people = socket_story.people
    await people.lose_answers("apps.connections.open")
    await people.disconnect("refresh_requested")
    await people.wait_for_connection(timeout=PATIENCE)
    assert (await people.slash(MANAGER, "/campaign", "help")).acknowledged


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_the_bot_stops_while_slack_is_away(
    mode: Mode, open_service: Open, tmp_path: Path
) -> None:
    away = slack_settings(
        SlackStub(tmp_path), mode, free_port(), SLACK_API_URL="http://127.0.0.1:1/"
    )
    runtime = await open_service(SERVICE, **away)
    await runtime.execute(samples.an_approval())
    stop = asyncio.Event()
    task = asyncio.create_task(run_slack(runtime, stop))

    async def tried() -> bool:
        return bool(await runtime.pool.fetchval("SELECT max(attempts) FROM slack_messages"))

    await eventually(tried, what="an attempt while Slack is away")
    stop.set()
    await asyncio.wait_for(task, PATIENCE)


async def test_what_was_sent_while_a_socket_was_away_comes_again_and_counts_once(
    socket_story: BotStory,
) -> None:
    people = socket_story.people
    await socket_story.hear(samples.an_approval())
    card = await people.wait_for_message("C-1042", CHANNEL)
    await people.disconnect("drop")
    lost = await people.click(REVIEWER, card, "Approve")
    await people.wait_for_connection(timeout=PATIENCE)
    again = lost if lost.acknowledged else await people.redeliver(lost)
    assert again.acknowledged
    assert (await people.redeliver(again)).acknowledged
    assert len(await socket_story.emitted(DecideApproval)) == 1


async def sent_again(story: BotStory, ack: Ack) -> None:
    """Deliver something three times more, numbered as Slack numbers what it sends again."""
    before = await story.rows()
    for attempt in (1, 2, 3):
        again = await story.people.redeliver(ack, attempt=attempt, reason="http_timeout")
        assert again.acknowledged
    await story.quiet()
    assert await story.rows() == before


async def test_whatever_slack_sends_again_has_one_effect(story: BotStory) -> None:
    await story.hear(samples.an_approval(), samples.a_campaign())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await sent_again(story, await story.people.slash(MANAGER, "/campaign", "new"))
    form = await story.people.wait_for_view(MANAGER)
    await sent_again(story, await story.people.submit(MANAGER, form, {"label": "Spring"}))
    for callback_id in ("campaign_target", "campaign_means"):
        shown = await story.people.wait_for_view(MANAGER, callback_id=callback_id)
        await sent_again(story, await story.people.submit(MANAGER, shown))
    await sent_again(story, await story.people.click(REVIEWER, card, "Approve"))
    opened = await story.people.home_opened(MANAGER)
    await story.people.wait_for_home(MANAGER, "C-1042")
    await sent_again(story, opened)
    for kind in (OpenCampaignForm, CreateCampaign, DecideApproval):
        assert len(await story.emitted(kind)) == 1
    assert len(await story.people.views(MANAGER)) == 0


async def test_an_event_that_was_not_acknowledged_in_time_is_sent_again_by_itself(
    story: BotStory,
) -> None:
    await story.hear(samples.a_campaign())
    await story.people.redeliver_after(0.05, 0.1)
    await story.people.wait_at_most(0.001)
    await story.people.home_opened(MANAGER)
    await story.people.wait_at_most(3.0)
    home = await story.people.wait_for_home(MANAGER, "C-1042")
    assert "C-1042" in render_text(home)
    await story.quiet()
    published = await story.runtime.pool.fetchval(
        "SELECT count(*) FROM slack_calls WHERE kind = 'home'"
    )
    assert published == 1


async def test_a_slack_that_is_slow_is_waited_for_and_nothing_is_said_twice(
    story: BotStory,
) -> None:
    await story.people.slow_answers("chat.postMessage", 1.5, times=2)
    states = [samples.an_approval(campaign_number=number) for number in (1001, 1002, 1003)]
    await story.hear(*states)
    await opened_form(story)
    await story.quiet()
    rows = await story.people.messages(CHANNEL)
    numbers = [render_text(row).split("C-", 1)[1][:4] for row in rows]
    assert numbers == ["1001", "1002", "1003"]


async def test_a_storm_of_429_leaves_updates_gathered_and_the_last_one_standing(
    story: BotStory,
) -> None:
    state = samples.an_approval(count=0)
    await story.hear(state)
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.rate_limit("chat.update", times=3, retry_after=1)
    for count in range(1, 31):
        await story.hear(state.model_copy(update={"count": 1000 + count, "version": count + 1}))
    shown = await story.people.wait_for_update(card, "1,030")
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 1
    # The first text, perhaps one change before the storm, and what stood at its end.
    assert len(shown.versions) <= 4
