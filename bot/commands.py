"""Slash commands: ``/campaign …`` and ``/workflows``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.blocks import content
from bot.cards import campaign_name
from bot.cutting import esc
from bot.front import NOTHING, Front, Sender, Visit
from bot.limits import Json
from bot.lists import campaign_list, campaign_status, workflow_list
from bot.modals import campaign_modal, form_id
from bot.store import Page
from shared.ids import new_id
from shared.rights import Right
from topics.campaign import (
    CampaignState,
    CancelCampaign,
    LaunchCampaign,
    OpenCampaignForm,
    RequestProof,
    ResumeCampaign,
    SuspendCampaign,
)
from topics.message import Actor, Command

_NUMBER: Final = re.compile(r"^(?:c-?)?([1-9]\d{0,8})$", re.IGNORECASE)
Answer = Callable[[Visit, str], Awaitable[Json]]
Order = Callable[[CampaignState, Actor, str], Command]


def _proof(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return RequestProof(campaign_id=state.campaign_id, actor=actor)


def _launch(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return LaunchCampaign(campaign_id=state.campaign_id, actor=actor)


def _pause(state: CampaignState, actor: Actor, reason: str) -> Command:
    return SuspendCampaign(campaign_id=state.campaign_id, actor=actor, reason=reason)


def _resume(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return ResumeCampaign(campaign_id=state.campaign_id, actor=actor)


def _cancel(state: CampaignState, actor: Actor, reason: str) -> Command:
    return CancelCampaign(campaign_id=state.campaign_id, actor=actor, reason=reason)


ORDERS: Final[dict[str, Order]] = {
    "proof": _proof,
    "launch": _launch,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
}


def attach(app: AsyncApp, front: Front) -> None:
    """Register the slash commands."""

    async def campaign(ack: AsyncAck, command: dict[str, Any]) -> None:
        words = str(command.get("text") or "")
        await front.command(ack, sender_of(command), lambda visit: route(visit, words))

    async def workflows(ack: AsyncAck, command: dict[str, Any]) -> None:
        await front.command(ack, sender_of(command), lambda visit: show_workflows(visit, 0))

    app.command("/campaign")(campaign)
    app.command("/workflows")(workflows)


def sender_of(command: dict[str, Any]) -> Sender:
    """Return who typed a command, and where."""
    return Sender(command["user_id"], command["channel_id"], command["trigger_id"])


async def route(visit: Visit, words: str) -> Json:
    """Carry out ``/campaign <verb> …``; what is not understood gets help."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    verb, _, rest = words.strip().partition(" ")
    verb = verb.lower()
    if verb in ORDERS:
        return await order(visit, verb, rest.strip())
    answer = _ANSWERS.get(verb or "help")
    if answer is None:
        unknown = visit.say("unknown_command", words=esc(words, 80))
        return content(f"{unknown}\n{visit.say('help')}")
    return await answer(visit, rest.strip())


async def new(visit: Visit, _rest: str) -> Json:
    """Open the campaign form and ask for its number; each typing of the command is one form."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    if not await visit.memory.take(f"slash:{visit.sender.trigger}", visit.work.now):
        return NOTHING
    campaign_id = new_id()
    await visit.memory.open_form(campaign_id, visit.ask, visit.work.now)
    await visit.memory.ask(str(campaign_id), visit.ask, visit.work.now)
    await visit.outgoing.open_view(
        form_id(campaign_id),
        visit.sender.trigger,
        campaign_modal(campaign_id, None, visit.setting),
        teller(visit),
    )
    visit.work.emit(OpenCampaignForm(campaign_id=campaign_id, actor=visit.actor))
    return NOTHING


def teller(visit: Visit) -> Json:
    """Return whom to tell when a form cannot be opened in time, and what."""
    late = content(visit.say("form_late"))
    return {"user": visit.sender.user, "channel": visit.sender.channel, "content": late}


async def order(visit: Visit, verb: str, rest: str) -> Json:
    """Send a campaign's command; its answer is told when it comes."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    found = await _campaign(visit, verb, rest)
    if not isinstance(found, CampaignState):
        return found
    name = campaign_name(found.number, found.label)
    asked = content(visit.say("asked", what=visit.say(f"verb_{verb}"), campaign=name))
    if await visit.memory.take(f"slash:{visit.sender.trigger}", visit.work.now):
        await visit.memory.ask(str(found.campaign_id), visit.ask, visit.work.now)
        reason = rest.partition(" ")[2].strip()[:1000]
        visit.work.emit(ORDERS[verb](found, visit.actor, reason))
    return asked


async def _campaign(visit: Visit, verb: str, rest: str) -> CampaignState | Json:
    word = rest.split(" ", 1)[0]
    match = _NUMBER.match(word)
    if match is None:
        return content(visit.say("needs_number", verb=verb))
    state = await visit.store.numbered(int(match[1]))
    if state is None:
        return content(visit.say("no_campaign", number=f"C-{match[1]}"))
    return state


async def status(visit: Visit, rest: str) -> Json:
    """Show one campaign."""
    found = await _campaign(visit, "status", rest)
    if not isinstance(found, CampaignState):
        return found
    people = await visit.store.people([found.manager_id])
    return campaign_status(found, people, visit.setting, now=visit.work.now)


async def show_page(visit: Visit, page: Page) -> Json:
    """Show a page of campaigns."""
    return campaign_list(page, visit.setting)


async def listed(visit: Visit, _rest: str) -> Json:
    """Show the newest campaigns."""
    return await show_page(visit, await visit.store.page())


async def show_workflows(visit: Visit, start: int) -> Json:
    """Show the technical workflows, with buttons for who may control them."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    return workflow_list(
        await visit.store.workflows(),
        await visit.store.beats(),
        visit.setting,
        now=visit.work.now,
        may_control=visit.known.may(Right.CONTROL_WORKFLOWS),
        start=start,
    )


async def help_(visit: Visit, _rest: str) -> Json:
    """Say what is understood."""
    return content(visit.say("help"))


_ANSWERS: Final[dict[str, Answer]] = {
    "new": new,
    "list": listed,
    "status": status,
    "help": help_,
}
