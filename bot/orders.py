"""What a manager has a campaign do: prove, launch, pause, resume, stop, duplicate, follow."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from bot.blocks import content
from bot.cards import campaign_name
from bot.cutting import clip
from bot.form_reading import LABEL_CHARS
from bot.front import NOTHING, Visit
from bot.labels import status_name
from bot.limits import Json
from bot.lists import campaign_status, live_status
from bot.order_buttons import offered, order_buttons
from bot.stepping import open_form
from bot.stopping import ENDED, launch_asked, pause_effect, stop_modal
from bot.words import say
from shared.rights import Right
from topics.campaign import (
    CampaignPlan,
    CampaignState,
    LaunchCampaign,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    SuspendCampaign,
)
from topics.message import Actor, Command
from topics.schedules import AnswerMissedStart

_NUMBER: Final = re.compile(r"^(?:c-?)?([1-9]\d{0,8})$", re.IGNORECASE)
Order = Callable[[CampaignState, Actor, str], Command]
Act = Callable[[Visit, CampaignState, str], Awaitable[Json]]


def _proof(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return RequestProof(campaign_id=state.campaign_id, actor=actor)


def _launch(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return LaunchCampaign(campaign_id=state.campaign_id, actor=actor)


def _pause(state: CampaignState, actor: Actor, reason: str) -> Command:
    return SuspendCampaign(campaign_id=state.campaign_id, actor=actor, reason=reason)


def _resume(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return ResumeCampaign(campaign_id=state.campaign_id, actor=actor)


def _retry(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return RetryCampaign(campaign_id=state.campaign_id, actor=actor)


def _start_now(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return AnswerMissedStart(campaign_id=state.campaign_id, actor=actor, start=True)


def _drop(state: CampaignState, actor: Actor, _reason: str) -> Command:
    return AnswerMissedStart(campaign_id=state.campaign_id, actor=actor, start=False)


ORDERS: Final[dict[str, Order]] = {
    "proof": _proof,
    "launch": _launch,
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
    "start_now": _start_now,
    "drop": _drop,
}
OTHER_NAMES: Final = {"test": "proof", "cancel": "stop"}
"""Verbs that people know by another word."""


async def typed_order(visit: Visit, verb: str, rest: str) -> Json:
    """Carry out ``/campaign <verb> C-1042 …``."""
    verb = OTHER_NAMES.get(verb, verb)
    refusal = visit.refusal(_right(verb))
    if refusal:
        return refusal
    found = await numbered(visit, verb, rest)
    if not isinstance(found, CampaignState):
        return found
    if verb == "launch" and verb in offered(found):
        estimate = await visit.memory.estimate(found.campaign_id)
        return launch_asked(found, visit.setting, estimate)
    return await _carry_out(visit, verb, found, rest.partition(" ")[2].strip())


async def pressed_order(visit: Visit, verb: str, campaign_id: UUID) -> Json:
    """Carry out what a button of a campaign says."""
    refusal = visit.refusal(_right(verb))
    if refusal:
        return refusal
    found = await visit.store.campaign(campaign_id)
    if found is None:
        return content(visit.say("no_campaign", number="–"))
    if verb in ORDERS and verb not in offered(found):
        return content(late_order(found, verb, visit.language))
    return await _carry_out(visit, verb, found, "")


def late_order(state: CampaignState, verb: str, language: str) -> str:
    """Return what a click is told that comes after the campaign went on."""
    return say(
        language,
        "late_order",
        campaign=campaign_name(state.number, state.label),
        state=status_name(language, state.status),
        what=say(language, f"verb_{verb}"),
    )


def _right(verb: str) -> Right:
    return Right.READ if verb in {"status", "follow", "unfollow"} else Right.MANAGE_CAMPAIGNS


async def numbered(visit: Visit, verb: str, rest: str) -> CampaignState | Json:
    """Return the campaign whose number was typed, or what is wrong with it."""
    word = rest.split(" ", 1)[0]
    match = _NUMBER.match(word)
    if match is None:
        return content(visit.say("needs_number", verb=verb))
    state = await visit.store.numbered(int(match[1]))
    if state is None:
        return content(visit.say("no_campaign", number=f"C-{match[1]}"))
    return state


async def _carry_out(visit: Visit, verb: str, state: CampaignState, reason: str) -> Json:
    if verb in ORDERS:
        return await _send(visit, verb, state, reason)
    return await _ACTS[verb](visit, state, reason)


async def _send(visit: Visit, verb: str, state: CampaignState, reason: str) -> Json:
    """Send a campaign's command; its answer is told when it comes."""
    name = campaign_name(state.number, state.label)
    said = visit.say("asked", what=visit.say(f"verb_{verb}"), campaign=name)
    if verb == "pause":
        effect = pause_effect(state, await visit.store.in_flight(state.campaign_id), visit.language)
        said = f"{said} {effect}".strip()
    if await visit.once():
        await visit.memory.ask(str(state.campaign_id), visit.ask, visit.work.now)
        visit.work.emit(ORDERS[verb](state, visit.actor, reason[:1000]))
    return content(said)


