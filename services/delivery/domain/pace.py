"""How fast a destination's domain may be sent: a limit a minute, a ramp while it is warmed up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

RAMP_DAYS: Final = 60
"""After so many days of warming up, the ramp limits nothing any more."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What one domain may get.

    Attributes:
        per_minute: messages a minute; ``None``: no such limit.
        warmup_from: the first day of the ramp (UTC); ``None``: no ramp.
        warmup_start: messages on that day; each day allows ``warmup_factor`` times the day before.
    """

    domain: str
    per_minute: int | None = None
    warmup_from: date | None = None
    warmup_start: int | None = None
    warmup_factor: Decimal = Decimal(2)

    def per_day(self, today: date) -> int | None:
        """Return how many messages the ramp allows on a day; ``None`` when it allows any number."""
        if self.warmup_from is None or self.warmup_start is None:
            return None
        days = (today - self.warmup_from).days
        if days < 0:
            return 0
        if days >= RAMP_DAYS:
            return None
        return int(self.warmup_start * self.warmup_factor**days)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was taken of a limit, in its current minute and on its current day (UTC)."""

    minute_at: datetime
    minute: int
    day_at: date
    day: int

    def at(self, now: datetime) -> Usage:
        """Return the usage as of now: what an earlier minute or day took is forgotten."""
        minute_at = now.replace(second=0, microsecond=0)
        fresh = self
        if self.minute_at != minute_at:
            fresh = replace(fresh, minute_at=minute_at, minute=0)
        if self.day_at != now.date():
            fresh = replace(fresh, day_at=now.date(), day=0)
        return fresh

    def taking(self, count: int) -> Usage:
        """Return the usage with so many messages more."""
        return replace(self, minute=self.minute + count, day=self.day + count)


def unused(now: datetime) -> Usage:
    """Return a usage of nothing."""
    return Usage(now.replace(second=0, microsecond=0), 0, now.date(), 0)


def allowed(limit: Limit, usage: Usage, wanted: int) -> int:
    """Return how many of the wanted messages may leave now; ``usage`` is of now."""
    left = wanted
    if limit.per_minute is not None:
        left = min(left, limit.per_minute - usage.minute)
    per_day = limit.per_day(usage.day_at)
    if per_day is not None:
        left = min(left, per_day - usage.day)
    return max(left, 0)


def next_times(limit: Limit, usage: Usage, count: int) -> list[datetime]:
    """Return when messages that must wait may try again, as many a minute as the limit allows.

    ``usage`` is of now, with what was just allowed taken. A used-up day sends all to the next one.
    """
    per_day = limit.per_day(usage.day_at)
    start = usage.minute_at + timedelta(minutes=1)
    if per_day is not None and usage.day >= per_day:
        tomorrow = usage.day_at + timedelta(days=1)
        start = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=usage.minute_at.tzinfo)
    each = limit.per_minute or count or 1
    return [start + timedelta(minutes=i // each) for i in range(count)]
