"""Which dates a schedule has: recurrences counted by dateutil, instants by the zone's rules. Pure.

The identity of a date is (campaign, local time, zone); what is not in whole minutes has none.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Final

from dateutil.rrule import DAILY, MO, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from services.campaign.domain.local_times import instant_of, local_of
from shared.errors import Refused
from topics.schedules import Frequency, Recurrence, Schedule, ScheduleLine

# As many as one schedule may have created ahead: each has its target counted, most are approved.
MAX_AHEAD: Final = 100
LONGEST: Final = timedelta(days=20 * 366)
# Local times outside of these may be no dates any more.
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_FREQUENCIES: Final = {
    Frequency.DAILY: DAILY,
    Frequency.WEEKLY: WEEKLY,
    Frequency.MONTHLY: MONTHLY,
    Frequency.YEARLY: YEARLY,
}
_DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")


@dataclass(frozen=True, slots=True)
class Line:
    """One date of a schedule.

    Attributes:
        local: what the zone's clocks show (naive); it may be a time that they skip.
        at: its instant (aware UTC).
    """

    local: datetime
    at: datetime
    to_be_approved: bool
    to_be_started: bool


def lines(
    schedule: Schedule,
    *,
    zone: str,
    start_at: datetime,
    end_at: datetime,
    after: datetime | None = None,
) -> Iterator[Line]:
    """Yield the dates of a schedule from a campaign's start to its end, in order.

    Args:
        schedule: one that :func:`checked` let pass.
        zone: whose clocks the schedule follows.
        start_at: the first instant it may fall on; days are counted from its local date.
        end_at: the last one.
        after: leave out the local times (naive) up to this one.
    """
    first = _whole_minute(local_of(max(start_at, _EARLIEST), zone))
    last = local_of(min(end_at, _LATEST), zone)
    own = {datetime.fromisoformat(line.at): line for line in schedule.lines}
    without = frozenset(schedule.without)
    previous = after
    for local in merge(_recurring(schedule, first, last), sorted(own)):
        if previous is not None and local <= previous:
            continue
        previous = local
        if not first <= local <= last or local.date() in without:
            continue
        at = instant_of(local, zone)
        if start_at <= at <= end_at:
            yield _line(schedule, own.get(local), local, at)


def _line(schedule: Schedule, own: ScheduleLine | None, local: datetime, at: datetime) -> Line:
    approved, started = schedule.to_be_approved, schedule.to_be_started
    if own is not None:
        approved = approved if own.to_be_approved is None else own.to_be_approved
        started = started if own.to_be_started is None else own.to_be_started
    return Line(local, at, approved, started)


def _recurring(schedule: Schedule, first: datetime, last: datetime) -> Iterator[datetime]:
    rule = schedule.recurrence
    if rule is None:
        return iter(())
    times = sorted({time.fromisoformat(text) for text in schedule.times}) or [first.time()]
    locals_ = (datetime.combine(day, at) for day in _days(rule, first.date(), last) for at in times)
    return islice((local for local in locals_ if local >= first), rule.count)


def _days(rule: Recurrence, first: date, last: datetime) -> Iterator[date]:
    chosen: dict[str, Any] = {}
    if rule.weekdays:
        chosen["byweekday"] = [_weekday(text) for text in rule.weekdays]
    if rule.month_days:
        chosen["bymonthday"] = rule.month_days
    found = rrule(
        _FREQUENCIES[rule.frequency],
        dtstart=datetime.combine(first, time.min),
        interval=rule.interval,
        wkst=MO,
        until=last,
        **chosen,
    )
    return (moment.date() for moment in found)


def _weekday(text: str) -> weekday:
    ordinal, day = text[:-2], _DAYS.index(text[-2:])
    return weekday(day, int(ordinal)) if ordinal else weekday(day)


def checked(schedule: Schedule, *, zone: str, start_at: datetime, end_at: datetime) -> Schedule:
    """Return a schedule that can be followed.

    Raises:
        Refused: it contradicts itself, has no date, or has too many at a time; ``field`` says
            where.
    """
    if end_at - start_at > LONGEST:
        reason = "a schedule lasts 20 years at most: set an earlier end"
        raise Refused(reason, field="end_at", code="schedule_too_long")
    if schedule.recurrence is not None:
        _checked_rule(schedule.recurrence, local_of(max(start_at, _EARLIEST), zone).date())
    for line in schedule.lines:
        _checked_local(line.at)
    found = lines(schedule, zone=zone, start_at=start_at, end_at=end_at)
    first = next(found, None)
    if first is None:
        reason = "the schedule has no date between the campaign's start and its end"
        raise Refused(reason, field="schedule", code="schedule_empty")
    horizon = timedelta(days=schedule.create_ahead_days)
    soonest = list(islice((line.at for line in found), MAX_AHEAD))
    if len(soonest) == MAX_AHEAD and soonest[-1] - first.at <= horizon:
        reason = (
            f"the schedule would create more than {MAX_AHEAD} occurrences in"
            f" {schedule.create_ahead_days} days: create them less far ahead"
        )
        raise Refused(reason, field="schedule.create_ahead_days", code="schedule_too_dense")
    return schedule


def _checked_rule(rule: Recurrence, first: date) -> None:
    monthly = rule.frequency is Frequency.MONTHLY
    if rule.weekdays and not monthly and rule.frequency is not Frequency.WEEKLY:
        raise _wrong("weekdays", f"are for weekly and monthly rules, not {rule.frequency} ones")
    if not monthly and any(len(text) > 2 for text in rule.weekdays):
        raise _wrong("weekdays", "with a number, such as 1mo, are for monthly rules")
    if not rule.month_days:
        return
    if not monthly:
        raise _wrong("month_days", f"are for monthly rules, not {rule.frequency} ones")
    if rule.weekdays:
        raise _wrong("month_days", "and weekdays cannot both be given")
    # dateutil looks for a day that never comes until the year 9999.
    shortest = max(_shortest(month) for month in _months(first.month, rule.interval))
    for day in rule.month_days:
        if not 1 <= abs(day) <= shortest:
            raise _wrong("month_days", f"have {day}, which the months of this rule lack")


def _months(first: int, interval: int) -> set[int]:
    return {(first - 1 + interval * step) % 12 + 1 for step in range(12)}


def _shortest(month: int) -> int:
    return calendar.monthrange(2001, month)[1]


def _wrong(name: str, what: str) -> Refused:
    return Refused(f"{name} {what}", field=f"schedule.recurrence.{name}", code="schedule_wrong")


def _checked_local(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        reason = f"{text} is no date and time"
        raise Refused(reason, field="schedule.lines", code="schedule_no_date", at=text) from None


def _whole_minute(local: datetime) -> datetime:
    """Return the first whole minute that is not before a local time."""
    whole = local.replace(second=0, microsecond=0)
    return whole if whole == local else whole + timedelta(minutes=1)
