"""A reviewer who leaves Slack, or is deactivated, is named at once and blocks nothing."""

from __future__ import annotations

from deploy.embedded.slack import Message, render_text
from tests.integration.bot_story import CHANNEL, MANAGER, REVIEWER, SUPERVISOR, BotStory
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.delivery import DecideApproval

LEFT = "Robin Clarke (has left)"


async def carded(story: BotStory) -> Message:
    """Have an approval's card shown, its reviewers known to Slack."""
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    for who in (REVIEWER, SUPERVISOR):
        await story.people.slash(who, "/campaign", "list")
    await eventually(lambda: _met(story), what="Slack having said who they are")
    return card


async def _met(story: BotStory) -> bool:
    asked = await story.runtime.pool.fetchval(
        "SELECT count(*) FROM slack_people WHERE checked_at > '-infinity'"
    )
    return bool(asked == 2)


async def changes(story: BotStory, who: str, **fields: object) -> None:
    """Change a member, and have Slack send the event of it, twice."""
    member = await story.people.change_member(who, **fields)
    event = {"type": "user_change", "user": {"id": member.id, "deleted": member.deleted}}
    ack = await story.people.event(event)
    assert ack.acknowledged
    assert (await story.people.redeliver(ack, attempt=1, reason="http_timeout")).acknowledged


async def test_who_leaves_slack_is_named_and_the_rest_answer(story: BotStory) -> None:
    card = await carded(story)
    await changes(story, REVIEWER, deleted=True)
    named = await story.people.wait_for_update(card, LEFT)
    await story.people.click(SUPERVISOR, named, "Approve")
    assert len(await story.emitted(DecideApproval)) == 1
    await story.quiet()
    assert await story.people.messages(MANAGER) == []


async def test_who_comes_back_is_no_longer_called_gone(story: BotStory) -> None:
    card = await carded(story)
    await changes(story, REVIEWER, deleted=True)
    named = await story.people.wait_for_update(card, LEFT)
    await changes(story, REVIEWER, deleted=False)

    async def back() -> bool:
        (shown,) = await story.people.messages(CHANNEL)
        return len(shown.versions) > len(named.versions) and LEFT not in render_text(shown)

    await eventually(back, what="the card naming them as before")


async def test_who_slack_no_longer_knows_has_left(story: BotStory) -> None:
    card = await carded(story)
    await story.people.fail("users.info", "user_not_found")
    await changes(story, REVIEWER)
    await story.people.wait_for_update(card, LEFT)


async def test_who_is_deactivated_is_named_and_may_no_longer_answer(story: BotStory) -> None:
    card = await carded(story)
    await story.hear(samples.REVIEWER.model_copy(update={"active": False, "version": 2}))
    named = await story.people.wait_for_update(card, LEFT)
    await story.people.click(REVIEWER, named, "Approve")
    await story.people.wait_for_ephemeral(REVIEWER, "I do not know you")
    assert await story.emitted(DecideApproval) == []
    await story.people.click(SUPERVISOR, named, "Approve")
    assert len(await story.emitted(DecideApproval)) == 1


async def test_when_the_last_reviewer_leaves_who_asked_is_told_once_and_at_once(
    story: BotStory,
) -> None:
    await carded(story)
    await story.hear(samples.SUPERVISOR.model_copy(update={"active": False, "version": 2}))
    await changes(story, REVIEWER, deleted=True)
    told = await story.people.wait_for_message("none of its reviewers can give it", MANAGER)
    assert f"{LEFT}, Dominique Leroy (has left)" in render_text(told)
    # One that is asked for when nobody is left is told of as well.
    await story.hear(samples.an_approval(campaign_number=1043))
    await story.people.wait_for_message("C-1043", MANAGER)
    await story.quiet()
    assert len(await story.people.messages(MANAGER)) == 2
