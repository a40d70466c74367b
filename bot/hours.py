"""When somebody may be reminded: in their working hours, not while they asked for quiet. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.formats import local_to_utc

_RANGE: Final = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")
_LONGEST_SEARCH: Final = 8
"""Days: a week that begins on a day off, and the day it began on again."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Hours of a day (``first`` to before ``last``) and days of a week (1 is Monday)."""

    first: int = 9
    last: int = 18
    first_day: int = 1
    last_day: int = 5

    @classmethod
    def read(cls, hours: str, days: str) -> WorkingHours:
        """Return the hours of texts such as ``9-18`` and ``1-5``.

        Raises:
            ValueError: they are no such ranges.
        """
        first, last = _range(hours, 0, 24)
        first_day, last_day = _range(days, 1, 7)
        if first == last:
            message = f"{hours!r} leaves no hour to work in"
            raise ValueError(message)
        return cls(first, last, first_day, last_day)

    def next_in(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first moment from now on that is in these hours in a zone."""
        here = now.astimezone(zone)
        for days in range(_LONGEST_SEARCH):
            day = here.date() + timedelta(days=days)
            if not self.first_day <= day.isoweekday() <= self.last_day:
                continue
            opens = local_to_utc(day, time(self.first), zone)
            closes = local_to_utc(day + timedelta(days=self.last // 24), time(self.last % 24), zone)
            if now < closes:
                return max(now, opens.astimezone(UTC))
        raise RuntimeError("a week has no working day")


def _range(text: str, least: int, most: int) -> tuple[int, int]:
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2])) if found else (most, least)
    if not least <= first <= last <= most:
        message = f"{text!r} is no range within {least}-{most}, such as {least + 1}-{most - 1}"
        raise ValueError(message)
    return first, last


def when_to_remind(
    now: datetime,
    *,
    zone: ZoneInfo,
    hours: WorkingHours,
    quiet_until: datetime,
    deadline: datetime,
) -> datetime:
    """Return when to remind somebody; not after now means at once.

    Quiet and nights are waited for, as long as an answer is in time after them. When it is not, the
    reminder goes out at once: a late one helps nobody, and Slack keeps its own quiet.
    """
    moment = hours.next_in(max(now, quiet_until), zone)
    return moment if moment < deadline else now
