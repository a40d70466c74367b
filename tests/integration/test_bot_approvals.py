"""The proof card: shown, answered once, rewritten, reminded of; in both modes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from deploy.embedded.slack import Message as SlackMessage
from deploy.embedded.slack import render_text
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    STRANGER,
    SUPERVISOR,
    BotStory,
    taken,
)
from tests.unit.bot import samples
from topics.budget import CostEstimated, GoodsNeeded
from topics.campaign import CreateCampaign
from topics.delivery import (
    AnswerRefused,
    ApprovalOutcome,
    ApprovalReminded,
    ApprovalState,
    DecideApproval,
    Decision,
)
from topics.message import Actor, Via
from topics.stock import StockLineState

BY = str(samples.REVIEWER.operator_id)


async def shown_card(story: BotStory, state: ApprovalState) -> SlackMessage:
    await story.hear(state)
    return await story.people.wait_for_message(f"C-{state.campaign_number}", CHANNEL)


def decided(state: ApprovalState, outcome: ApprovalOutcome, **more: Any) -> ApprovalState:
    fields = {
        "outcome": outcome,
        "decided_by": BY,
        "decided_at": datetime.now(UTC),
        "version": state.version + 1,
    }
    return state.model_copy(update=fields | more)


def action_ids(card: SlackMessage) -> list[str]:
    rows = [block["elements"] for block in card.blocks if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row]


async def test_the_card_says_what_is_approved_and_carries_its_key(story: BotStory) -> None:
    state = samples.an_approval(campaign_label="Spring & <b>friends</b>")
    card = await shown_card(story, state)
    text = render_text(card)
    for words in (
        "Proof 1 to approve: C-1042 Spring & <b>friends</b>",
        "1,203",
        "@U0MANAGER01",
        "@U0REVIEWER1",
        "c0ffeec0ff",
        "beefbeefbe",
        "(Europe/Paris)",
        "Spring is here",
    ):
        assert words in text
    assert action_ids(card) == [
        "approve",
        "request_changes",
        "reject",
        "approval_delegate",
        "approval_snooze",
        "see_proof",
    ]
    assert card.metadata is not None
    assert card.metadata["event_payload"]["key"] == f"approval:{state.approval_id}"
    line = samples.a_stock_line()
    await story.hear(
        line,
        CostEstimated(
            campaign_id=state.campaign_id,
            budget_id=samples.MANAGER.operator_id,
            amount_minor=123_456,
            left_minor=100_000,
            currency="EUR",
            goods=(
                GoodsNeeded(line_id=line.line_id, quantity=1200),
                GoodsNeeded(line_id=uuid4(), quantity=7),
            ),
        ),
    )
    card = await story.people.wait_for_update(card, "€1,234.56: more than the €1,000.00 left")
    text = render_text(card)
    assert "estimated on" in text
    free = line.in_stock - line.reserved
    assert f"1,200 of {line.label}, {free:,} free now" in text
    assert "7 of a line not known" in text
    assert (await story.people.click(REVIEWER, card, "see_proof")).acknowledged


async def test_an_approval_is_one_command_and_the_card_is_rewritten(story: BotStory) -> None:
    state = samples.an_approval()
    card = await shown_card(story, state)
    ack = await story.people.click(REVIEWER, card, "Approve")
    assert ack.acknowledged
    assert ack.seconds < 1
    assert (await story.people.redeliver(ack)).acknowledged
    if story.mode == "http":
        assert (await story.people.replay()).acknowledged
    assert (await story.people.click(REVIEWER, card, "Approve")).acknowledged
    await story.people.wait_for_ephemeral(REVIEWER, "recorded already")
    assert await story.emitted(DecideApproval) == [
        DecideApproval(
            approval_id=state.approval_id,
            campaign_id=state.campaign_id,
            revision=1,
            decision=Decision.APPROVE,
            actor=Actor(id=BY, via=Via.SLACK),
        )
    ]
    await story.hear(decided(state, ApprovalOutcome.APPROVED))
    after = await story.people.wait_for_update(card, "Approved by @U0REVIEWER1")
    assert action_ids(after) == ["see_proof"]
    assert len(await story.people.messages(CHANNEL)) == 1
    late = await story.people.click(SUPERVISOR, card, "Reject")
    assert late.acknowledged
    told = await story.people.wait_for_ephemeral(SUPERVISOR, "déjà décidé, validé par @U0REVIEWER1")
    assert told.channel == card.channel
    assert await story.people.views(SUPERVISOR) == []
    assert len(await story.emitted(DecideApproval)) == 1


@pytest.mark.parametrize(
    ("press", "title", "decision"),
    [
        ("Request changes", "Request changes", Decision.REQUEST_CHANGES),
        ("Reject", "Reject", Decision.REJECT),
    ],
)
async def test_other_answers_ask_for_a_reason_first(
    story: BotStory, press: str, title: str, decision: Decision
) -> None:
    state = samples.an_approval()
    card = await shown_card(story, state)
    await story.people.click(REVIEWER, card, press)
    view = await story.people.wait_for_view(REVIEWER, callback_id="approval_reason")
    assert view.title == title
    assert await story.emitted(DecideApproval) == []
    empty = await story.people.submit(REVIEWER, view, {"reason": "  "})
    assert "say why" in empty.errors["reason"]
    ack = await story.people.submit(REVIEWER, view, {"reason": "The price <is> wrong"})
    assert ack.errors == {}
    assert (await story.people.redeliver(ack)).acknowledged
    (command,) = await story.emitted(DecideApproval)
    assert (command.decision, command.reason) == (decision, "The price <is> wrong")
    outcome = (
        ApprovalOutcome.REJECTED
        if decision is Decision.REJECT
        else ApprovalOutcome.CHANGES_REQUESTED
    )
    await story.hear(decided(state, outcome, reason="The price <is> wrong"))
    after = await story.people.wait_for_update(card, "Reason: The price <is> wrong")
    assert "approve" not in action_ids(after)


async def test_a_reason_given_after_the_decision_is_told_so_in_the_form(story: BotStory) -> None:
    state = samples.an_approval()
    card = await shown_card(story, state)
    await story.people.click(SUPERVISOR, card, "Reject")
    view = await story.people.wait_for_view(SUPERVISOR)
    await story.hear(decided(state, ApprovalOutcome.APPROVED))
    ack = await story.people.submit(SUPERVISOR, view, {"reason": "Trop tard"})
    assert "déjà décidé, validé par Robin Clarke" in ack.errors["reason"]
    assert await story.emitted(DecideApproval) == []


async def test_expired_and_withdrawn_are_shown_as_what_they_are(story: BotStory) -> None:
    expired, withdrawn = samples.an_approval(), samples.an_approval(campaign_number=1043)
    first, second = await shown_card(story, expired), await shown_card(story, withdrawn)
    await story.hear(
        decided(expired, ApprovalOutcome.EXPIRED, decided_by="system:delivery"),
        decided(withdrawn, ApprovalOutcome.WITHDRAWN, reason="template_id was edited"),
    )
    after = await story.people.wait_for_update(first, "Expired: nobody answered before")
    assert "Rejected" not in render_text(after)
    after = await story.people.wait_for_update(second, "Withdrawn by @U0REVIEWER1")
    assert "template_id was edited" in render_text(after)
    await story.people.click(REVIEWER, first, "Approve")
    await story.people.wait_for_ephemeral(REVIEWER, "expired")
    assert await story.emitted(DecideApproval) == []


async def test_an_approval_that_had_ended_before_gets_no_card(story: BotStory) -> None:
    await story.hear(decided(samples.an_approval(), ApprovalOutcome.APPROVED))
    still_open = await shown_card(story, samples.an_approval(campaign_number=1043))
    assert [row.ts for row in await story.people.messages(CHANNEL)] == [still_open.ts]


async def test_a_card_shown_before_a_new_revision_is_out_of_date(story: BotStory) -> None:
    state = samples.an_approval()
    old = await shown_card(story, state)
    await story.hear(state.model_copy(update={"revision": 2, "version": 2}))
    await story.people.wait_for_update(old)
    await story.people.click(REVIEWER, old, "Approve")
    await story.people.wait_for_ephemeral(REVIEWER, "has changed since")
    assert await story.emitted(DecideApproval) == []


async def test_strangers_get_a_polite_no_and_nothing_else(story: BotStory) -> None:
    card = await shown_card(story, samples.an_approval())
    await story.quiet()
    before = await story.rows()
    for who, words in ((STRANGER, "I do not know you"), (MANAGER, "your role does not")):
        for press in ("Approve", "Request changes", "Reject"):
            assert (await story.people.click(who, card, press)).acknowledged
        await story.people.wait_for_ephemeral(who, words)
        assert await story.people.views(who) == []
    assert await story.rows() == before


async def test_a_refused_answer_is_told_and_may_be_given_again(story: BotStory) -> None:
    state = samples.an_approval()
    card = await shown_card(story, state)
    await story.people.click(REVIEWER, card, "Approve")
    refused = AnswerRefused(
        campaign_id=state.campaign_id,
        approval_id=state.approval_id,
        actor=Actor(id=BY, via=Via.SLACK),
        code="not_reviewer",
        reason="you are not among its reviewers",
    )
    await story.hear(refused)
    told = await story.people.wait_for_ephemeral(REVIEWER, "not among its reviewers")
    assert told.channel == card.channel
    await story.people.click(REVIEWER, card, "Approve")
    assert len(await story.emitted(DecideApproval)) == 2
    late = {
        "code": "already_decided",
        "outcome": ApprovalOutcome.REJECTED,
        "decided_by": str(samples.SUPERVISOR.operator_id),
        "decided_at": datetime.now(UTC),
    }
    await story.hear(refused.model_copy(update=late))
    await story.people.wait_for_ephemeral(REVIEWER, "already decided: rejected by @U0SUPERVIS1")


async def test_a_reminder_is_in_the_thread_and_with_each_reviewer_once(story: BotStory) -> None:
    state = samples.an_approval(deadline_at=datetime.now(UTC) + timedelta(hours=50, minutes=1))
    card = await shown_card(story, state)
    reminder = ApprovalReminded(
        campaign_id=state.campaign_id,
        approval_id=state.approval_id,
        revision=1,
        number=1,
        deadline_at=state.deadline_at,
        reviewer_ids=state.reviewer_ids,
    )
    await story.hear(reminder, reminder)
    await story.quiet()
    threaded = [row for row in await story.people.messages(CHANNEL) if row.thread_ts == card.ts]
    assert len(threaded) == 1
    assert "2 d 2 h left" in render_text(threaded[0])
    (direct,) = [row for row in await story.people.messages() if "Rappel 1" in row.text]
    assert "il reste 2 j 2 h" in direct.text
    assert "Qui d’autre peut répondre : @U0REVIEWER1." in render_text(direct)
    ended = decided(state, ApprovalOutcome.APPROVED)
    await story.hear(ended, reminder.model_copy(update={"number": 2}))
    await story.quiet()
    assert not [row for row in await story.people.messages() if "Reminder 2" in row.text]


async def test_a_stock_warning_of_a_campaign_made_here_stands_on_its_card(
    story: BotStory,
) -> None:
    line = StockLineState(
        line_id=samples.SUPERVISOR.operator_id,
        stock="Depot",
        label="Leaflets",
        initial=10,
        delivered=0,
        consumed=0,
        reserved=0,
        in_stock=10,
        on_order=0,
        alert_level=5,
        alert=False,
        version=1,
    )
    await story.hear(line)
    await story.people.slash(MANAGER, "/campaign", "new")
    form = await story.people.wait_for_view(MANAGER)
    aimed = await taken(story, form, "campaign_target", {"label": "Spring"})
    means = await taken(story, aimed, "campaign_means")
    await story.people.submit(MANAGER, means, {"stock": "Leaflets (Depot)"})
    (create,) = await story.emitted(CreateCampaign)
    card = await shown_card(story, samples.an_approval(campaign_id=create.campaign_id))
    assert "Leaflets" not in render_text(card)
    await story.hear(
        line.model_copy(update={"in_stock": 4, "consumed": 6, "alert": True, "version": 2})
    )
    await story.people.wait_for_update(card, "Leaflets: 4 ≤ 5")
