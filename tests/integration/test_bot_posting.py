"""A Slack that limits, is slow, loses answers, goes away and comes back; in both modes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bot import messages
from bot.app import SERVICE, run_slack
from bot.blocks import content, section
from bot.messages import Messages
from bot.outgoing import POSTING, Outgoing
from bot.restored import after_restore
from bot.settings import BotSettings
from bot.slack import Places, web_client
from deploy.embedded.slack import SlackStub, render_text
from shared.clock import DrivenClock
from shared.service import Runtime
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
    talking,
)
from tests.unit.bot import samples
from tests.waiting import PATIENCE, eventually
from topics.delivery import ApprovalOutcome, ApprovalReminded
from topics.message import Actor, Via
from topics.workflows import Control, ControlWorkflow

MODES: tuple[Mode, ...] = ("socket", "http")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look lost messages up sooner: here an answer that is lost is lost at once."""
    monkeypatch.setattr(messages, "LOST_WAIT", 0.1)


async def test_a_lost_answer_is_looked_up_and_the_card_posted_once(story: BotStory) -> None:
    await story.people.lose_answers("chat.postMessage")
    state = samples.an_approval()
    await story.hear(state)
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 1
    row = await story.message(f"approval:{state.approval_id}")
    assert (row["ts"], row["attempted_at"]) == (card.ts, None)


@pytest.mark.parametrize(("error", "after_all"), [("internal_error", True), ("fatal_error", False)])
async def test_an_error_of_slacks_own_says_nothing_and_the_card_is_looked_up(
    story: BotStory, error: str, after_all: bool
) -> None:
    await story.people.fail("chat.postMessage", error, after_all=after_all)
    await story.hear(samples.an_approval())
    await story.people.wait_for_message("C-1042", CHANNEL)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 1


async def test_a_lost_reply_and_a_lost_direct_message_are_found_too(story: BotStory) -> None:
    state = samples.an_approval()
    await story.hear(state)
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await story.people.lose_answers("chat.postMessage", times=3)
    await story.hear(
        ApprovalReminded(
            campaign_id=state.campaign_id,
            approval_id=state.approval_id,
            revision=1,
            number=1,
            deadline_at=state.deadline_at,
            reviewer_ids=state.reviewer_ids,
        )
    )
    await story.quiet()
    rows = await story.people.messages()
    assert len([row for row in rows if row.thread_ts == card.ts]) == 1
    assert len([row for row in rows if "Reminder 1" in row.text or "Rappel 1" in row.text]) == 3


async def test_a_call_that_was_lost_before_slack_did_it_is_made_again(story: BotStory) -> None:
    state = samples.an_approval()
    async with story.runtime.uow.begin() as work:
        outgoing = Outgoing(work.connection, work.now - timedelta(minutes=1))
        await outgoing.show("died:1", CHANNEL, {"text": "After a death", "blocks": []})
        # A poster that noted its attempt and died before its call.
        await outgoing.claim_messages(1)
    await story.hear(state)
    await story.people.wait_for_message("After a death", CHANNEL)
    await story.quiet()
    texts = [row.text for row in await story.people.messages(CHANNEL)]
    assert texts[0] == "After a death"
    assert len(texts) == 2


async def test_a_storm_of_429_delays_and_loses_nothing(story: BotStory) -> None:
    await story.people.rate_limit("chat.postMessage", times=4, retry_after=1)
    states = [samples.an_approval(campaign_number=number) for number in range(1001, 1006)]
    await story.hear(*states)
    await story.quiet()
    rows = await story.people.messages(CHANNEL)
    numbers = [render_text(row).split("C-", 1)[1][:4] for row in rows]
    assert numbers == ["1001", "1002", "1003", "1004", "1005"]


async def test_a_form_opens_although_slack_asks_to_wait(story: BotStory) -> None:
    await story.people.rate_limit("views.open", retry_after=1)
    await story.people.slash(MANAGER, "/campaign", "new")
    await story.people.wait_for_view(MANAGER)


async def test_who_gets_no_form_in_time_is_told(story: BotStory) -> None:
    await story.people.fail("views.open", "expired_trigger_id")
    await story.people.slash(MANAGER, "/campaign", "new")
    await story.people.wait_for_ephemeral(MANAGER, "could not be opened in time")
    await story.quiet()


