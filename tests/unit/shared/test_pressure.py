"""Pressure: the worked example of the typology rules, weights, and that nobody ever gets more."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pressure import Grouping, Meant, PressureRule, too_many

DAYS = ("05-30", "06-03", "06-08", "06-12", "06-22", "06-30")


def meant(*days: str | date, weights: dict[int, int] | None = None) -> list[Meant]:
    return [
        Meant(
            UUID(int=number),
            day if isinstance(day, date) else date.fromisoformat(f"2026-{day}"),
            (weights or {}).get(number, 1),
        )
        for number, day in enumerate(days)
    ]


def left_out(messages: list[Meant], rule: PressureRule) -> list[str]:
    found = too_many(messages, rule)
    return [f"{one.day:%m-%d}" for one in messages if one.message_id in found]


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        (Grouping.NONE, ["06-12"]),
        (Grouping.MONTH, ["06-12", "06-30"]),
        (Grouping.QUARTER, ["06-12", "06-22", "06-30"]),
    ],
)
def test_three_messages_in_fifteen_days_as_worked_through_in_the_manual(
    per: Grouping, expected: list[str]
) -> None:
    assert left_out(meant(*DAYS), PressureRule(most=3, days=15, per=per)) == expected


def test_the_heavier_message_is_kept_even_if_it_comes_later() -> None:
    messages = meant("06-01", "06-02", "06-03", weights={2: 5})
    assert left_out(messages, PressureRule(most=1, days=7)) == ["06-01", "06-02"]


def test_no_days_and_a_week_are_the_current_calendar_week_only() -> None:
    sunday_and_monday = meant("06-07", "06-08", "06-09")
    rule = PressureRule(most=1, days=0, per=Grouping.WEEK)
    assert left_out(sunday_and_monday, rule) == ["06-09"]


def test_a_year_counts_from_its_first_day() -> None:
    rule = PressureRule(most=1, days=1, per=Grouping.YEAR)
    assert left_out(meant("01-01", "12-31"), rule) == ["12-31"]


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 3)), max_size=25),
    st.integers(1, 4),
    st.integers(0, 30),
    st.sampled_from(Grouping),
)
def test_no_window_ever_holds_more_than_the_rule_and_nothing_is_left_out_without_need(
    drawn: list[tuple[int, int]], most: int, days: int, per: Grouping
) -> None:
    rule = PressureRule(most, days, per)
    messages = [
        Meant(UUID(int=number), date(2026, 1, 1) + timedelta(days=day), weight)
        for number, (day, weight) in enumerate(drawn)
    ]
    out = too_many(messages, rule)
    kept = [one.day for one in messages if one.message_id not in out]
    for end in kept:
        assert sum(rule.window_start(end) <= day <= end for day in kept) <= most
    for one in messages:
        if one.message_id in out:
            days_with = [*kept, one.day]
            assert any(
                sum(rule.window_start(end) <= day <= end for day in days_with) > most
                for end in days_with
            )
