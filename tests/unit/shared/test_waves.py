"""Waves: as many as the size asks for, the last one takes what is left, none is empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.waves import waves_of
from topics.waves import WaveDate, Waves, WaveUnit

START = datetime(2026, 8, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_equal_waves_of_a_size_leave_every_period() -> None:
    found = waves_of(Waves(size=400, period_minutes=60), 1000, START)
    assert [(one.at, one.size) for one in found] == [
        (START, 400),
        (START + HOUR, 400),
        (START + 2 * HOUR, None),
    ]


@pytest.mark.parametrize(
    ("percent", "messages", "sizes"),
    [
        (25, 100, [25, 25, 25, None]),
        (30, 100, [30, 30, 30, None]),
        (34, 10, [4, 4, None]),  # rounded up: no more waves than the per cent say
        (100, 7, [None]),
        (1, 3, [1, 1, None]),
    ],
)
def test_per_cent_are_of_the_messages(percent: int, messages: int, sizes: list[int | None]) -> None:
    waves = Waves(size=percent, unit=WaveUnit.PERCENT, period_minutes=1)
    assert [one.size for one in waves_of(waves, messages, START)] == sizes


def test_a_calendar_has_its_dates_and_its_last_wave_is_the_rest() -> None:
    dates = tuple(WaveDate(at=START + i * HOUR, size=10) for i in range(3))
    calendar = Waves(calendar=dates)
    found = waves_of(calendar, 100, START)
    assert [(one.at - START, one.size) for one in found] == [
        (timedelta(0), 10),
        (HOUR, 10),
        (2 * HOUR, None),
    ]
    # What the first dates have room for leaves nothing for the later ones.
    assert [one.size for one in waves_of(calendar, 15, START)] == [10, None]


def test_nothing_to_send_makes_no_wave() -> None:
    assert waves_of(Waves(size=10, period_minutes=1), 0, START) == []


@given(
    messages=st.integers(1, 5000), size=st.integers(1, 100), unit=st.sampled_from(list(WaveUnit))
)
def test_every_wave_but_the_last_is_full_and_the_last_is_not_empty(
    messages: int, size: int, unit: WaveUnit
) -> None:
    sizes = [
        one.size for one in waves_of(Waves(size=size, unit=unit, period_minutes=1), messages, START)
    ]
    assert sizes[-1] is None
    before = [one for one in sizes[:-1] if one is not None]
    assert len(before) == len(sizes) - 1
    assert len(set(before)) <= 1
    assert messages - sum(before) > 0
