"""The buttons of what can be done to a campaign as it stands. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot.blocks import button, confirmed
from bot.cards import Setting
from bot.limits import Json
from bot.stopping import launch_question
from bot.store import Estimate
from bot.words import say
from topics.campaign import CampaignState
from topics.campaign import CampaignStatus as Status

_STYLES: Final = {
    "proof": "primary",
    "launch": "primary",
    "resume": "primary",
    "retry": "primary",
    "start_now": "primary",
    "drop": "danger",
    "stop": "danger",
}
_FOLLOWED: Final = ("follow", "duplicate", "stop")
_OF_A_DATE: Final = ("proof", "launch", "pause", "resume", "retry", "stop")
_MISSED: Final = ("start_now", "drop")
_OFFERED: Final[dict[Status, tuple[str, ...]]] = {
    Status.NEW: _FOLLOWED,
    Status.READY_TO_TEST: ("proof", *_FOLLOWED),
    Status.PROOF_GENERATING: _FOLLOWED,
    Status.PROOF_PENDING: _FOLLOWED,
    Status.READY_TO_RUN: ("launch", *_FOLLOWED),
    Status.RUNNING: ("pause", *_FOLLOWED),
    Status.SUSPENDED: ("resume", *_FOLLOWED),
    Status.ERROR: ("retry", *_FOLLOWED),
    Status.FINISHED: ("duplicate",),
    Status.CANCELLED: ("duplicate",),
}


def order_buttons(
    state: CampaignState, setting: Setting, *, may_manage: bool, estimate: Estimate | None = None
) -> list[Json]:
    """Return the buttons of what a person may have the campaign do in its state."""
    verbs = [verb for verb in offered(state) if may_manage or verb == "follow"]
    return [_button(state, verb, setting, estimate) for verb in verbs]


def offered(state: CampaignState) -> tuple[str, ...]:
    """Return what may be done to a campaign as it stands."""
    verbs = _OFFERED[state.status]
    if not state.missed:
        return verbs
    return (*_MISSED, *(verb for verb in verbs if verb not in {"launch", "stop"}))


def date_buttons(
    state: CampaignState, setting: Setting, estimate: Estimate | None = None
) -> list[Json]:
    """Return the buttons of an occurrence; a missed start has a message of its own."""
    verbs = [verb for verb in offered(state) if verb in _OF_A_DATE]
    return [
        _button(state, verb, setting, estimate, word="skip" if verb == "stop" else "")
        for verb in verbs
    ]


def missed_buttons(campaign_id: UUID, number: int, setting: Setting) -> list[Json]:
    """Return the buttons that answer a missed start."""
    return [_answer(campaign_id, number, verb, setting) for verb in _MISSED]


def _answer(campaign_id: UUID, number: int, verb: str, setting: Setting) -> Json:
    language = setting.language
    text = say(language, f"do_{verb}")
    return confirmed(
        button(text, f"campaign_{verb}", str(campaign_id), style=_STYLES[verb]),
        title=f"{text} C-{number}?",
        text=say(language, f"ask_{verb}"),
        yes=text,
        no=say(language, "close"),
    )


def _button(
    state: CampaignState, verb: str, setting: Setting, estimate: Estimate | None, *, word: str = ""
) -> Json:
    if verb in _MISSED:
        return _answer(state.campaign_id, state.number, verb, setting)
    language = setting.language
    text = say(language, f"do_{word or verb}")
    made = button(text, f"campaign_{verb}", str(state.campaign_id), style=_STYLES.get(verb))
    if verb != "launch":
        return made
    return confirmed(
        made,
        title=say(language, "launch_title", number=f"C-{state.number}"),
        text=launch_question(state, setting, estimate),
        yes=text,
        no=say(language, "close"),
    )
