"""The menu that puts an approval's reminders off, and the button and modal that delegate it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.actions import no_longer_open, pressed, record_answer, sender_of
from bot.blocks import content
from bot.cards import DELEGATE, SNOOZE, Target
from bot.course_cards import DELEGATION, WHOM, delegate_modal, read_delegation
from bot.front import NOTHING, Front, Outcome, Visit
from bot.limits import Json
from bot.teams import qualified
from bot.views import sender_of as view_sender_of
from shared.rights import Right
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.delivery import ApprovalState


def attach(app: AsyncApp, front: Front) -> None:
    """Register the menu, the button and the modal."""

    async def snoozed(ack: AsyncAck, body: dict[str, Any]) -> None:
        value = pressed(body)[1]
        await front.click(ack, sender_of(body), lambda visit: snooze(visit, value))

    async def asked(ack: AsyncAck, body: dict[str, Any]) -> None:
        approval_id = UUID(pressed(body)[1])
        await front.click(ack, sender_of(body), lambda visit: ask_whom(visit, approval_id))

    async def delegated(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        await front.submission(
            ack, view_sender_of(body), lambda visit: delegate(visit, view), first_field=WHOM
        )

    app.action(SNOOZE)(snoozed)
    app.action(DELEGATE)(asked)
    app.view(DELEGATION)(delegated)


async def snooze(visit: Visit, value: str) -> Json:
    """Ask for the reviewer's reminders to be put off by so many hours."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return refusal
    approval_id, _, hours = value.partition(" ")
    state = await visit.store.approval(UUID(approval_id))
    if state is None:
        return content(visit.say("code_unknown_approval"))
    closed = await _closed(visit, state)
    if closed:
        return content(closed)
    command = SnoozeApproval(
        approval_id=state.approval_id,
        campaign_id=state.campaign_id,
        until=visit.work.now + timedelta(hours=int(hours)),
        actor=visit.actor,
    )
    key = f"snooze:{visit.sender.trigger}"
    await record_answer(visit, key, state.approval_id, visit.sender.channel, command)
    return NOTHING


async def ask_whom(visit: Visit, approval_id: UUID) -> Json:
    """Open the modal that asks to whom the approval is handed on."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return refusal
    state = await visit.store.approval(approval_id)
    if state is None:
        return content(visit.say("code_unknown_approval"))
    closed = await _closed(visit, state)
    if closed:
        return content(closed)
    if await visit.once():
        view = delegate_modal(state, visit.sender.channel, visit.setting)
        await visit.open_view(f"delegate:{visit.sender.trigger}", view)
    return NOTHING


async def delegate(visit: Visit, view: Json) -> Outcome:
    """Hand an approval on as the modal says."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return {WHOM: str(refusal["text"])}
    approval_id, channel, user, comment = read_delegation(view)
    state = await visit.store.approval(approval_id)
    if state is None:
        return {WHOM: visit.say("code_unknown_approval")}
    closed = await _closed(visit, state, by_name=True)
    if closed:
        return {WHOM: closed.replace("*", "")}
    found = await visit.store.operator_of(qualified(visit.team, user or ""))
    if found is None:
        return {WHOM: visit.say("delegate_stranger")}
    command = DelegateApproval(
        approval_id=approval_id,
        campaign_id=state.campaign_id,
        to=UUID(found[0]),
        comment=comment,
        actor=visit.actor,
    )
    await record_answer(visit, f"view:{view['id']}", approval_id, channel, command)
    return {}


async def _closed(visit: Visit, state: ApprovalState, *, by_name: bool = False) -> str:
    target = Target(state.approval_id, state.campaign_id, state.revision)
    return await no_longer_open(visit, state, target, by_name=by_name)
