"""What people are told of an approval beside its card: reminders, and that nobody is left. Pure."""

from __future__ import annotations

from datetime import datetime

from bot import formats
from bot.blocks import button, content, context, section
from bot.cards import Beside, Setting, campaign_name, reviewer_names
from bot.limits import Json
from bot.words import say
from topics.delivery import ApprovalState


def reminder(
    state: ApprovalState,
    *,
    number: int,
    deadline_at: datetime,
    now: datetime,
    beside: Beside,
    setting: Setting,
    to: str = "",
) -> Json:
    """Return a reminder: how long is left, and who else can answer."""
    language = setting.language
    line = say(
        language,
        "reminder",
        n=number,
        what=campaign_name(state.campaign_number, state.campaign_label),
        left=formats.time_left(deadline_at - now, language),
        at=formats.moment(deadline_at, setting.zone, language),
    )
    names = reviewer_names(state, beside, setting, but=to)
    key = "who_else" if to else "reviewers_are"
    return content(line, [section(line), context(say(language, key, names=names))])


def nobody_left(state: ApprovalState, beside: Beside, setting: Setting) -> Json:
    """Return the word to who can do something: no reviewer of this approval can answer any more."""
    language = setting.language
    line = say(
        language,
        "nobody_left",
        what=campaign_name(state.campaign_number, state.campaign_label),
        names=reviewer_names(state, beside, setting),
        at=formats.moment(state.deadline_at, setting.zone, language),
    )
    see = button(say(language, "open_card"), "approval_show", str(state.approval_id))
    return content(line, [section(f":warning: {line}", accessory=see)])
