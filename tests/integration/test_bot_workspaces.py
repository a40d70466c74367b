"""Two workspaces with the same ids in both: each has its own, and neither holds up the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from bot.app import SERVICE
from bot.installations import Installations
from deploy.embedded.slack import Seed, SlackStub, Workspace, render_text
from deploy.embedded.slack.seed import App
from deploy.embedded.slack.town import CLIENT_ID, CLIENT_SECRET, SlackTown
from tests.conftest import Open
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    STRANGER,
    BotStory,
    free_port,
    slack_settings,
    talking,
)
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.campaign import OpenCampaignForm
from topics.delivery import DecideApproval
from topics.operators import LinkOperator, OperatorState

AWAY = "T0SECOND01"


def abroad(state: OperatorState) -> OperatorState:
    """Return somebody else with the same Slack id, in the other workspace."""
    return state.model_copy(
        update={
            "operator_id": UUID(int=state.operator_id.int + 100),
            "name": f"{state.name.split()[0]} Abroad",
            "slack_user_id": f"{AWAY}/{state.slack_user_id}",
        }
    )


THEIRS = tuple(abroad(one) for one in samples.OPERATORS)
OURS = samples.a_campaign(1042)
OTHERS = samples.a_campaign(1043, manager_id=str(THEIRS[0].operator_id))
OUR_CARD = samples.an_approval(campaign_id=OURS.campaign_id)
THEIR_CARD = samples.an_approval(
    campaign_id=OTHERS.campaign_id,
    campaign_number=1043,
    reviewer_ids=(THEIRS[1].operator_id, samples.REVIEWER.operator_id),
)


@dataclass
class Town:
    """A bot with a workspace of its own, and another one beside it."""

    story: BotStory
    away: Workspace
    slack: SlackTown
    away_stub: SlackStub
    port: int

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def install(self, *, cookie: bool = True, times: int = 1) -> tuple[int, str]:
        """Install the bot as a browser does; return the last page's status and text."""
        self.slack.installs = self.away_stub
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
            begun = await browser.get(self.url("/slack/install"), allow_redirects=False)
            kept = begun.headers["Set-Cookie"].partition(";")[0]
            granted = await browser.get(begun.headers["Location"], allow_redirects=False)
            for _ in range(times):
                headers = {"Cookie": kept} if cookie else {}
                async with browser.get(granted.headers["Location"], headers=headers) as page:
                    found = page.status, await page.text()
        return found

    async def installed(self) -> None:
        """Install the bot in the other workspace, with its people known."""
        assert await self.install() == (
            200,
            "Muster is installed in Second. You may close this page.",
        )
        await self.story.hear(*THEIRS)


