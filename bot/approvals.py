"""The proof card's life: shown when asked, rewritten when decided, reminded of in between."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot import cards, notices
from bot.album import Album
from bot.cards import Beside, Setting
from bot.choices import Choices
from bot.form_answers import keep_cost
from bot.form_store import Forms
from bot.handlers import channel_setting, outgoing_of, stock_alert
from bot.memory import Memory
from bot.places import channel_for, settings_of
from bot.roster import Roster
from bot.store import BotStore, Estimate, Person
from bot.teams import team_of
from shared.errors import Transient
from shared.registry import Registry
from shared.rights import copy_operator, find
from shared.uow import Work
from topics.budget import CostEstimated
from topics.delivery import ApprovalOutcome, ApprovalReminded, ApprovalState
from topics.operators import OperatorState
from topics.stock import StockLineState

registry = Registry()

CARD: Final = "approval"
REMINDED: Final = 20
"""How many are reminded one by one when no reviewer is named."""


def card_key(approval_id: UUID) -> str:
    """Return the key of an approval's card among the messages."""
    return f"{CARD}:{approval_id}"


@registry.on(ApprovalState)
async def keep_approval(state: ApprovalState, work: Work) -> None:
    """Keep an approval and have its card show it."""
    store = BotStore(work.connection)
    if not await store.save_approval(state):
        return
    if state.outcome is ApprovalOutcome.APPROVED:
        await store.save_approved(state)
    # A supplier's file is a list, and its router's proof a file: there is no message to show.
    has_message = state.proof_path is not None and state.file_id is None
    if state.outcome is ApprovalOutcome.PENDING and has_message and _is_on(work):
        album = Album(work.connection)
        await album.want(state.approval_id, state.revision, state.proof_path or "", work.now)
    await show_card(state, work)
    if state.outcome is ApprovalOutcome.PENDING and _is_on(work):
        await tell_nobody_is_left(state, await beside(state, work), work)


def _is_on(work: Work) -> bool:
    return settings_of(work).slack_is_on


async def show_card(state: ApprovalState, work: Work) -> None:
    """Have the card of an approval show how it stands.

    An approval that had ended before the bot knew of it gets no card.
    """
    outgoing = outgoing_of(work)
    key = card_key(state.approval_id)
    if state.outcome is not ApprovalOutcome.PENDING and not await outgoing.is_shown(key):
        return
    channel = await outgoing.place_of(key) or await channel_for(state.campaign_id, work)
    card = cards.approval_card(state, await beside(state, work), channel_setting(work, channel))
    await outgoing.show(key, channel, card)


async def show_missing(work: Work) -> None:
    """Have a card shown for each open approval that has none: Slack was connected since."""
    outgoing = outgoing_of(work)
    for state in await BotStore(work.connection).open_approvals():
        if not await outgoing.is_shown(card_key(state.approval_id)):
            await show_card(state, work)


async def beside(state: ApprovalState, work: Work) -> Beside:
    """Return what a card says beside its approval."""
    store = BotStore(work.connection)
    named = [state.requested_by, state.decided_by or "", *map(str, state.reviewer_ids)]
    form = await Forms(work.connection).find(state.campaign_id)
    alert = ""
    if form and form.stock_line_id:
        alert = await Choices(work.connection).stock_alert(form.stock_line_id)
    estimate = await Memory(work.connection).estimate(state.campaign_id)
    needed = [one.line_id for one in estimate.goods] if estimate else []
    return Beside(
        await store.people(named),
        estimate,
        alert,
        await Album(work.connection).shown(state.approval_id, state.revision),
        await store.approved(state.campaign_id, state.kind),
        await store.approved_cost(state.campaign_id, state.kind),
        await Choices(work.connection).stock(needed),
    )


async def _show_open_cards(campaign_id: UUID, work: Work) -> None:
    for state in await BotStore(work.connection).open_approvals(campaign_id):
        await show_card(state, work)


@registry.on(CostEstimated)
async def keep_estimate(event: CostEstimated, work: Work) -> None:
    """Keep what a campaign would cost, and show it on its open card."""
    estimate = Estimate(event.amount_minor, event.left_minor, event.currency, work.now, event.goods)
    await Memory(work.connection).save_estimate(event.campaign_id, estimate)
    await _show_open_cards(event.campaign_id, work)
    await keep_cost(event, work)


