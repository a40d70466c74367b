"""What is said of the dates of a campaign that comes back, and of a start that was missed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot import formats
from bot.blocks import actions, content, section
from bot.cards import Setting, campaign_name
from bot.cutting import esc
from bot.labels import status_name
from bot.limits import Json
from bot.lists import waiting_line
from bot.words import say
from topics.campaign import CampaignState
from topics.campaign import CampaignStatus as Status
from topics.schedules import OccurrenceCreated, StartMissed

TO_BE_STARTED: Final = "waits_launch"
"""The code of a campaign that waits for a person to launch it."""
_TO_BE_APPROVED: Final = frozenset(
    {Status.NEW, Status.READY_TO_TEST, Status.PROOF_GENERATING, Status.PROOF_PENDING}
)


def date_key(campaign_id: object) -> str:
    """Return the key of an occurrence's message."""
    return f"occurrence:{campaign_id}"


def missed_key(campaign_id: object, start_at: datetime | None = None) -> str:
    """Return the key of a missed start's message; without its time, what all of them begin with."""
    return f"missed:{campaign_id}:{start_at.isoformat() if start_at else ''}"


def made(event: OccurrenceCreated, setting: Setting) -> Json:
    """Return the word that a date became a campaign, before the campaign itself is known."""
    at = formats.moment(event.starts_at, ZoneInfo(event.zone), setting.language)
    line = say(setting.language, "date_made", campaign=f"*{esc(event.label)}*", at=at)
    return content(line, [section(f":calendar: {line}")])


def date_card(state: CampaignState, setting: Setting, buttons: Sequence[Json]) -> Json:
    """Return an occurrence as it stands, with what can be done."""
    language = setting.language
    name = campaign_name(state.number, state.label)
    at = formats.moment(state.start_at, ZoneInfo(state.zone), language)
    line = say(language, "date_made", campaign=name, at=at)
    lines = [f":calendar: {line}", f"*{standing(state, language)}*"]
    if state.waiting_for:
        lines.append(f"_{waiting_line(state, language)}_")
    blocks = [section("\n".join(lines))]
    if buttons:
        blocks.append(actions(f"date:{state.campaign_id}", buttons))
    return content(line, blocks)


def standing(state: CampaignState, language: str) -> str:
    """Return what an occurrence is to have done to it, else its state."""
    if state.status in _TO_BE_APPROVED:
        return say(language, "to_be_approved")
    if state.status is Status.READY_TO_RUN:
        by_hand = state.waiting_code == TO_BE_STARTED
        return say(language, "to_be_started" if by_hand else "starts_itself")
    return status_name(language, state.status)


def missed(event: StartMissed, setting: Setting, zone: ZoneInfo, buttons: Sequence[Json]) -> Json:
    """Return the question whether a campaign whose start was missed is still to start."""
    language = setting.language
    line = say(
        language,
        "start_missed",
        campaign=campaign_name(event.number, event.label),
        at=formats.moment(event.start_at, zone, language),
    )
    row = actions(f"missed:{event.campaign_id}", buttons)
    return content(line, [section(f":warning: {line}"), row])


def answered(state: CampaignState, setting: Setting) -> Json:
    """Return what that question becomes once it is answered."""
    language = setting.language
    dropped = state.status is Status.CANCELLED
    name = campaign_name(state.number, state.label)
    line = say(language, "missed_dropped" if dropped else "missed_started", campaign=name)
    return content(line, [section(line)])
