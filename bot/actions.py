"""Buttons: decisions on cards, controls of technical workflows, the turning of pages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.blocks import content
from bot.cards import Target, campaign_name, late_click
from bot.commands import show_page, show_workflows, teller
from bot.cutting import esc
from bot.front import NOTHING, Front, Sender, Visit
from bot.labels import control_name
from bot.limits import Json
from bot.modals import reason_modal
from shared.rights import Right
from topics.delivery import ApprovalOutcome, ApprovalState, DecideApproval, Decision
from topics.workflows import Control, ControlWorkflow

_DECISION: Final = re.compile(r"^(approve|request_changes|reject)$")
_CONTROL: Final = re.compile(r"^workflow_(start|pause|resume|stop|run_now)$")


def attach(app: AsyncApp, front: Front) -> None:
    """Register the buttons."""

    async def decided(ack: AsyncAck, body: dict[str, Any]) -> None:
        pressed = body["actions"][0]
        decision = Decision(pressed["action_id"])
        target = Target.read(pressed["value"])
        await front.click(ack, sender_of(body), lambda visit: decide(visit, target, decision))

    async def controlled(ack: AsyncAck, body: dict[str, Any]) -> None:
        pressed = body["actions"][0]
        wanted = Control(pressed["action_id"].removeprefix("workflow_"))
        name = str(pressed["value"])
        await front.click(ack, sender_of(body), lambda visit: control(visit, name, wanted))

    async def turned(ack: AsyncAck, body: dict[str, Any]) -> None:
        pressed = body["actions"][0]
        side, edge = pressed["action_id"], int(pressed["value"])
        await front.click(ack, sender_of(body), lambda visit: turn(visit, side, edge))

    async def nothing(ack: AsyncAck) -> None:
        await ack()

    app.action(_DECISION)(decided)
    app.action(_CONTROL)(controlled)
    app.action(re.compile(r"^(list_(above|below)|workflows_(on|back))$"))(turned)
    # A button that opens a page tells us of its click too, and wants an acknowledgement.
    app.action("see_proof")(nothing)


def sender_of(body: dict[str, Any]) -> Sender:
    """Return who pressed a button, and where; a modal has no channel."""
    channel = (body.get("channel") or {}).get("id", "")
    return Sender(body["user"]["id"], channel, body["trigger_id"])


def decision_key(target: Target, operator_id: str, decision: Decision | str) -> str:
    """Return the identity of one person's answer to one revision of an approval."""
    return f"decide:{target.approval_id}:{target.revision}:{operator_id}:{decision}"


async def decide(visit: Visit, target: Target, decision: Decision) -> Json:
    """Record an approval, or ask for the reason of another answer."""
    refusal = visit.refusal(Right.APPROVE)
    if refusal:
        return refusal
    state = await visit.store.approval(target.approval_id)
    closed = await no_longer_open(visit, state, target)
    if closed:
        return content(closed)
    if decision is not Decision.APPROVE:
        return await ask_reason(visit, state, target, decision)
    if not await record_decision(visit, target, decision, reason="", channel=visit.sender.channel):
        return content(visit.say("sent_already"))
    return NOTHING


async def no_longer_open(
    visit: Visit, state: ApprovalState | None, target: Target, *, by_name: bool = False
) -> str:
    """Return why an approval cannot be answered any more; empty when it can.

    ``by_name`` names people instead of mentioning them, where Slack shows no mentions.
    """
    if state is None:
        return ""
    if state.outcome is not ApprovalOutcome.PENDING:
        people = await visit.store.people([state.decided_by or ""])
        if by_name:
            people = {key: replace(one, slack_user_id=None) for key, one in people.items()}
        return late_click(state, people, visit.setting)
    if state.revision > target.revision:
        what = campaign_name(state.campaign_number, state.campaign_label)
        return visit.say("stale_card", what=what)
    return ""


async def record_decision(
    visit: Visit, target: Target, decision: Decision, *, reason: str, channel: str
) -> bool:
    """Commit an answer and its command together; return whether it was not recorded before."""
    key = decision_key(target, visit.known.operator_id, decision)
    if not await visit.memory.take(key, visit.work.now):
        return False
    ask = replace(visit.ask, channel=channel)
    await visit.memory.ask(str(target.approval_id), ask, visit.work.now)
    visit.work.emit(
        DecideApproval(
            approval_id=target.approval_id,
            campaign_id=target.campaign_id,
            revision=target.revision,
            decision=decision,
            reason=reason,
            actor=visit.actor,
        )
    )
    return True


async def ask_reason(
    visit: Visit, state: ApprovalState | None, target: Target, decision: Decision
) -> Json:
    """Open the modal that asks why."""
    if not await visit.memory.take(f"click:{visit.sender.trigger}", visit.work.now):
        return NOTHING
    what = campaign_name(state.campaign_number, state.campaign_label) if state else "–"
    view = reason_modal(target, decision, visit.sender.channel, what=what, setting=visit.setting)
    name = f"reason:{visit.sender.trigger}"
    await visit.outgoing.open_view(name, visit.sender.trigger, view, teller(visit))
    return NOTHING


async def control(visit: Visit, name: str, wanted: Control) -> Json:
    """Ask a technical workflow's service to start, pause, resume, stop or run it."""
    refusal = visit.refusal(Right.CONTROL_WORKFLOWS)
    if refusal:
        return refusal
    if not await visit.memory.take(f"click:{visit.sender.trigger}", visit.work.now):
        return NOTHING
    await visit.memory.ask(f"workflow:{name}", visit.ask, visit.work.now)
    visit.work.emit(ControlWorkflow(name=name, control=wanted, actor=visit.actor))
    what = control_name(visit.language, wanted)
    return content(visit.say("asked_workflow", what=what, name=esc(name)))


async def turn(visit: Visit, side: str, edge: int) -> Json:
    """Show another page of a list."""
    if side.startswith("workflows_"):
        return await show_workflows(visit, edge)
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    if side == "list_above":
        return await show_page(visit, await visit.store.page(above=edge))
    return await show_page(visit, await visit.store.page(below=edge))
