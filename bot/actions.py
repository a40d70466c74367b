"""Buttons: decisions on cards, orders to campaigns and workflows, the turning of pages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.approvals import beside
from bot.asked import CampaignFilter, Turn
from bot.blocks import content
from bot.cards import Target, approval_card, campaign_name, late_click
from bot.commands import (
    show_approvals,
    show_budgets,
    show_campaigns,
    show_stock,
    show_workflows,
)
from bot.cutting import esc
from bot.events import show_home
from bot.figures import read_turn
from bot.front import NOTHING, Front, Sender, Visit
from bot.labels import control_name
from bot.limits import Json
from bot.modals import reason_modal
from bot.orders import PRESSED, pressed_order
from bot.reading import Which
from shared.rights import Right
from topics.delivery import ApprovalOutcome, ApprovalState, DecideApproval, Decision
from topics.message import Command
from topics.workflows import Control, ControlWorkflow

_DECISION: Final = re.compile(r"^(approve|request_changes|reject)$")
_CONTROL: Final = re.compile(r"^workflow_(start|pause|resume|stop|run_now|stop_now)$")
_ORDER: Final = re.compile(rf"^campaign_({'|'.join(PRESSED)})$")
_SCREEN: Final = re.compile(
    r"^(list_(above|below|mine|words|status)|(workflows|budget|stock|approvals)_(on|back)"
    r"|approvals_(mine|waiting|overdue)|approval_show)$"
)


def attach(app: AsyncApp, front: Front) -> None:
    """Register the buttons."""

    async def decided(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        target = Target.read(value)
        await front.click(ack, sender_of(body), lambda visit: decide(visit, target, Decision(name)))

    async def controlled(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        wanted = Control(name.removeprefix("workflow_"))
        await front.click(ack, sender_of(body), lambda visit: control(visit, value, wanted))

    async def ordered(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        verb, campaign_id = name.removeprefix("campaign_"), UUID(value)
        await front.click(
            ack, sender_of(body), lambda visit: pressed_order(visit, verb, campaign_id)
        )

    async def shown(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        await front.click(ack, sender_of(body), lambda visit: show(visit, name, value))

    async def refreshed(ack: AsyncAck, body: dict[str, Any]) -> None:
        await front.click(ack, sender_of(body), show_home)

    async def nothing(ack: AsyncAck) -> None:
        await ack()

    app.action(_DECISION)(decided)
    app.action(_CONTROL)(controlled)
    app.action(_ORDER)(ordered)
    app.action(_SCREEN)(shown)
    app.action("home_refresh")(refreshed)
    # A button that opens a page tells us of its click too, and wants an acknowledgement.
    app.action("see_proof")(nothing)
    app.action("see_letter")(nothing)


def pressed(body: dict[str, Any]) -> tuple[str, str]:
    """Return the action and the value of what was pressed or picked."""
    action = body["actions"][0]
    picked = action.get("selected_option") or action
    return str(action["action_id"]), str(picked["value"])


def sender_of(body: dict[str, Any]) -> Sender:
    """Return who pressed a button, and where; a modal has no channel."""
    channel = (body.get("channel") or {}).get("id", "")
    return Sender(body["user"]["id"], channel, body["trigger_id"], "click")


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


async def record_answer(
    visit: Visit, key: str, subject: UUID, channel: str, command: Command
) -> bool:
    """Commit an answer's identity and its command together; return whether it was new."""
    if not await visit.memory.take(key, visit.work.now):
        return False
    ask = replace(visit.ask, channel=channel)
    await visit.memory.ask(str(subject), ask, visit.work.now)
    visit.work.emit(command)
    return True


async def record_decision(
    visit: Visit, target: Target, decision: Decision, *, reason: str, channel: str
) -> bool:
    """Record an answer to an approval; return whether it was not recorded before."""
    command = DecideApproval(
        approval_id=target.approval_id,
        campaign_id=target.campaign_id,
        revision=target.revision,
        decision=decision,
        reason=reason,
        actor=visit.actor,
    )
    key = decision_key(target, visit.known.operator_id, decision)
    return await record_answer(visit, key, target.approval_id, channel, command)


async def ask_reason(
    visit: Visit, state: ApprovalState | None, target: Target, decision: Decision
) -> Json:
    """Open the modal that asks why."""
    if not await visit.once():
        return NOTHING
    what = campaign_name(state.campaign_number, state.campaign_label) if state else "–"
    view = reason_modal(target, decision, visit.sender.channel, what=what, setting=visit.setting)
    await visit.open_view(f"reason:{visit.sender.trigger}", view)
    return NOTHING


async def control(visit: Visit, name: str, wanted: Control) -> Json:
    """Ask a technical workflow's service to start, pause, resume, stop or run it."""
    refusal = visit.refusal(Right.CONTROL_WORKFLOWS)
    if refusal:
        return refusal
    if not await visit.once():
        return NOTHING
    await visit.memory.ask(f"workflow:{name}", visit.ask, visit.work.now)
    visit.work.emit(ControlWorkflow(name=name, control=wanted, actor=visit.actor))
    what = control_name(visit.language, wanted)
    return content(visit.say("asked_workflow", what=what, name=esc(name)))


async def show(visit: Visit, name: str, value: str) -> Json:
    """Show another page of a list, or with another filter; or the card of an approval."""
    if name == "approval_show":
        return await show_approval(visit, UUID(value))
    if name.startswith("list_"):
        return await _show_campaigns(visit, name, value)
    kind = name.partition("_")[0]
    if kind == "workflows":
        return await show_workflows(visit, int(value))
    if kind == "approvals":
        which, _, start = value.partition(" ")
        return await show_approvals(visit, Which(which), int(start))
    start_at, words = read_turn(value)
    screen = show_budgets if kind == "budget" else show_stock
    return await screen(visit, words, start_at)


async def _show_campaigns(visit: Visit, name: str, value: str) -> Json:
    if name == "list_above":
        turn = Turn.read(value)
        return await show_campaigns(visit, turn.filter, above=turn.edge)
    if name == "list_below":
        turn = Turn.read(value)
        return await show_campaigns(visit, turn.filter, below=turn.edge)
    return await show_campaigns(visit, CampaignFilter.read(value))


async def show_approval(visit: Visit, approval_id: UUID) -> Json:
    """Show the card of an approval to one person, with its buttons while it is open."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    state = await visit.store.approval(approval_id)
    if state is None:
        return content(visit.say("code_unknown_approval"))
    return approval_card(state, await beside(state, visit.work), visit.setting)
