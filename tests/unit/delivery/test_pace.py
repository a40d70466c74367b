"""Limits of domains: what may leave in a minute, on a day of the ramp, and when the rest may."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain.pace import Limit, Usage, allowed, next_times, unused

NOW = datetime(2026, 11, 25, 9, 30, 20, tzinfo=UTC)
MINUTE = NOW.replace(second=0)


def ramp(start: int = 100, factor: str = "2") -> Limit:
    return Limit("x.example", None, date(2026, 11, 24), start, Decimal(factor))


def test_a_minute_allows_its_number_and_the_next_one_as_many_again() -> None:
    limit = Limit("x.example", per_minute=10)
    usage = unused(NOW)
    assert allowed(limit, usage, 25) == 10
    usage = usage.taking(10)
    assert allowed(limit, usage, 25) == 0
    assert allowed(limit, usage.at(NOW + timedelta(minutes=1)), 25) == 10


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-1, 0), (0, 100), (1, 200), (2, 400), (10, 102_400), (60, None), (400, None)],
)
def test_a_ramp_doubles_each_day_until_it_limits_nothing(day: int, expected: int | None) -> None:
    assert ramp().per_day(date(2026, 11, 24) + timedelta(days=day)) == expected


def test_a_slow_ramp_rounds_down() -> None:
    assert ramp(10, "1.25").per_day(date(2026, 11, 25)) == 12


def test_a_used_up_day_sends_the_rest_tomorrow() -> None:
    usage = Usage(MINUTE, 0, date(2026, 11, 25), 200)
    assert allowed(ramp(), usage, 5) == 0
    assert next_times(ramp(), usage, 2) == [datetime(2026, 11, 26, tzinfo=UTC)] * 2


def test_what_waits_is_spread_over_the_minutes_to_come() -> None:
    limit = Limit("x.example", per_minute=2)
    times = next_times(limit, unused(NOW).taking(2), 5)
    minutes = [(time - MINUTE) // timedelta(minutes=1) for time in times]
    assert minutes == [1, 1, 2, 2, 3]


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), max_size=40),
)
def test_no_minute_gets_more_than_its_limit_whoever_asks(
    per_minute: int, asks: list[tuple[int, int]]
) -> None:
    limit = Limit("x.example", per_minute=per_minute)
    usage, now, granted_in = unused(NOW), NOW, dict[datetime, int]()
    for seconds, wanted in asks:
        now += timedelta(seconds=seconds)
        usage = usage.at(now)
        granted = allowed(limit, usage, wanted)
        usage = usage.taking(granted)
        granted_in[usage.minute_at] = granted_in.get(usage.minute_at, 0) + granted
    assert all(count <= per_minute for count in granted_in.values())
