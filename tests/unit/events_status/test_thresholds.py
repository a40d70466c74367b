"""Thresholds: what makes sense, and when a crossing counts, lasts and is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from services.events_status.levels import NOTHING, level_of
from services.events_status.thresholds import (
    TOLD_ANEW,
    Seen,
    Standing,
    Threshold,
    Unknown,
    Waiting,
    checked,
    decide,
    grade_of,
    value_of,
)
from shared.errors import Refused
from topics.levels import OTHER, Grade, Indicator, Level, SetThreshold, Window
from topics.message import Actor, Via

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
N, W, A = Grade.NORMAL, Grade.WARNING, Grade.ALERT
ME = Actor(id="me", via=Via.WEB)


def a_threshold(indicator: Indicator = Indicator.QUEUE_TIME, **fields: Any) -> Threshold:
    wanted = {"warning": 10, "alert": 100} | fields
    return checked(SetThreshold(indicator=indicator, actor=ME, **wanted))


def course(threshold: Threshold, values: Sequence[float | None]) -> str:
    """Return the grade after each minute's value, by its first letter."""
    standing, letters = Standing(), ""
    for minute, value in enumerate(values):
        standing = decide(standing, threshold, value, NOON + timedelta(minutes=minute))
        letters += standing.grade[0]
    return letters


def test_the_table_has_each_crossing_there_can_be() -> None:
    assert set(TOLD_ANEW) == set(permutations(Grade, 2))


@pytest.mark.parametrize(
    ("values", "grades"),
    [
        ([9, 9, 9], "nnn"),
        ([50, 50, 50, 50], "nnww"),
        ([50, 9, 50, 9, 50, 9], "nnnnnn"),
        ([500, 500, 500], "nna"),
        # It was over the warning all along, and over the alert for one minute only.
        ([50, 50, 500, 50], "nnww"),
        ([50, 500, 500, 500, 500, 500], "nnwwwa"),
        # 9.5 is under the warning, and not by the margin that a return asks for.
        ([50, 50, 50, 9.5, 9.5, 9.5, 9.5], "nnwwwww"),
        ([50, 50, 50, 8, 8, 8], "nnwwwn"),
        ([50, 50, 50, 8, 50, 8, 8, 8], "nnwwwwwn"),
        ([500, 500, 500, 50, 50, 50, 8, 8, 8], "nnaaawwwn"),
        ([500, 500, 500, 8, 8, 8], "nnaaan"),
        ([50, 50, 50, None, None, None], "nnwwwn"),
    ],
)
def test_a_crossing_counts_once_it_has_lasted_and_is_over_with_a_margin(
    values: list[float | None], grades: str
) -> None:
    assert course(a_threshold(minutes=2), values) == grades


def test_without_a_duration_a_value_counts_at_once() -> None:
    assert course(a_threshold(minutes=0), [50, 500, 8, 50]) == "wanw"


def test_a_late_or_early_look_does_not_make_a_minute_longer() -> None:
    standing = Standing()
    for second in (0, 59.8, 119.7):
        at = NOON + timedelta(seconds=second)
        standing = decide(standing, a_threshold(minutes=2), 50, at)
    assert standing.grade is W


def test_less_is_worse_where_a_threshold_says_so() -> None:
    low = a_threshold(Indicator.OUTGOING_THROUGHPUT, below=True, warning=100, alert=0, minutes=0)
    assert course(low, [500, 100, 105, 111, 0, 1]) == "nwwnaw"


def test_one_value_alone_is_enough() -> None:
    assert course(a_threshold(warning=None, minutes=0), [50, 100]) == "na"
    assert grade_of(a_threshold(alert=None), 5000, N) is W


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"warning": 100, "alert": 10}, "alert"),
        ({"below": True, "warning": 10, "alert": 100}, "alert"),
        ({"warning": 0}, "warning"),
        ({"indicator": Indicator.ERROR_RATE, "warning": 0.1, "alert": 5}, "alert"),
        ({"event_type": "order.confirmed"}, "channel"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(fields: Any, field: str) -> None:
    with pytest.raises(Refused) as refusal:
        a_threshold(**fields)
    assert refusal.value.field == field


def a_level(**fields: Any) -> Level:
    found = level_of("", Window.HOUR, NOON, NOTHING, 0)
    return found.model_copy(update=fields)


def seen(*levels: Level, waiting: Sequence[Waiting] = ()) -> Seen:
    found = {(one.channel, one.event_type, one.window): one for one in levels}
    return Seen(found, waiting, NOON)


def test_values_are_taken_from_their_line_and_few_events_say_nothing() -> None:
    rate = a_threshold(Indicator.ERROR_RATE, warning=0.1, alert=0.2, minimum_events=50)
    assert value_of(rate, seen(a_level(incoming=49, error_rate=1.0))) is None
    assert value_of(rate, seen(a_level(incoming=50, error_rate=0.5))) == 0.5
    mine: Any = {"channel": "email", "event_type": "order.confirmed"}
    throughput = a_threshold(Indicator.INCOMING_THROUGHPUT, below=True, warning=9, alert=1, **mine)
    assert value_of(throughput, seen(a_level())) == 0
    assert value_of(throughput, seen(a_level(incoming_per_hour=60.0, **mine))) == 60
    assert value_of(a_threshold(**mine), seen(a_level())) is None


def test_nothing_is_said_of_what_the_view_does_not_know() -> None:
    with pytest.raises(Unknown):
        value_of(a_threshold(), Seen(None, (), NOON))
    folded = a_level(channel="email", event_type=OTHER)
    with pytest.raises(Unknown):
        value_of(a_threshold(channel="email", event_type="rare"), seen(folded))


def test_the_queue_is_looked_at_in_the_rows_even_without_a_view() -> None:
    rows = [
        Waiting("email", "a", 3, NOON - timedelta(minutes=5)),
        Waiting("sms", "b", 4, NOON - timedelta(minutes=9)),
    ]
    now = Seen(None, rows, NOON)
    assert value_of(a_threshold(Indicator.QUEUED), now) == 7
    assert value_of(a_threshold(Indicator.QUEUED, channel="email"), now) == 3
    assert value_of(a_threshold(Indicator.OLDEST_WAIT), now) == 540
    assert value_of(a_threshold(Indicator.OLDEST_WAIT, channel="push"), now) is None
