"""Local times and instants, whatever summer time, winter time or a moved date line do. Pure.

A local time that a zone's clocks skip becomes the next minute they show; one that they show twice
is meant once, the first time. So a later local time never becomes an earlier instant.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from shared.errors import Refused

_MINUTE: Final = timedelta(minutes=1)


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def known_zone(name: str) -> str:
    """Return a zone's name.

    Raises:
        Refused: there is no such zone.
    """
    if name not in _names():
        reason = f"{name} is no time zone; try one like Europe/Paris"
        raise Refused(reason, field="zone", code="unknown_zone", zone=name)
    return name


def local_of(at: datetime, zone: str) -> datetime:
    """Return what the clocks of a zone show at an instant (naive)."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def instant_of(local: datetime, zone: str) -> datetime:
    """Return the instant (aware UTC) at which a zone's clocks first show a local time, or pass it.

    Args:
        local: naive, in whole minutes.
        zone: an IANA name.
    """
    rules = ZoneInfo(zone)
    first = local.replace(tzinfo=rules, fold=0).astimezone(UTC)
    if local_of(first, zone) == local:
        return first
    # Skipped. Read with the offset from after the gap it lies before it, with the one from before
    # the gap (``first``) behind it.
    before = local.replace(tzinfo=rules, fold=1).astimezone(UTC)
    low, high = 0, (first - before) // _MINUTE
    while low < high:
        middle = (low + high) // 2
        if local_of(before + middle * _MINUTE, zone) < local:
            low = middle + 1
        else:
            high = middle
    return before + low * _MINUTE