async def _status(visit: Visit, state: CampaignState, _reason: str) -> Json:
    """Show one campaign with what can be done."""
    people = await visit.store.people([state.manager_id])
    return campaign_status(
        state,
        people,
        visit.setting,
        now=visit.work.now,
        buttons=order_buttons(
            state,
            visit.setting,
            may_manage=visit.known.may(Right.MANAGE_CAMPAIGNS),
            estimate=await visit.memory.estimate(state.campaign_id),
        ),
    )


async def _stop(visit: Visit, state: CampaignState, reason: str) -> Json:
    """Open the modal that says what a stop does."""
    name = campaign_name(state.number, state.label)
    if state.status in ENDED:
        return content(visit.say("ended_already", campaign=name))
    if not await visit.once():
        return NOTHING
    flight = await visit.store.in_flight(state.campaign_id)
    estimate = await visit.memory.estimate(state.campaign_id)
    view = stop_modal(
        state, flight, visit.sender.channel, visit.setting, reason=reason, estimate=estimate
    )
    await visit.open_view(f"stop:{visit.sender.trigger}", view)
    return NOTHING


async def _duplicate(visit: Visit, state: CampaignState, _reason: str) -> Json:
    """Open the form of a new campaign with the choices of another."""
    plan = state.plan or CampaignPlan(
        targeting_id=state.targeting_id,
        template_id=state.template_id,
        budget_id=state.budget_id,
    )
    # Room for the word that makes it a copy.
    label = visit.say("copy_of", label=clip(state.label, LABEL_CHARS - 20))
    await open_form(visit, plan.model_copy(update={"label": label}))
    return NOTHING


async def _follow(visit: Visit, state: CampaignState, _reason: str) -> Json:
    """Show the campaign in a direct message that changes where it stands."""
    name = campaign_name(state.number, state.label)
    if state.status in ENDED:
        return content(visit.say("ended_already", campaign=name))
    key = f"live:{state.campaign_id}:{visit.known.operator_id}:{visit.sender.trigger}"
    followed = await visit.memory.follow(
        state.campaign_id, visit.known.operator_id, key, visit.work.now
    )
    if not followed:
        return content(visit.say("follows_already", campaign=name))
    people = await visit.store.people([state.manager_id])
    shown = live_status(state, people, visit.setting, now=visit.work.now)
    await visit.outgoing.show(key, visit.sender.user, shown)
    return content(visit.say("follows", campaign=name))


async def _unfollow(visit: Visit, state: CampaignState, _reason: str) -> Json:
    """Let the message that follows a campaign rest as it is."""
    await visit.memory.unfollow(state.campaign_id, visit.known.operator_id)
    return content(visit.say("follows_not", campaign=campaign_name(state.number, state.label)))


_ACTS: Final[dict[str, Act]] = {
    "status": _status,
    "stop": _stop,
    "duplicate": _duplicate,
    "follow": _follow,
    "unfollow": _unfollow,
}
PRESSED: Final = (*ORDERS, *_ACTS)
"""What buttons say."""
VERBS: Final = (*PRESSED, *OTHER_NAMES)