async def test_a_form_whose_opening_was_lost_is_not_called_late(story: BotStory) -> None:
    await story.people.lose_answers("views.open")
    await story.people.slash(MANAGER, "/campaign", "new")
    await story.people.wait_for_view(MANAGER)
    await story.quiet()
    assert await story.people.ephemerals(MANAGER) == []


async def test_a_message_changes_every_three_seconds_at_most_and_then_shows_the_newest(
    open_service: Open, tmp_path: Path
) -> None:
    clock = DrivenClock(samples.NOW)
    async with SlackStub(tmp_path) as stub, stub.workspace() as people:
        port = free_port()
        more = slack_settings(stub, "socket", port, SLACK_UPDATE_SECONDS="3")
        runtime = await open_service(SERVICE, clock, **more)
        assert isinstance(runtime.settings, BotSettings)
        async with web_client(runtime.settings) as client:
            loop = Messages(runtime.uow, client, Places(client), runtime.settings)
            said = await said_by(loop, runtime, clock)
        (shown,) = await people.messages(CHANNEL)
    # Every 0.25 s something new for ten seconds: forty changes, of which four are made.
    assert [one.content.text for one in shown.versions] == ["0", "12", "24", "36", "40"]
    assert said == [0.0, 3.0, 6.0, 9.0, 12.0]


async def said_by(loop: Messages, runtime: Runtime, clock: DrivenClock) -> list[float]:
    """Have one message change forty times in ten seconds; return when Slack was called."""
    said, elapsed = [], 0.0
    for tick in range(49):
        if tick <= 40:
            async with runtime.uow.begin() as work:
                shown = content(str(tick), [section(str(tick))])
                await Outgoing(work.connection, work.now).show("progress", CHANNEL, shown)
        for posting in await loop.claim(10):
            await loop.send(posting)
            said.append(elapsed)
        clock.advance(timedelta(seconds=0.25))
        elapsed += 0.25
    return said


async def test_what_cannot_be_said_in_a_channel_is_said_directly(story: BotStory) -> None:
    ack = await story.people.slash(MANAGER, "/campaign", "new", channel="#general")
    assert ack.acknowledged
    await story.people.fail("views.open", "expired_trigger_id")
    await story.people.slash(MANAGER, "/campaign", "new", channel="#general")
    told = await story.people.wait_for_message("could not be opened in time")
    assert told.channel.startswith("D")


async def test_a_card_slack_will_never_take_does_not_hold_up_the_others(story: BotStory) -> None:
    async with story.runtime.uow.begin() as work:
        outgoing = Outgoing(work.connection, work.now)
        await outgoing.show("bad:1", CHANNEL, {"text": "?", "blocks": [{"type": "nonsense"}]})
    await story.hear(samples.an_approval())
    await story.people.wait_for_message("C-1042", CHANNEL)
    row = await story.message("bad:1")
    assert (row["failed"], row["error"]) == (True, "invalid_blocks")


