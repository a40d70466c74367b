"""Before anything is done: who may knock, and what is answered when nothing can be recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from deploy.embedded.slack import Forgery
from tests.conftest import Open
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    BotStory,
    Mode,
    taken,
    telling,
)
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.campaign import CreateCampaign, OpenCampaignForm
from topics.delivery import DecideApproval


@pytest.fixture
async def http_story(open_service: Open, tmp_path: Path) -> AsyncIterator[BotStory]:
    async with telling(open_service, tmp_path, "http") as told:
        yield told


@pytest.fixture(params=["socket", "http"])
async def story(
    request: pytest.FixtureRequest, open_service: Open, tmp_path: Path
) -> AsyncIterator[BotStory]:
    mode: Mode = request.param
    async with telling(open_service, tmp_path, mode, SLACK_ACK_SECONDS="0.4") as told:
        yield told


async def test_every_forged_request_is_refused_with_401_and_leaves_no_row(
    http_story: BotStory,
) -> None:
    story = http_story
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.slash(MANAGER, "/campaign", "new")
    form = await story.people.wait_for_view(MANAGER)
    await story.quiet()
    before = await story.rows()
    for forgery in Forgery:
        for ack in (
            await story.people.slash(MANAGER, "/campaign", "new", forgery=forgery),
            await story.people.click(REVIEWER, card, "Approve", forgery=forgery),
            await story.people.submit(MANAGER, form, {"label": "Spring"}, forgery=forgery),
            await story.people.home_opened(MANAGER, forgery=forgery),
        ):
            assert (ack.acknowledged, ack.status) == (False, 401), forgery
    assert await story.rows() == before


async def test_an_exact_replay_has_no_second_effect(http_story: BotStory) -> None:
    story = http_story
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.slash(MANAGER, "/campaign", "new")
    assert (await story.people.replay()).status == 200
    form = await story.people.wait_for_view(MANAGER)
    await story.people.click(REVIEWER, card, "Approve")
    assert (await story.people.replay()).status == 200
    aimed = await taken(story, form, "campaign_target", {"label": "Spring"})
    assert (await story.people.replay()).status == 200
    means = await taken(story, aimed, "campaign_means")
    await story.people.submit(MANAGER, means)
    assert (await story.people.replay()).status == 200
    for kind in (OpenCampaignForm, DecideApproval, CreateCampaign):
        assert len(await story.emitted(kind)) == 1


async def test_other_paths_methods_and_huge_bodies_are_refused(http_story: BotStory) -> None:
    port = http_story.runtime.settings.model_dump()["slack_http_port"]
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/slack/events") as answer:
            assert answer.status == 405
        async with session.post(f"{url}/") as answer:
            assert answer.status == 404
        async with session.post(f"{url}/slack/events", data=b"x" * 2_000_000) as answer:
            assert answer.status == 413


@asynccontextmanager
async def inbox_is_stuck(story: BotStory) -> AsyncIterator[None]:
    """Hold a lock that every commit of a click waits for."""
    async with story.runtime.pool.acquire() as holder, holder.transaction():
        await holder.execute("LOCK TABLE slack_inbox IN ACCESS EXCLUSIVE MODE")
        yield


async def test_what_is_not_committed_in_time_is_said_to_be_not_recorded(story: BotStory) -> None:
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.slash(MANAGER, "/campaign", "new")
    form = await story.people.wait_for_view(MANAGER)
    aimed = await taken(story, form, "campaign_target", {"label": "Spring"})
    means = await taken(story, aimed, "campaign_means")
    async with inbox_is_stuck(story):
        ack = await story.people.slash(MANAGER, "/campaign", "new")
        assert "not recorded" in str(ack.payload)
        ack = await story.people.submit(MANAGER, means)
        assert "Not recorded" in ack.errors["budget"]
        ack = await story.people.click(REVIEWER, card, "Approve")
        assert ack.acknowledged
        assert ack.seconds < 2
        await story.people.wait_for_ephemeral(REVIEWER, "not recorded")
    assert await story.emitted(DecideApproval) == []
    assert (await story.people.click(REVIEWER, card, "Approve")).acknowledged
    assert len(await story.emitted(DecideApproval)) == 1
    assert (await story.people.submit(MANAGER, means)).errors == {}
    assert len(await story.emitted(CreateCampaign)) == 1


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_nothing_is_acknowledged_before_it_is_committed(
    mode: Mode, open_service: Open, tmp_path: Path
) -> None:
    async with telling(open_service, tmp_path, mode, SLACK_ACK_SECONDS="2.5") as story:
        await commits_first(story)


async def commits_first(story: BotStory) -> None:
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    async with inbox_is_stuck(story):
        click = asyncio.create_task(story.people.click(REVIEWER, card, "Approve"))
        await eventually(lambda: _someone_waits(story), what="the click waiting for its commit")
        done, _ = await asyncio.wait({click}, timeout=0.15)
        assert not done
    assert (await click).acknowledged
    assert len(await story.emitted(DecideApproval)) == 1


async def _someone_waits(story: BotStory) -> bool:
    return bool(
        await story.runtime.pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'slack_inbox'::regclass"
        )
    )


async def test_twenty_clicks_of_two_people_at_once_are_two_commands(story: BotStory) -> None:
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)

    async def all_press() -> bool:
        people = (REVIEWER, "supervisor") * 10
        acks = await asyncio.gather(*(story.people.click(who, card, "Approve") for who in people))
        assert all(ack.acknowledged or ack.problem for ack in acks)
        return len(await story.emitted(DecideApproval)) == 2

    # On a busy machine a click may be told that it was not recorded: people press again.
    await eventually(all_press, what="a decision of each")
    assert await all_press()
