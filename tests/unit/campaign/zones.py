"""Twelve zones that between them do everything clocks do, and a slow way to read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONES: Final = (
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",  # three and a half hours
    "America/Santiago",  # changes at midnight, in the south
    "Africa/Cairo",  # changes at midnight
    "Africa/Casablanca",  # winter time during Ramadan
    "Asia/Kathmandu",  # five and three quarter hours, never changes
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",  # twelve and three quarter hours
    "Pacific/Kiritimati",  # fourteen hours
)

_MINUTE: Final = timedelta(minutes=1)


def first_shown(zone: str, local: datetime) -> datetime:
    """Return the first instant at which the clocks show a time or a later one, by trying."""
    rules, near = ZoneInfo(zone), local.replace(tzinfo=UTC)
    hours = [near + timedelta(hours=step) for step in range(-30, 31)]
    offsets = {at.astimezone(rules).utcoffset() or timedelta(0) for at in hours}
    shown = [near - offset for offset in offsets if _shows(rules, near - offset) == local]
    if shown:
        return min(shown)
    minutes = (hours[0] + step * _MINUTE for step in range(60 * 60))
    return next(at for at in minutes if _shows(rules, at) >= local)


def _shows(rules: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(rules).replace(tzinfo=None)
