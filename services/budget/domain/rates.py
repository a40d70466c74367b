"""Amounts in another currency, at the rate of a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from services.budget.domain.money import digits, half_up


@dataclass(frozen=True, slots=True)
class Rate:
    """How many ``quote`` one ``base`` is, from a date on."""

    base: str
    quote: str
    valid_from: date
    rate: Decimal


def rate_on(rates: Iterable[Rate], base: str, quote: str, on: date) -> Fraction | None:
    """Return how many ``quote`` one ``base`` is on a day, exactly; ``None`` when nobody said.

    The latest rate that is valid counts; where none is given for the pair, that of the pair the
    other way round. Nothing is computed over a third currency.
    """
    if base == quote:
        return Fraction(1)
    valid = sorted((one for one in rates if one.valid_from <= on), key=lambda one: one.valid_from)
    for one in reversed(valid):
        if (one.base, one.quote) == (base, quote):
            return Fraction(one.rate)
    for one in reversed(valid):
        if (one.base, one.quote) == (quote, base):
            return 1 / Fraction(one.rate)
    return None


def converted(amount_minor: int, base: str, quote: str, rate: Fraction) -> int:
    """Return an amount of minor units in another currency's, rounded half up once."""
    scale = Fraction(10) ** (digits(quote) - digits(base))
    return half_up(amount_minor * rate * scale)
