"""Money that waits for a person, and goods that run out, in Slack; in both modes."""

from __future__ import annotations

from uuid import uuid4

from deploy.embedded.slack import Message as SlackMessage
from deploy.embedded.slack import render_text
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    STRANGER,
    SUPERVISOR,
    BotStory,
)
from tests.unit.bot import samples
from tests.unit.bot.screens import some_funds
from topics.budget import FundsRefused, FundsReleased, FundsReserved
from topics.funds import DecideFunds, FundsAwaitApproval, FundsUndecided
from topics.message import Actor, Via
from topics.stock import StockAlertCleared, StockAlertRaised

BY = Actor(id=str(samples.REVIEWER.operator_id), via=Via.SLACK)
ASKED_BY = Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)


def asked(**changes: object) -> FundsAwaitApproval:
    fields = {
        "campaign_number": 1042,
        "campaign_label": "Spring <!channel>",
        "budget_label": "Marketing",
        "amount_minor": 123_456,
        "left_minor": 10_000,
        "over_minor": 0,
        "requested_by": ASKED_BY,
    }
    return some_funds("x").asked.model_copy(update=fields | changes)


def reserved(event: FundsAwaitApproval, by: Actor | None) -> FundsReserved:
    return FundsReserved(
        campaign_id=event.campaign_id,
        hold_id=event.hold_id,
        budget_id=event.budget_id,
        amount_minor=event.amount_minor,
        left_minor=event.left_minor,
        currency=event.currency,
        decided_by=by,
    )


async def shown(story: BotStory, event: FundsAwaitApproval) -> SlackMessage:
    await story.hear(event)
    return await story.people.wait_for_message(f"C-{event.campaign_number}", CHANNEL)


def has_buttons(card: SlackMessage) -> bool:
    return any(block["type"] == "actions" for block in card.blocks)


async def test_money_is_approved_once_from_its_card(story: BotStory) -> None:
    event = asked()
    card = await shown(story, event)
    text = render_text(card)
    for words in ("Budget to approve: C-1042", "€1,234.56", "Marketing", "€100.00", "@U0MANAGER01"):
        assert words in text
    assert "Beyond the budget" not in text
    await story.people.click(STRANGER, card, "Approve")
    await story.people.wait_for_ephemeral(STRANGER, "operator")
    await story.people.click(MANAGER, card, "Approve")
    await story.people.wait_for_ephemeral(MANAGER, "approve")
    assert await story.emitted(DecideFunds) == []
    ack = await story.people.click(REVIEWER, card, "Approve")
    assert (await story.people.redeliver(ack)).acknowledged
    await story.people.click(REVIEWER, card, "Approve")
    await story.people.wait_for_ephemeral(REVIEWER, "recorded already")
    assert await story.emitted(DecideFunds) == [
        DecideFunds(campaign_id=event.campaign_id, hold_id=event.hold_id, approve=True, actor=BY)
    ]
    await story.hear(reserved(event, BY), event, reserved(event, BY))
    after = await story.people.wait_for_update(card, "Approved by @U0REVIEWER1")
    assert not has_buttons(after)
    assert len(await story.people.messages(CHANNEL)) == 1
    await story.people.click(SUPERVISOR, card, "Reject")
    await story.people.wait_for_ephemeral(SUPERVISOR, "Validé par @U0REVIEWER1")
    assert await story.people.views(SUPERVISOR) == []


async def test_money_is_refused_with_a_reason(story: BotStory) -> None:
    event = asked(over_minor=500)
    card = await shown(story, event)
    assert "Beyond the budget" in render_text(card)
    await story.people.click(REVIEWER, card, "Reject")
    view = await story.people.wait_for_view(REVIEWER, callback_id="funds_reason")
    empty = await story.people.submit(REVIEWER, view, {"reason": "  "})
    assert "say why" in empty.errors["reason"]
    ack = await story.people.submit(REVIEWER, view, {"reason": "too <dear>"})
    assert ack.errors == {}
    assert (await story.people.redeliver(ack)).acknowledged
    (command,) = await story.emitted(DecideFunds)
    assert (command.approve, command.reason) == (False, "too <dear>")
    await story.hear(
        FundsRefused(
            campaign_id=event.campaign_id,
            hold_id=event.hold_id,
            budget_id=event.budget_id,
            asked_minor=event.amount_minor,
            left_minor=event.left_minor,
            reason="too <dear>",
            decided_by=BY,
        )
    )
    after = await story.people.wait_for_update(card, "Reason: too <dear>")
    assert not has_buttons(after)


