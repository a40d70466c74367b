"""Occurrences and missed starts in the campaign's channel, from either side."""

from __future__ import annotations

from datetime import timedelta

from deploy.embedded.slack import render_text
from shared.ids import new_id
from tests.integration.bot_story import CHANNEL, MANAGER, REVIEWER, BotStory
from tests.unit.bot import samples
from topics.campaign import CampaignRefused, CampaignStatus, LaunchCampaign
from topics.message import Actor, Via
from topics.schedules import AnswerMissedStart, CampaignKind, OccurrenceCreated, StartMissed

ACTOR = Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)


async def test_a_date_is_told_once_and_its_message_keeps_up_with_its_buttons(
    story: BotStory,
) -> None:
    series, date = new_id(), new_id()
    made = OccurrenceCreated(
        campaign_id=series,
        occurrence_id=date,
        number=2,
        label="Spring#2",
        local_at="2026-12-01T09:00",
        zone="Europe/Paris",
        starts_at=samples.NOW,
    )
    await story.hear(made, made)
    told = await story.people.wait_for_message("Spring#2", CHANNEL)
    state = samples.a_campaign(
        campaign_id=date,
        number=1050,
        label="Spring#2",
        status=CampaignStatus.READY_TO_TEST,
        kind=CampaignKind.UNIQUE,
        series_id=series,
        occurrence=2,
    )
    await story.hear(state)
    told = await story.people.wait_for_update(told, "To be approved")
    approved = {"status": CampaignStatus.READY_TO_RUN, "version": 2, "waiting_code": "waits_launch"}
    await story.hear(state.model_copy(update=approved))
    shown = await story.people.wait_for_update(told, "to be started")
    await story.people.click(REVIEWER, shown, "campaign_launch")
    await story.people.wait_for_ephemeral(REVIEWER, "Sorry")
    ack = await story.people.click(MANAGER, shown, "campaign_launch")
    await story.people.redeliver(ack)
    assert await story.emitted(LaunchCampaign) == [LaunchCampaign(campaign_id=date, actor=ACTOR)]
    await story.people.click(MANAGER, shown, "campaign_stop")
    effect = await story.people.wait_for_view(MANAGER, contains="Nothing has left yet")
    await story.people.close(MANAGER, effect)
    running = {"status": CampaignStatus.FINISHED, "version": 3, "waiting_code": None}
    await story.hear(state.model_copy(update=running))
    over = await story.people.wait_for_update(shown, "Finished")
    assert "Skip" not in render_text(over)
    await story.people.click(MANAGER, shown, "campaign_launch")
    await story.people.wait_for_ephemeral(MANAGER, "Finished by now")
    assert len(await story.emitted(LaunchCampaign)) == 1
    texts = [render_text(one) for one in await story.people.messages(CHANNEL)]
    assert len([text for text in texts if "Spring#2 is for" in text]) == 1


async def test_a_missed_start_is_asked_about_and_answered_once(story: BotStory) -> None:
    state = samples.a_campaign(status=CampaignStatus.READY_TO_RUN, missed=True)
    late = StartMissed(
        campaign_id=state.campaign_id,
        number=1042,
        label=state.label,
        start_at=samples.NOW - timedelta(hours=2),
    )
    await story.hear(state, late)
    asked = await story.people.wait_for_message("Shall it still?", CHANNEL)
    await story.people.click(REVIEWER, asked, "campaign_drop")
    await story.people.wait_for_ephemeral(REVIEWER, "Sorry")
    await story.people.click(MANAGER, asked, "campaign_start_now")
    answer = AnswerMissedStart(campaign_id=state.campaign_id, actor=ACTOR, start=True)
    assert await story.emitted(AnswerMissedStart) == [answer]
    await story.hear(state.model_copy(update={"missed": False, "version": 2}))
    await story.people.wait_for_update(asked, "it was decided that it starts")
    await story.people.click(MANAGER, asked, "campaign_drop")
    await story.people.wait_for_ephemeral(MANAGER, "no longer applies")
    assert await story.emitted(AnswerMissedStart) == [answer]
    refused = CampaignRefused(
        campaign_id=state.campaign_id,
        number=1042,
        command="AnswerMissedStart",
        reason="C-1042 has no missed start to answer",
        actor=ACTOR,
    )
    await story.hear(refused)
    await story.people.wait_for_ephemeral(MANAGER, "answer to its missed start")
