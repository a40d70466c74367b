"""Amounts in another currency: the rate of a day, exact until it is rounded once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.budget.domain.rates import Rate, converted, rate_on

RATES = (
    Rate("EUR", "USD", date(2026, 1, 1), Decimal("1.10")),
    Rate("EUR", "USD", date(2026, 3, 1), Decimal("1.20")),
    Rate("JPY", "EUR", date(2026, 1, 1), Decimal("0.00625")),
)


@pytest.mark.parametrize(
    ("base", "quote", "on", "rate"),
    [
        ("EUR", "EUR", date(2020, 1, 1), Fraction(1)),
        ("EUR", "USD", date(2025, 12, 31), None),
        ("EUR", "USD", date(2026, 1, 1), Fraction(11, 10)),
        ("EUR", "USD", date(2026, 2, 28), Fraction(11, 10)),
        ("EUR", "USD", date(2026, 3, 1), Fraction(12, 10)),
        ("USD", "EUR", date(2026, 3, 1), Fraction(10, 12)),
        ("EUR", "JPY", date(2026, 3, 1), Fraction(160)),
        ("JPY", "USD", date(2026, 3, 1), None),
    ],
    ids=[
        "same currency",
        "before the first",
        "on its first day",
        "until the next",
        "the next",
        "the other way round",
        "exactly inverted",
        "never over a third",
    ],
)
def test_the_latest_rate_that_is_valid_on_a_day_counts(
    base: str, quote: str, on: date, rate: Fraction | None
) -> None:
    assert rate_on(RATES, base, quote, on) == rate


def test_a_rate_of_the_pair_itself_beats_a_later_one_of_the_other_way_round() -> None:
    both = (*RATES, Rate("USD", "EUR", date(2026, 4, 1), Decimal("0.5")))
    assert rate_on(both, "EUR", "USD", date(2026, 5, 1)) == Fraction(12, 10)


@pytest.mark.parametrize(
    ("minor", "base", "quote", "rate", "expected"),
    [
        (10_000, "EUR", "USD", Fraction(11, 10), 11_000),
        (1, "EUR", "USD", Fraction(1, 2), 1),
        (10_000, "EUR", "JPY", Fraction(160), 16_000),
        (16_000, "JPY", "EUR", Fraction(1, 160), 10_000),
        (1000, "KWD", "EUR", Fraction(3), 300),
    ],
    ids=["same digits", "half up", "to no digits", "and back", "from three digits"],
)
def test_minor_units_are_converted_with_their_digits(
    minor: int, base: str, quote: str, rate: Fraction, expected: int
) -> None:
    assert converted(minor, base, quote, rate) == expected


@given(
    minor=st.integers(min_value=0, max_value=10**15),
    rate=st.decimals(min_value=Decimal("0.00000001"), max_value=1000, places=8),
)
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(minor: int, rate: Decimal) -> None:
    exact = Fraction(rate) * minor
    assert abs(converted(minor, "EUR", "USD", Fraction(rate)) - exact) <= Fraction(1, 2)