@registry.on(StockLineState)
async def keep_stock_line(state: StockLineState, work: Work) -> None:
    """Keep a stock line for the form, and its warning for the cards of campaigns that use it."""
    choices = Choices(work.connection)
    alert = stock_alert(state)
    before = await choices.stock_alert(state.line_id)
    await choices.save(
        "stock",
        state.line_id,
        version=state.version,
        label=f"{state.label} ({state.stock})",
        alert=alert,
        state=state,
    )
    if alert != before:
        for campaign_id in await Forms(work.connection).with_stock(state.line_id):
            await _show_open_cards(campaign_id, work)


@registry.on(ApprovalReminded)
async def remind(event: ApprovalReminded, work: Work) -> None:
    """Remind of an open approval in its thread; each reviewer is by direct message, in their hours.

    Raises:
        Transient: the approval's state, which travels on another topic, is not here yet.
    """
    state = await BotStore(work.connection).approval(event.approval_id)
    if state is None:
        raise Transient("the approval is not known yet")
    late = event.deadline_at <= work.now
    if late or state.outcome is not ApprovalOutcome.PENDING or state.revision > event.revision:
        return
    known = await beside(state, work)
    outgoing = outgoing_of(work)
    key = f"reminder:{event.approval_id}:{event.revision}:{event.number}"

    thread = card_key(event.approval_id)
    # The campaign may have another channel by now: a thread is where its card stands.
    channel = await outgoing.place_of(thread) or await channel_for(event.campaign_id, work)
    shown = notices.reminder(
        state,
        number=event.number,
        deadline_at=event.deadline_at,
        now=work.now,
        beside=known,
        setting=channel_setting(work, channel),
    )
    if event.to is None:
        await outgoing.show(key, channel, shown, thread_key=thread)
    if not _is_on(work):
        return
    reviewers = await _reviewers(event, state.requested_by, known, work)
    roster = Roster(work.connection)
    await roster.remind(event.approval_id, event.revision, event.number, reviewers, work.now)
    in_slack = [one.slack_user_id for one in reviewers.values() if one.slack_user_id]
    await roster.meet(in_slack, work.now)
    await tell_nobody_is_left(state, known, work)


async def tell_nobody_is_left(state: ApprovalState, known: Beside, work: Work) -> None:
    """When all its reviewers have left, tell who asked and the administrators, once a revision."""
    ids = [str(one) for one in state.reviewer_ids]
    if not ids or not all(one not in known.people or known.people[one].has_left for one in ids):
        return
    store, outgoing, general = BotStore(work.connection), outgoing_of(work), channel_setting(work)
    told = await store.people([state.requested_by, *await store.administrators(REMINDED)])
    for operator_id, person in told.items():
        if person.slack_user_id and not person.has_left:
            team = team_of(person.slack_user_id)
            setting = Setting(person.language, general.zone, general.public_url, team)
            key = f"nobody:{state.approval_id}:{state.revision}:{operator_id}"
            await outgoing.show(
                key, person.slack_user_id, notices.nobody_left(state, known, setting)
            )


@registry.on(OperatorState)
async def keep_operator(state: OperatorState, work: Work) -> None:
    """Keep an operator; the open cards that name one who was deactivated, or is back, say so."""
    operator_id = str(state.operator_id)
    before = await find(work, operator_id)
    await copy_operator(state, work)
    after = await find(work, operator_id)
    if before and after and before.active != after.active:
        await show_cards_of(operator_id, work)


async def show_cards_of(operator_id: str, work: Work) -> None:
    """Have the open cards that name an operator among the reviewers show whether they are there.

    Where nobody is left, who asked is told.
    """
    for state in await BotStore(work.connection).open_approvals_of(operator_id):
        await show_card(state, work)
        if _is_on(work):
            await tell_nobody_is_left(state, await beside(state, work), work)


async def _reviewers(
    event: ApprovalReminded, requested_by: str, known: Beside, work: Work
) -> dict[str, Person]:
    """Return whom to remind: one who wanted it later, the reviewers named, or all who may approve.

    Who put theirs off is left out; where nobody is named, the manager is told too.
    """
    store, snoozing = BotStore(work.connection), {str(one) for one in event.snoozed_ids}
    if event.to is not None:
        return await store.people([str(event.to)])
    if event.reviewer_ids:
        ids = [str(one) for one in event.reviewer_ids]
        return {
            one: known.people[one] for one in ids if one in known.people and one not in snoozing
        }
    found = await Choices(work.connection).reviewers("", REMINDED)
    ids = [*(choice.id for choice in found), requested_by]
    return await store.people(one for one in ids if one not in snoozing)
