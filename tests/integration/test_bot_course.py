"""An approval put off, delegated and escalated: who is told of it in Slack."""

from __future__ import annotations

from datetime import timedelta

from deploy.embedded.slack import render_text
from tests.integration.bot_story import REVIEWER, SUPERVISOR, BotStory
from tests.integration.test_bot_reminders import (
    REVIEWER_ID,
    SUPERVISOR_ID,
    reminded,
    settled,
)
from tests.unit.bot import samples
from topics.approvals import ApprovalDelegated, ApprovalEscalated, ApprovalSnoozed
from topics.message import Actor, Via

BY = Actor(id=REVIEWER_ID, via=Via.SLACK)


async def test_who_put_reminders_off_gets_none_until_then(story: BotStory) -> None:
    state = samples.an_approval()
    snoozed = samples.REVIEWER.operator_id
    until = state.deadline_at - timedelta(hours=1)
    peace = ApprovalSnoozed(
        campaign_id=state.campaign_id, approval_id=state.approval_id, until=until, actor=BY
    )
    others = reminded(state).model_copy(update={"snoozed_ids": (snoozed,)})
    await story.hear(state, peace, others)
    assert await settled(story) == {SUPERVISOR_ID: "sent"}
    await story.people.wait_for_message("You get no reminder", REVIEWER)
    await story.hear(reminded(state, 2).model_copy(update={"to": snoozed}))
    await story.people.wait_for_message("Reminder 2", REVIEWER)
    assert await settled(story) == {SUPERVISOR_ID: "sent", REVIEWER_ID: "sent"}


async def test_whom_an_approval_is_delegated_to_is_told_by_whom_and_why(story: BotStory) -> None:
    state = samples.an_approval()
    delegated = ApprovalDelegated(
        campaign_id=state.campaign_id,
        approval_id=state.approval_id,
        revision=state.revision,
        to=samples.SUPERVISOR.operator_id,
        comment="I am <away>",
        actor=BY,
    )
    await story.hear(state, delegated)
    told = render_text(await story.people.wait_for_message("délègue", SUPERVISOR))
    for words in ("@U0REVIEWER1", "C-1042", "I am <away>"):
        assert words in told
    await story.quiet()
    assert await story.people.messages(REVIEWER) == []


async def test_whom_an_approval_is_escalated_to_is_told_that_nobody_answered(
    story: BotStory,
) -> None:
    state = samples.an_approval(reviewer_ids=(samples.SUPERVISOR.operator_id,))
    escalated = ApprovalEscalated(
        campaign_id=state.campaign_id,
        approval_id=state.approval_id,
        revision=state.revision,
        operator_ids=(samples.REVIEWER.operator_id,),
        deadline_at=state.deadline_at,
    )
    await story.hear(state, escalated, escalated)
    told = render_text(await story.people.wait_for_message("Nobody has answered", REVIEWER))
    assert "@U0REVIEWER1" in told
    await story.quiet()
    assert len(await story.people.messages(REVIEWER)) == 1
