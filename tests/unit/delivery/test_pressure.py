"""Windows of pressure rules: which campaigns count against another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

from services.delivery.domain.pressure import Other, Rule, windows
from shared.pressure import Grouping

TODAY = date(2026, 6, 10)
RULE = Rule(UUID(int=1), "One a week", None, most=1, days=7, per=Grouping.NONE, planned=True)


def other(number: int, day: int, weight: int = 5, *, planned: bool = False) -> Other:
    return Other(UUID(int=number), date(2026, 6, day), planned, weight)


def counted(rule: Rule, *others: Other) -> list[list[int]]:
    """Return the numbers of the campaigns in each window of a message of today."""
    found = windows([rule], others, day=TODAY, weight=5)
    return [[one.source.int for one in window.others] for window in found]


def test_what_left_within_the_days_counts_whatever_its_weight() -> None:
    assert counted(RULE, other(1, 3), other(2, 4, weight=0), other(3, 10)) == [[2, 3]]


def test_a_window_that_cannot_be_full_is_left_out() -> None:
    assert counted(replace(RULE, most=2), other(1, 9)) == []


def test_plans_count_where_they_are_heavier_or_earlier_and_the_rule_says_so() -> None:
    plans = [other(1, 12, 6, planned=True), other(2, 12, planned=True), other(3, 9, planned=True)]
    assert counted(RULE, *plans) == [[3], [1, 3]]
    assert counted(replace(RULE, planned=False), *plans) == []


def test_a_window_ends_with_each_plan_that_today_falls_into() -> None:
    plans = [other(day, day, 6, planned=True) for day in (11, 16, 17)]
    assert counted(RULE, other(1, 5), *plans) == [[1], [1, 11], [11, 16]]


def test_every_rule_has_windows_of_its_own() -> None:
    rules = [RULE, replace(RULE, most=2, days=30)]
    others = [other(1, 9), other(2, 1)]
    found = [(one.most, len(one.others)) for one in windows(rules, others, day=TODAY, weight=5)]
    assert found == [(1, 1), (2, 2)]