async def test_an_answer_that_does_not_count_is_told_and_may_be_given_again(
    story: BotStory,
) -> None:
    event = asked()
    card = await shown(story, event)
    await story.people.click(REVIEWER, card, "Approve")
    refusal = "whoever asked for money may not approve it"
    await story.hear(
        FundsUndecided(
            campaign_id=event.campaign_id, hold_id=event.hold_id, reason=refusal, actor=BY
        )
    )
    await story.people.wait_for_ephemeral(REVIEWER, refusal)
    await story.people.click(REVIEWER, card, "Approve")
    await story.quiet()
    assert len(await story.emitted(DecideFunds)) == 2


async def test_a_reason_that_comes_after_the_end_is_told_so_in_the_form(story: BotStory) -> None:
    event = asked()
    card = await shown(story, event)
    await story.people.click(REVIEWER, card, "Reject")
    view = await story.people.wait_for_view(REVIEWER)
    await story.hear(
        FundsReleased(
            campaign_id=event.campaign_id, hold_id=event.hold_id, amount_minor=event.amount_minor
        )
    )
    await story.people.wait_for_update(card, "No longer wanted by its campaign")
    ack = await story.people.submit(REVIEWER, view, {"reason": "too late"})
    assert "No longer wanted" in ack.errors["reason"]
    assert await story.emitted(DecideFunds) == []


async def test_what_waits_is_in_the_list_of_who_may_decide_and_opens_its_card(
    story: BotStory,
) -> None:
    event = asked()
    await shown(story, event)
    await story.people.slash(REVIEWER, "/approvals")
    line = "€1,234.56 from Marketing, asked by @U0MANAGER01"
    listed = await story.people.wait_for_ephemeral(REVIEWER, line)
    await story.people.click(REVIEWER, listed, "funds_show")
    own = await story.people.wait_for_ephemeral(REVIEWER, "Budget to approve: C-1042")
    await story.people.click(REVIEWER, own, "Approve")
    assert [one.approve for one in await story.emitted(DecideFunds)] == [True]
    await story.people.slash(MANAGER, "/approvals")
    asker = await story.people.wait_for_ephemeral(MANAGER, "Nothing waits for your answer")
    assert "€1,234.56" not in render_text(asker)


async def test_the_home_tab_shows_what_money_waits_for_somebody(story: BotStory) -> None:
    await shown(story, asked())
    await story.people.home_opened(REVIEWER)
    home = await story.people.wait_for_home(REVIEWER, "€1,234.56 from Marketing")
    assert "Waits for me: 1" in render_text(home)


async def test_money_that_nobody_had_to_approve_has_no_card(story: BotStory) -> None:
    await story.hear(reserved(asked(), None))
    await story.quiet()
    assert await story.people.messages(CHANNEL) == []


async def test_a_low_stock_is_told_to_its_group_and_when_it_is_full_again(
    story: BotStory,
) -> None:
    buyer = samples.SUPERVISOR.model_copy(update={"groups": ("purchasing",), "version": 2})
    await story.hear(buyer)
    line_id = uuid4()
    low = StockAlertRaised(
        line_id=line_id,
        label="Envelopes <C5>",
        in_stock=4,
        alert_level=5,
        crossing=1,
        group="purchasing",
        stock="Paper",
        on_order=90,
    )
    await story.hear(low, low)
    told = await story.people.wait_for_message("Envelopes <C5>", SUPERVISOR)
    assert "n’a plus que 4 (seuil d’alerte 5) ; 90 en commande" in render_text(told)
    cleared = StockAlertCleared(line_id=line_id, label="Envelopes <C5>", in_stock=94, crossing=1)
    await story.hear(cleared)
    await story.people.wait_for_update(told, "repassé au-dessus de son seuil d’alerte : 94")
    await story.quiet()
    assert await story.people.messages(CHANNEL) == []


async def test_a_low_stock_whose_group_is_nobody_is_told_in_the_channel(story: BotStory) -> None:
    low = StockAlertRaised(
        line_id=uuid4(), label="Envelopes", in_stock=4, alert_level=5, crossing=2, group="nobody"
    )
    await story.hear(low)
    await story.people.wait_for_message("Envelopes", CHANNEL)
