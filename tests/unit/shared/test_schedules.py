"""Schedules over daylight saving: a time that does not exist, and one that comes twice."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schedules import Cron, Every

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "line", "moment", "due"),
    [
        ("UTC", "30 2 * * *", "2026-11-22T02:30:00Z", "2026-11-23T02:30:00Z"),
        # 29 March 2026: Paris goes from 02:00 to 03:00; what was due at 02:30 runs at 03:00.
        ("Europe/Paris", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00"),
        ("Europe/Paris", "30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T02:30:00+02:00"),
        # 25 October 2026: Paris has 02:30 twice; a daily line runs at the first only.
        ("Europe/Paris", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00"),
        ("Europe/Paris", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T02:30:00+01:00"),
        ("Europe/Paris", "0 8 * * 1-5", "2026-10-23T09:00:00Z", "2026-10-26T08:00:00+01:00"),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00"),
        # Lord Howe Island moves its clocks by half an hour.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", "2026-10-04T02:30:00+11:00"),
    ],
)
def test_a_cron_line_runs_at_the_zones_own_time(
    zone: str, line: str, moment: str, due: str
) -> None:
    assert Cron(line).next_after(at(moment), ZoneInfo(zone)) == at(due)


def test_an_hourly_line_runs_in_both_of_the_hours_that_come_twice() -> None:
    zone, moment = ZoneInfo("Europe/Paris"), at("2026-10-25T01:00:00+02:00")
    runs = []
    for _ in range(4):
        moment = Cron("0 * * * *").next_after(moment, zone)
        runs.append(moment)
    assert [b - a for a, b in itertools.pairwise(runs)] == [timedelta(hours=1)] * 3


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from(ZONES),
    st.sampled_from(["*/15 * * * *", "0 2 * * *", "30 2 * * 0", "0 0 1 * *"]),
)
def test_the_next_run_is_later_and_in_utc(moment: datetime, zone: str, line: str) -> None:
    start = moment.replace(tzinfo=UTC)
    due = Cron(line).next_after(start, ZoneInfo(zone))
    assert due > start
    assert due.utcoffset() == timedelta(0)


def test_an_interval_counts_real_seconds_over_the_change() -> None:
    start = at("2026-03-29T00:59:30Z")
    assert Every(60).next_after(start, ZoneInfo("Europe/Paris")) == at("2026-03-29T01:00:30Z")


def test_schedules_say_what_they_are() -> None:
    assert (str(Every(60)), str(Every(0.5)), str(Cron("0 8 * * *"))) == (
        "every 60 s",
        "every 0.5 s",
        "cron 0 8 * * *",
    )
