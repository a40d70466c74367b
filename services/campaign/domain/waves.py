"""Waves of a campaign: what they may be, and that the last one leaves before its end. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Final

from services.campaign.domain.campaigns import Campaign
from services.campaign.domain.volumes import volumes_planned
from shared.errors import Refused
from shared.waves import number_of, waves_of
from topics.waves import Waves, WaveUnit

MAX_WAVES: Final = 1000


def check_waves(campaign: Campaign, start_at: datetime) -> None:
    """Let a campaign's waves be, were it started at a time.

    Until its target is counted, only what holds for any number of messages is looked at.

    Raises:
        Refused: they contradict themselves, are too many, or the last leaves too late.
    """
    waves = campaign.waves
    if waves is None:
        return
    _check_choice(waves)
    if campaign.is_series and waves.calendar:
        reason = "the dates of a calendar are of one campaign: give a size and a period instead"
        raise Refused(reason, field="waves.calendar", code="waves_of_series")
    messages = _messages(campaign, waves)
    if not waves.calendar and messages and number_of(waves, messages) > MAX_WAVES:
        reason = f"more than {MAX_WAVES} waves: make them bigger"
        raise Refused(reason, field="waves.size", code="waves_too_many", most=str(MAX_WAVES))
    last = last_wave(campaign, start_at)
    if last is not None and last >= campaign.end_at and not campaign.is_series:
        reason = (
            f"its last wave would leave at {_text(last)}, not before its end at"
            f" {_text(campaign.end_at)}: make the waves bigger or closer, or set a later end"
        )
        raise Refused(reason, field="waves", code="waves_too_late", at=last.isoformat())


def last_wave(campaign: Campaign, start_at: datetime) -> datetime | None:
    """Return when the last wave would leave, were it started at a time; ``None``: not known yet.

    Of a calendar that is its last date, also where fewer of its waves might do.
    """
    waves = campaign.waves
    if waves is None:
        return None
    if waves.calendar:
        return waves.calendar[-1].at
    found = waves_of(waves, _messages(campaign, waves), start_at)
    return found[-1].at if found else None


def too_late(campaign: Campaign, start_at: datetime) -> bool:
    """Whether a campaign started at a time would not have all its waves before its end."""
    last = last_wave(campaign, start_at)
    return last is not None and last >= campaign.end_at


def _messages(campaign: Campaign, waves: Waves) -> int:
    if campaign.counts is None and waves.unit is WaveUnit.PERCENT:
        return 100
    return volumes_planned(campaign).emails


def _check_choice(waves: Waves) -> None:
    equal = waves.size is not None and waves.period_minutes is not None
    half = (waves.size is None) != (waves.period_minutes is None)
    if half or (equal and waves.calendar) or not (equal or waves.calendar):
        reason = "waves have a size and a period, or the dates of a calendar"
        raise Refused(reason, field="waves", code="waves_unclear")
    sizes = [one.size for one in waves.calendar] or [waves.size or 0]
    if waves.unit is WaveUnit.PERCENT and max(sizes) > 100:
        raise Refused("a wave is 100 % at most", field="waves.size", code="waves_over_all")
    if any(after.at <= before.at for before, after in pairwise(waves.calendar)):
        reason = "the dates of the waves must follow one another"
        raise Refused(reason, field="waves.calendar", code="waves_in_no_order")


def _text(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
