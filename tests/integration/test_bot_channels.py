"""A campaign's messages go to its channel; one that is lost holds nothing up and is named."""

from __future__ import annotations

from deploy.embedded.slack import render_text
from tests.integration.bot_story import CHANNEL, MANAGER, REVIEWER, SUPERVISOR, BotStory
from tests.unit.bot import samples
from topics.campaign import CampaignStatus
from topics.delivery import ApprovalReminded, DecideApproval
from topics.schedules import CampaignKind, OccurrenceCreated

ALERTS, OUTSIDE = "<#C0ALERTS001|alerts>", "<#C0GENERAL01|general>"
CAMPAIGN = samples.a_campaign(1042)
APPROVAL = samples.an_approval(campaign_id=CAMPAIGN.campaign_id)


async def choose(story: BotStory, channel: str, who: str = MANAGER) -> None:
    await story.people.slash(who, "/campaign", f"channel C-1042 {channel}".strip())


async def told(story: BotStory, channel: str) -> str:
    return "\n".join(render_text(one) for one in await story.people.messages(channel))


def reminded() -> ApprovalReminded:
    return ApprovalReminded(
        approval_id=APPROVAL.approval_id,
        campaign_id=APPROVAL.campaign_id,
        revision=APPROVAL.revision,
        number=1,
        reviewer_ids=APPROVAL.reviewer_ids,
        deadline_at=APPROVAL.deadline_at,
    )


async def test_what_is_said_of_a_campaign_goes_to_its_channel(story: BotStory) -> None:
    await story.hear(CAMPAIGN, APPROVAL)
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await choose(story, ALERTS)
    await story.people.wait_for_message("come here from now on", "#alerts")
    # What stands stays, and so does its thread.
    await story.hear(reminded())
    await story.quiet()
    assert "Reminder 1" in await told(story, CHANNEL)
    await story.people.click(REVIEWER, card, "Approve")
    await story.hear(CAMPAIGN.model_copy(update={"status": CampaignStatus.FINISHED, "version": 9}))
    await story.people.wait_for_message("C-1042", "#alerts")
    await story.quiet()
    assert "is finished" in await told(story, "#alerts")
    other = samples.a_campaign(1043)
    await story.hear(
        other, samples.an_approval(campaign_id=other.campaign_id, campaign_number=1043)
    )
    await story.people.wait_for_message("C-1043", CHANNEL)


async def test_a_channel_without_the_bot_falls_back_and_says_so_once(story: BotStory) -> None:
    await story.hear(CAMPAIGN)
    await choose(story, OUTSIDE)
    lost = await story.people.wait_for_message("I cannot post in", CHANNEL)
    assert "#C0GENERAL01" in render_text(lost)
    assert "C-1042" in render_text(lost)
    await story.hear(APPROVAL)
    await story.people.wait_for_message("to approve: C-1042", CHANNEL)
    await choose(story, "")
    await story.people.wait_for_ephemeral(MANAGER, f"go to {CHANNEL}")
    await story.quiet()
    assert (await told(story, CHANNEL)).count("I cannot post in") == 1
    assert await story.people.messages("#general") == []


async def test_an_open_card_in_a_channel_that_was_archived_is_shown_again(story: BotStory) -> None:
    await story.hear(CAMPAIGN)
    await choose(story, ALERTS)
    await story.hear(APPROVAL)
    await story.people.wait_for_message("to approve: C-1042", "#alerts")
    await story.quiet()
    await story.people.fail("chat.postMessage", "is_archived")
    await story.hear(reminded())
    card = await story.people.wait_for_message("to approve: C-1042", CHANNEL)
    await story.people.wait_for_message("I cannot post in", CHANNEL)
    await story.people.wait_for_message("Reminder 1", CHANNEL)
    await story.people.click(SUPERVISOR, card, "Approve")
    assert len(await story.emitted(DecideApproval)) == 1
    row = await story.message(f"reminder:{APPROVAL.approval_id}:1:1")
    assert row["thread_key"] == f"approval:{APPROVAL.approval_id}"


async def test_the_default_channel_is_waited_for(story: BotStory) -> None:
    await story.people.fail("chat.postMessage", "is_archived", times=2)
    await story.hear(CAMPAIGN, APPROVAL)
    await story.people.wait_for_message("to approve: C-1042", CHANNEL)
    assert "I cannot post in" not in await told(story, CHANNEL)


async def test_who_may_not_manage_campaigns_moves_none(story: BotStory) -> None:
    await story.hear(CAMPAIGN)
    await choose(story, ALERTS, REVIEWER)
    await story.people.wait_for_ephemeral(REVIEWER, "right to manage campaigns")
    await story.quiet()
    assert await story.people.messages("#alerts") == []


async def test_an_occurrence_is_told_where_its_series_is(story: BotStory) -> None:
    series = samples.a_campaign(1042, kind=CampaignKind.RECURRING)
    date = samples.a_campaign(1050, label="Spring#1", series_id=series.campaign_id, occurrence=1)
    await story.hear(series)
    await choose(story, ALERTS)
    made = OccurrenceCreated(
        campaign_id=series.campaign_id,
        occurrence_id=date.campaign_id,
        number=1,
        label=date.label,
        local_at="2026-12-01T09:00",
        zone="Europe/Paris",
        starts_at=samples.NOW,
    )
    await story.hear(made)
    await story.people.wait_for_message("Spring#1", "#alerts")
    await story.hear(date, samples.an_approval(campaign_id=date.campaign_id, campaign_number=1050))
    await story.people.wait_for_message("C-1050", "#alerts")
    await story.quiet()
    assert await told(story, CHANNEL) == ""
