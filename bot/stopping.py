"""What stopping, pausing or launching a campaign does, said before it is done: pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot import formats
from bot.blocks import actions, button, content, field, modal, section, text_input
from bot.cards import Setting, campaign_name, cost_line
from bot.fields import Values
from bot.limits import Json
from bot.store import Estimate
from bot.words import say
from topics.campaign import CampaignState, CampaignStatus

STOP: Final = "campaign_stop"
ENDED: Final = frozenset({CampaignStatus.FINISHED, CampaignStatus.CANCELLED})
BEGUN: Final = frozenset({CampaignStatus.RUNNING, CampaignStatus.SUSPENDED, CampaignStatus.ERROR})


def stop_effect(
    state: CampaignState, in_flight: int, language: str, estimate: Estimate | None = None
) -> list[str]:
    """Return what a stop does to messages, actions, money and holds, a sentence each."""
    sums = state.synthesis
    lines = []
    if state.status in BEGUN and sums.messages_targeted:
        lines.append(_messages(state, in_flight, language, "stop_messages"))
    elif state.status in BEGUN:
        lines.append(say(language, "stop_no_messages"))
    else:
        lines.append(say(language, "stop_before_start"))
    waiting = sums.actions_waiting + sums.actions_suspended
    if waiting:
        lines.append(say(language, "stop_actions", count=formats.count(waiting, language)))
    if estimate is not None and state.status in BEGUN and sums.messages_targeted:
        lines.append(_cost_so_far(estimate, state, language))
    return [*lines, say(language, "stop_holds")]


def _cost_so_far(estimate: Estimate, state: CampaignState, language: str) -> str:
    """Say what is used of the cost: by the share that left, until budgetMgt has booked it."""
    share = state.synthesis.messages_sent / state.synthesis.messages_targeted
    spent = int(estimate.amount_minor * min(share, 1))
    return say(
        language,
        "stop_cost",
        amount=formats.money(estimate.amount_minor, estimate.currency, language),
        spent=formats.money(spent, estimate.currency, language),
    )


def pause_effect(state: CampaignState, in_flight: int, language: str) -> str:
    """Return what a pause does to messages; empty where there are none to hold back."""
    if state.status is not CampaignStatus.RUNNING or not state.synthesis.messages_pending:
        return ""
    return _messages(state, in_flight, language, "pause_messages")


def _messages(state: CampaignState, in_flight: int, language: str, key: str) -> str:
    """Say how many left, how many may still, how many will not: together all there are."""
    pending = state.synthesis.messages_pending
    flying = min(in_flight, pending)
    return say(
        language,
        key,
        sent=formats.count(state.synthesis.messages_sent, language),
        flight=formats.count(flying, language),
        left=formats.count(pending - flying, language),
    )


def launch_question(
    state: CampaignState, setting: Setting, estimate: Estimate | None = None
) -> str:
    """Return what is asked before a launch: how many, from when, at what cost."""
    language = setting.language
    count = state.reachable if state.reachable is not None else state.records
    asked = say(
        language,
        "launch_question",
        count="–" if count is None else formats.count(count, language),
        at=formats.moment(state.start_at, setting.zone, language),
    )
    if estimate is None:
        return asked
    cost = say(language, "launch_cost", cost=cost_line(estimate, language))
    return f"{asked} {cost}"


def launch_asked(state: CampaignState, setting: Setting, estimate: Estimate | None) -> Json:
    """Return what a typed launch is answered with: its effect, and the button that does it."""
    language = setting.language
    name = campaign_name(state.number, state.label)
    said = f"{name}: {launch_question(state, setting, estimate)}"
    word = say(language, "do_launch")
    yes = button(word, "campaign_launch", str(state.campaign_id), style="primary")
    return content(said, [section(said), actions(f"launch:{state.campaign_id}", [yes])])


def stop_modal(
    state: CampaignState,
    in_flight: int,
    channel: str,
    setting: Setting,
    *,
    reason: str = "",
    estimate: Estimate | None = None,
) -> Json:
    """Return the modal that says what a stop does, and asks for its reason."""
    language = setting.language
    effect = stop_effect(state, in_flight, language, estimate)
    lines = "\n".join(f"• {line}" for line in effect)
    name = campaign_name(state.number, state.label)
    asked = text_input(1000, multiline=True, initial=reason)
    return modal(
        STOP,
        say(language, "stop_title", number=f"C-{state.number}"),
        [
            section(say(language, "stop_intro", campaign=name)),
            section(lines),
            field("reason", say(language, "reason"), asked),
        ],
        submit=say(language, "stop_it"),
        close=say(language, "close"),
        metadata=f"{state.campaign_id} {channel}",
    )


def read_stop(view: Json) -> tuple[UUID, str, str]:
    """Return the campaign, the channel and the reason of a submitted stop."""
    campaign_id, _, channel = str(view["private_metadata"]).partition(" ")
    return UUID(campaign_id), channel, Values(view["state"]["values"]).text("reason") or ""
