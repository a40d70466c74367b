"""When a service level is told: thresholds, and what a value makes of how one stands.

Thresholds as in Adobe Campaign (options ``MC_RtEvent…Warning`` and ``…Alert``); that a crossing is
told once, lasts a while before it counts and returns with a margin is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.errors import Refused
from topics.levels import OTHER, Grade, Indicator, Level, SetThreshold, Window

MARGIN: Final = 0.1
"""By what part of its limit a value must be better than it to count as back: no flapping."""
TICK: Final = timedelta(seconds=30)
"""Values are looked at once a minute, give or take; half of that is not waited for."""
RANK: Final = {Grade.NORMAL: 0, Grade.WARNING: 1, Grade.ALERT: 2}
TOLD_ANEW: Final[dict[tuple[Grade, Grade], bool]] = {
    (Grade.NORMAL, Grade.WARNING): True,
    (Grade.NORMAL, Grade.ALERT): True,
    (Grade.WARNING, Grade.ALERT): True,
    # Better, and not yet well: what was told says so where it stands.
    (Grade.ALERT, Grade.WARNING): False,
    (Grade.WARNING, Grade.NORMAL): True,
    (Grade.ALERT, Grade.NORMAL): True,
}
"""Every crossing there is, and whether people are told anew."""
WITHOUT_WINDOW: Final = frozenset({Indicator.QUEUED, Indicator.OLDEST_WAIT})
"""What is counted in the rows at the moment; nothing of it hangs on the live view."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From when on an indicator is told; see ``SetThreshold``."""

    indicator: Indicator
    channel: str
    event_type: str
    window: Window
    below: bool
    warning: float | None
    alert: float | None
    minimum_events: int
    minutes: int

    def limit(self, grade: Grade) -> float | None:
        """Return the value from which on a grade is reached."""
        return self.alert if grade is Grade.ALERT else self.warning


@dataclass(frozen=True, slots=True)
class Standing:
    """How a level stands, and what it may become once that has lasted."""

    grade: Grade = Grade.NORMAL
    candidate: Grade | None = None
    candidate_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many events of a channel and type wait to be processed, and since when the oldest."""

    channel: str
    event_type: str
    events: int
    oldest: datetime


def checked(command: SetThreshold) -> Threshold:
    """Return what a command asks for.

    Raises:
        Refused: a value makes no sense for its indicator, or the two contradict each other.
    """
    for name, value in (("warning", command.warning), ("alert", command.alert)):
        if value is None:
            continue
        if command.indicator is Indicator.ERROR_RATE and value > 1:
            raise Refused("a rate is between 0 and 1", field=name)
        if not command.below and value == 0:
            raise Refused("from 0 on it would always be told", field=name)
    warning, alert = command.warning, command.alert
    if warning is not None and alert is not None:
        if command.below and alert > warning:
            raise Refused("an alert lies under its warning where less is worse", field="alert")
        if not command.below and alert < warning:
            raise Refused("an alert lies over its warning where more is worse", field="alert")
    if command.event_type and not command.channel:
        raise Refused("a type's level is that of one channel", field="channel")
    fields = {name: getattr(command, name) for name in Threshold.__slots__}
    return Threshold(**fields)


def grade_of(threshold: Threshold, value: float | None, current: Grade) -> Grade:
    """Return the grade of a value; one that is reached is left with a margin only."""
    if value is None:
        return Grade.NORMAL
    for grade in (Grade.ALERT, Grade.WARNING):
        limit = threshold.limit(grade)
        if limit is None:
            continue
        if RANK[current] >= RANK[grade]:
            limit *= 1 + MARGIN if threshold.below else 1 - MARGIN
        if value <= limit if threshold.below else value >= limit:
            return grade
    return Grade.NORMAL


def decide(
    standing: Standing, threshold: Threshold, value: float | None, now: datetime
) -> Standing:
    """Return how a level stands after a value was seen; its grade changes once that has lasted."""
    seen = grade_of(threshold, value, standing.grade)
    if seen is standing.grade:
        return Standing(standing.grade)
    following = _following(standing, seen, now)
    since = following.candidate_since or now
    if now - since < timedelta(minutes=threshold.minutes) - TICK:
        return following
    return Standing(following.candidate or seen)


def _following(standing: Standing, seen: Grade, now: datetime) -> Standing:
    """Return the standing with what it may become: the nearest grade seen since it was left."""
    here, there = RANK[standing.grade], RANK[seen]
    candidate = standing.candidate
    if candidate is None or (RANK[candidate] > here) != (there > here):
        return replace(standing, candidate=seen, candidate_since=now)
    nearer = abs(there - here) < abs(RANK[candidate] - here)
    return replace(standing, candidate=seen if nearer else candidate)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known at a moment: levels while the live view keeps up, the queue always."""

    levels: Mapping[tuple[str, str, Window], Level] | None
    waiting: Iterable[Waiting]
    now: datetime


class Unknown(Exception):
    """Nothing can be said of an indicator now."""


def value_of(threshold: Threshold, seen: Seen) -> float | None:
    """Return an indicator's value; ``None`` where there is nothing that could be wrong.

    Raises:
        Unknown: the live view does not keep up, or shows the type among others.
    """
    if threshold.indicator in WITHOUT_WINDOW:
        return _of_queue(threshold, seen)
    if seen.levels is None:
        raise Unknown
    level = seen.levels.get((threshold.channel, threshold.event_type, threshold.window))
    if level is None:
        if (threshold.channel, OTHER, threshold.window) in seen.levels and threshold.event_type:
            raise Unknown
        is_throughput = threshold.indicator in _THROUGHPUTS
        return 0.0 if is_throughput and not threshold.minimum_events else None
    if level.incoming < threshold.minimum_events and level.outgoing < threshold.minimum_events:
        return None
    value = getattr(level, _FIELDS[threshold.indicator])
    return None if value is None else float(value)


_THROUGHPUTS: Final = frozenset({Indicator.INCOMING_THROUGHPUT, Indicator.OUTGOING_THROUGHPUT})
_FIELDS: Final[dict[Indicator, str]] = {
    Indicator.INCOMING_THROUGHPUT: "incoming_per_hour",
    Indicator.OUTGOING_THROUGHPUT: "outgoing_per_hour",
    Indicator.QUEUE_TIME: "queue_seconds",
    Indicator.PROCESSING_TIME: "processing_seconds",
    Indicator.SENDING_TIME: "sending_seconds",
    Indicator.ERROR_RATE: "error_rate",
    Indicator.QUEUED_MIN: "queued_min",
    Indicator.QUEUED_AVG: "queued_avg",
    Indicator.QUEUED_MAX: "queued_max",
}


def _of_queue(threshold: Threshold, seen: Seen) -> float | None:
    mine = [
        one
        for one in seen.waiting
        if threshold.channel in {"", one.channel} and threshold.event_type in {"", one.event_type}
    ]
    events = sum(one.events for one in mine)
    if threshold.indicator is Indicator.QUEUED:
        return float(events) if events >= threshold.minimum_events else None
    if events < max(threshold.minimum_events, 1):
        return None
    return max((seen.now - min(one.oldest for one in mine)).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A threshold with how its level stands; ``since`` is when the grade was reached."""

    threshold: Threshold
    standing: Standing
    since: datetime | None
    value: float | None
    crossing_id: UUID | None
    changed_by: str
    changed_at: datetime
