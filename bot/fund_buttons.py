"""The buttons of a budget approval, and the modal of its refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.actions import decision_key, pressed, record_answer, sender_of
from bot.blocks import content
from bot.cards import Target
from bot.front import NOTHING, Front, Visit
from bot.fund_cards import (
    APPROVE,
    REASON,
    REFUSE,
    SHOW,
    Hold,
    funds_card,
    late_answer,
    read_refusal,
    refuse_modal,
)
from bot.fund_store import Funds, FundsOutcome, FundStore
from bot.limits import Json
from bot.views import sender_of as view_sender_of
from shared.rights import Right
from topics.funds import DecideFunds

_BUTTONS: Final = re.compile(rf"^({APPROVE}|{REFUSE})$")


def attach(app: AsyncApp, front: Front) -> None:
    """Register the buttons and the modal."""

    async def decided(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        hold = Hold.read(value)
        await front.click(
            ack, sender_of(body), lambda visit: decide(visit, hold, approve=name == APPROVE)
        )

    async def reason(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await front.submission(
            ack, view_sender_of(body), lambda visit: give_reason(visit, view), first_field="reason"
        )

    async def shown(ack: AsyncAck, body: dict[str, Any]) -> None:
        hold = Hold.read(pressed(body)[1])
        await front.click(ack, sender_of(body), lambda visit: show(visit, hold))

    app.action(_BUTTONS)(decided)
    app.action(SHOW)(shown)
    app.view(REASON)(reason)


async def decide(visit: Visit, hold: Hold, *, approve: bool) -> Json:
    """Record an approval of money, or ask why it is refused."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return refusal
    funds = await FundStore(visit.work.connection).find(hold.hold_id)
    closed = await _closed(visit, funds)
    if closed:
        return content(closed)
    if not approve:
        return await _ask_reason(visit, funds)
    if not await _record(visit, hold, visit.sender.channel, approve=True):
        return content(visit.say("sent_already"))
    return NOTHING


async def show(visit: Visit, hold: Hold) -> Json:
    """Show the card of a budget approval to one person, with its buttons while it is open."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    funds = await FundStore(visit.work.connection).find(hold.hold_id)
    if funds is None:
        return content(visit.say("code_unknown_approval"))
    return funds_card(funds, await visit.store.people(funds.named), visit.setting)


async def _closed(visit: Visit, funds: Funds | None, *, by_name: bool = False) -> str:
    """Return how a budget approval ended; empty while it is open, or not known."""
    if funds is None or funds.outcome is FundsOutcome.PENDING:
        return ""
    people = await visit.store.people([funds.decided_by])
    if by_name:
        people = {key: replace(one, slack_user_id=None) for key, one in people.items()}
    return late_answer(funds, people, visit.setting)


async def _ask_reason(visit: Visit, funds: Funds | None) -> Json:
    if funds is None:
        return content(visit.say("code_unknown_approval"))
    if await visit.once():
        view = refuse_modal(funds, visit.sender.channel, visit.setting)
        await visit.open_view(f"funds:{visit.sender.trigger}", view)
    return NOTHING


async def give_reason(visit: Visit, view: Json) -> dict[str, str]:
    """Record a refusal of money with its reason."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return {"reason": str(refusal["text"])}
    hold, channel, reason = read_refusal(view)
    if reason is None:
        return {"reason": visit.say("reason_missing")}
    funds = await FundStore(visit.work.connection).find(hold.hold_id)
    closed = await _closed(visit, funds, by_name=True)
    if closed:
        return {"reason": closed.replace("*", "")}
    await _record(visit, hold, channel, approve=False, reason=reason)
    return {}


async def _record(
    visit: Visit, hold: Hold, channel: str, *, approve: bool, reason: str = ""
) -> bool:
    target = Target(hold.hold_id, hold.campaign_id, 1)
    key = decision_key(target, visit.known.operator_id, "approve" if approve else "reject")
    command = DecideFunds(
        campaign_id=hold.campaign_id,
        hold_id=hold.hold_id,
        approve=approve,
        reason=reason,
        actor=visit.actor,
    )
    return await record_answer(visit, key, hold.hold_id, channel, command)