@pytest.mark.parametrize("mode", MODES)
async def test_slack_being_away_makes_rows_wait_and_catch_up_in_order(
    mode: Mode, open_service: Open, tmp_path: Path
) -> None:
    port, own_port = free_port(), free_port()
    stub = SlackStub(tmp_path, port=port)
    settings = slack_settings(stub, mode, own_port)
    url = f"http://127.0.0.1:{port}/api/"
    runtime = await open_service(SERVICE, **settings | {"SLACK_API_URL": url})
    story = BotStory(runtime, stub.workspace(), mode)
    states = [samples.an_approval(campaign_number=number) for number in range(1001, 1004)]
    await story.hear(*samples.OPERATORS, *states)
    task = asyncio.create_task(run_slack(runtime, story.stop))

    async def tried() -> bool:
        row = await story.message(f"approval:{states[0].approval_id}")
        return bool(row["attempts"])

    await eventually(tried, what="an attempt while Slack is away")
    async with stub, stub.workspace() as people:
        await people.wait_for_message("C-1003", CHANNEL, timeout=PATIENCE)
        texts = [row.text for row in await people.messages(CHANNEL)]
        assert [text.split("C-")[1][:4] for text in texts] == ["1001", "1002", "1003"]
        story.people = people
        await story.connected(own_port)
        story.stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def test_without_the_look_up_a_lost_answer_would_post_twice(
    story: BotStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(*_given: object, **_named: object) -> None:
        return None

    monkeypatch.setattr(messages, "find_posted", blind)
    await story.people.lose_answers("chat.postMessage")
    await story.hear(samples.an_approval())
    await story.people.wait_for_message("C-1042", CHANNEL)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_without_a_workspace_the_bot_only_keeps_its_read_models(
    mode: Mode, open_service: Open, tmp_path: Path
) -> None:
    off = await open_service(SERVICE)
    still_open, ended = samples.an_approval(), samples.an_approval(campaign_number=1043)
    over = {"outcome": ApprovalOutcome.EXPIRED, "version": 2}
    quiet = asyncio.Event()
    task = asyncio.create_task(run_slack(off, quiet))
    async with SlackStub(tmp_path) as stub, stub.workspace() as people:
        story = BotStory(off, people, mode)
        await story.hear(*samples.OPERATORS, still_open, ended, ended.model_copy(update=over))
        # Its outbox holds how its workflow stands, which is not for Slack.
        assert {name for name, count in (await story.rows()).items() if count} == {"outbox"}
        quiet.set()
        await asyncio.wait_for(task, PATIENCE)
        # Once there is a workspace, what waits for an answer gets its card.
        port = free_port()
        on = await open_service(SERVICE, **slack_settings(stub, mode, port))
        async with talking(BotStory(on, people, mode), port):
            await people.wait_for_message("C-1042", CHANNEL)
            assert len(await people.messages(CHANNEL)) == 1


async def test_a_bot_that_is_started_again_goes_on_with_what_waits(story: BotStory) -> None:
    story.stop.set()
    await eventually(lambda: _gone(story), what="the bot leaving")
    await story.hear(samples.an_approval())
    async with talking(story, story.runtime.settings.model_dump()["slack_http_port"]):
        await story.people.wait_for_message("C-1042", CHANNEL)
        ack = await story.people.slash(REVIEWER, "/campaign", "help")
        assert ack.acknowledged


async def _gone(story: BotStory) -> bool:
    if story.mode == "http":
        return not (await story.people.slash(REVIEWER, "/campaign", "help")).acknowledged
    return bool((await story.people.about())["connected"] == 0)


async def hold(story: BotStory, control: Control) -> None:
    actor = Actor(id=str(samples.SUPERVISOR.operator_id), via=Via.SLACK)
    await story.hear(ControlWorkflow(name=POSTING, control=control, actor=actor))


async def test_a_stopped_posting_holds_back_all_but_forms_until_it_is_started(
    story: BotStory,
) -> None:
    await hold(story, Control.STOP)
    await story.hear(samples.an_approval())
    await opened_form(story)
    assert await story.people.messages(CHANNEL) == []
    await hold(story, Control.START)
    await story.people.wait_for_message("C-1042", CHANNEL)


async def test_after_a_restore_nothing_that_stands_in_slack_is_said_twice(
    story: BotStory,
) -> None:
    posted, known_later = samples.an_approval(), samples.an_approval(approval_id=uuid4())
    for state in (posted, known_later):
        await story.hear(state)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 2
    await hold(story, Control.STOP)
    async with story.runtime.uow.begin() as work:
        # The backup holds the first card unposted, and nothing of the second.
        await work.connection.execute(
            "UPDATE slack_messages SET ts = NULL, channel = NULL, shown_hash = NULL WHERE key = $1",
            f"approval:{posted.approval_id}",
        )
        await work.connection.execute(
            "DELETE FROM slack_messages WHERE key = $1", f"approval:{known_later.approval_id}"
        )
        await work.connection.execute(
            "DELETE FROM approvals WHERE approval_id = $1", known_later.approval_id
        )
        await work.connection.execute(
            "UPDATE instance SET backup_at = $1, restored_at = clock_timestamp() + '1 second'",
            work.now - timedelta(minutes=1),
        )
        await after_restore(work.connection)
    await story.hear(known_later)
    fresh = samples.an_approval(approval_id=uuid4())
    await hold(story, Control.START)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 2
    async with story.runtime.uow.begin() as work:
        await work.connection.execute("UPDATE instance SET restored_at = $1", work.now)
    await story.hear(fresh)
    await story.quiet()
    assert len(await story.people.messages(CHANNEL)) == 3
