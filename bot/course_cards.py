"""What people are told of an approval's course, and the modal that delegates one: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from bot import formats
from bot.blocks import button, content, field, modal, section, text_input, user_chooser
from bot.cards import Setting, campaign_name, mention
from bot.cutting import esc
from bot.fields import Values
from bot.limits import Json
from bot.store import Person
from bot.words import say
from topics.delivery import ApprovalState

DELEGATION: Final = "approval_delegation"
WHOM: Final = "whom"
COMMENT: Final = "comment"
SHOWN: Final = 12


def delegate_modal(state: ApprovalState, channel: str, setting: Setting) -> Json:
    """Return the modal that asks to whom an approval is handed on."""
    language = setting.language
    return modal(
        DELEGATION,
        say(language, "delegate_title"),
        [
            section(campaign_name(state.campaign_number, state.campaign_label)),
            field(WHOM, say(language, "delegate_to"), user_chooser(), optional=False),
            field(COMMENT, say(language, "comment"), text_input(1000, multiline=True)),
        ],
        submit=say(language, "send"),
        close=say(language, "close"),
        metadata=f"{state.approval_id} {channel}",
    )


def read_delegation(view: Json) -> tuple[UUID, str, str | None, str]:
    """Return the approval, the channel, the Slack account chosen and the comment."""
    approval_id, _, channel = str(view["private_metadata"]).partition(" ")
    values = Values(view["state"]["values"])
    return UUID(approval_id), channel, values.user(WHOM), values.text(COMMENT) or ""


def snoozed_line(state: ApprovalState, until: datetime, setting: Setting) -> str:
    """Return what a reviewer is told who put their reminders off."""
    at = formats.moment(until, setting.zone, setting.language)
    return say(setting.language, "snoozed", what=_name(state), at=at)


def delegated(
    state: ApprovalState,
    by: str,
    to: str,
    comment: str,
    people: Mapping[str, Person],
    setting: Setting,
) -> Json:
    """Return the word of an approval that somebody handed on."""
    language = setting.language
    line = say(
        language,
        "delegated",
        by=mention(by, people, setting),
        to=mention(to, people, setting),
        what=_name(state),
        at=formats.moment(state.deadline_at, setting.zone, language),
    )
    said = f"{line}\n{esc(comment, 1000)}" if comment else line
    return content(line, [section(said, accessory=_see(state, language))])


def escalated(
    state: ApprovalState,
    added: Sequence[str],
    deadline_at: datetime,
    people: Mapping[str, Person],
    setting: Setting,
) -> Json:
    """Return the word of an approval that nobody answered: who is asked too, and until when."""
    language = setting.language
    names = [mention(one, people, setting) for one in added[:SHOWN]]
    names += [f"+{len(added) - SHOWN}"] if len(added) > SHOWN else []
    at = formats.moment(deadline_at, setting.zone, language)
    if names:
        line = say(language, "escalated", what=_name(state), names=", ".join(names), at=at)
    else:
        line = say(language, "escalated_nobody", what=_name(state), at=at)
    return content(line, [section(f":warning: {line}", accessory=_see(state, language))])


def _name(state: ApprovalState) -> str:
    return campaign_name(state.campaign_number, state.campaign_label)


def _see(state: ApprovalState, language: str) -> Json:
    return button(say(language, "open_card"), "approval_show", str(state.approval_id))