@pytest.fixture
async def town(open_service: Open, tmp_path: Path) -> AsyncIterator[Town]:
    port = free_port()
    seed = Seed(team_id=AWAY, team_name="Second", app=App(bot_token="xoxb-second"))
    async with (
        SlackStub(tmp_path / "one") as one,
        SlackStub(tmp_path / "two", seed=seed) as two,
        one.workspace() as home,
        two.workspace() as away,
        SlackTown([one, two]) as slack,
    ):
        settings = slack_settings(one, "http", port) | {
            "SLACK_API_URL": slack.base_url,
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "SLACK_TEAMS": AWAY,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        runtime = await open_service(SERVICE, **settings)
        story = BotStory(runtime, home, "http")
        await runtime.pool.execute("DELETE FROM outbox")
        await story.hear(*samples.OPERATORS)
        async with talking(story, port):
            await away.use_http(f"http://127.0.0.1:{port}/slack/events")
            yield Town(story, away, slack, two, port)


async def said(people: Workspace, channel: str = CHANNEL) -> str:
    return "\n".join(render_text(one) for one in await people.messages(channel))


async def test_what_is_of_one_workspace_is_neither_shown_nor_done_in_the_other(town: Town) -> None:
    story, away = town.story, town.away
    await town.installed()
    await story.hear(OURS, OTHERS, OUR_CARD, THEIR_CARD)
    ours = await story.people.wait_for_message("C-1042", CHANNEL)
    theirs = await away.wait_for_message("C-1043", CHANNEL)
    # Who is in the other workspace is named, and nobody of the same id is mentioned.
    assert "<@U0REVIEWER1>, Robin Clarke" in str(theirs.content.blocks)
    await away.click(REVIEWER, theirs, "Approve")
    await story.people.click(REVIEWER, ours, "Approve")
    decided = {one.campaign_id: one.actor.id for one in await story.emitted(DecideApproval)}
    assert decided == {
        OURS.campaign_id: str(samples.REVIEWER.operator_id),
        OTHERS.campaign_id: str(THEIRS[1].operator_id),
    }
    await away.slash(MANAGER, "/campaign", "new")
    await away.wait_for_view(MANAGER, callback_id="campaign_new")
    (form,) = await story.emitted(OpenCampaignForm)
    assert form.actor.id == str(THEIRS[0].operator_id)
    assert await story.people.views(MANAGER) == []
    await away.slash(MANAGER, "/campaign", "follow C-1043")
    await away.wait_for_message("C-1043", MANAGER)
    await away.home_opened(MANAGER)
    await away.wait_for_home(MANAGER, "C-1043")
    await story.quiet()
    assert "C-1043" not in await said(story.people)
    assert "C-1042" not in await said(away)
    assert await story.people.messages(MANAGER) == []
    assert await story.people.ephemerals(MANAGER) == []


async def test_one_that_is_limited_or_away_holds_up_no_other(town: Town) -> None:
    story = town.story
    await town.installed()
    await town.away.rate_limit("chat.postMessage", times=1000, retry_after=30)
    await town.away.rate_limit("users.info", times=1000, retry_after=30)
    for number in range(20):
        campaign = samples.a_campaign(2000 + number, manager_id=str(THEIRS[0].operator_id))
        await story.hear(
            campaign,
            samples.an_approval(campaign_id=campaign.campaign_id, campaign_number=2000 + number),
        )
    await story.hear(OURS, OUR_CARD)
    await story.people.wait_for_message("C-1042", CHANNEL)
    assert await said(town.away) == ""
    await town.away.no_faults()


async def test_a_stranger_of_the_other_workspace_is_linked_there(town: Town) -> None:
    await town.installed()
    await town.away.slash(STRANGER, "/campaign", "list")
    await town.away.wait_for_ephemeral(STRANGER, "I do not know you")

    async def wished() -> bool:
        return bool(await town.story.emitted(LinkOperator))

    await eventually(wished, what="the other workspace having said who it is")
    (wish,) = await town.story.emitted(LinkOperator)
    assert wish.slack_user_id == f"{AWAY}/U0STRANGER1"


async def test_a_workspace_that_takes_the_bot_away_is_left_at_once(town: Town) -> None:
    story, away = town.story, town.away
    await town.installed()
    await story.hear(OTHERS, THEIR_CARD)
    await away.wait_for_message("C-1043", CHANNEL)
    ack = await away.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0"]}})
    assert ack.acknowledged
    card = await story.people.wait_for_message("Robin Abroad (has left)", CHANNEL)
    assert "Robin Abroad (has left), <@U0REVIEWER1>" in str(card.content.blocks)
    await story.people.click(REVIEWER, card, "Approve")
    assert len(await story.emitted(DecideApproval)) == 1
    await away.slash(MANAGER, "/campaign", "new")
    assert await story.emitted(OpenCampaignForm) == []
    # Installed again, it is served again.
    await town.installed()
    await away.slash(MANAGER, "/campaign", "new")
    await away.wait_for_view(MANAGER, callback_id="campaign_new")


async def test_an_installation_is_for_those_named_and_for_who_began_it(town: Town) -> None:
    pool = town.story.runtime.pool
    assert (await town.install(cookie=False))[0] == 400
    assert (await town.install(times=2))[0] == 400
    (row,) = await pool.fetch("SELECT sealed FROM slack_installations")
    assert b"xoxb-second" not in bytes(row["sealed"])
    store = Installations(town.story.runtime.uow, town.story.runtime.settings.secret)
    bot = await store.async_find_bot(enterprise_id=None, team_id=AWAY)
    assert bot is not None
    assert bot.bot_token == "xoxb-second"
    assert await store.async_find_bot(enterprise_id=None, team_id="T0OTHER") is None
    # The bot's own workspace is not installed a second time, nor is one that nobody named.
    town.away_stub = next(one for one in town.slack.stubs if one is not town.away_stub)
    status, text = await town.install()
    assert status == 403
    assert "may not be installed" in text
    assert town.slack.revoked == [town.away_stub.seed.app.bot_token]
    assert await pool.fetchval("SELECT count(*) FROM slack_installations") == 1
