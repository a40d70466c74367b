"""Amounts of money: minor units, rounding, and how they read in a sentence.

Prices are decimals, amounts are integers of minor units, and what lies between is a fraction: an
amount is exact until it is rounded, half up, once a line.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Final

# ISO 4217, column "minor unit"; every other currency has two digits.
_NO_DIGITS: Final = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THREE_DIGITS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def digits(currency: str) -> int:
    """Return how many digits the minor unit of a currency has (2 for EUR, 0 for JPY)."""
    if currency in _NO_DIGITS:
        return 0
    return 3 if currency in _THREE_DIGITS else 2


def half_up(amount: Fraction) -> int:
    """Return the nearest integer; of two as near, the one further from zero."""
    rounded = floor(abs(amount) + Fraction(1, 2))
    return rounded if amount >= 0 else -rounded


def to_minor(amount: Decimal | Fraction, currency: str) -> int:
    """Return an amount in major units as minor units, rounded half up."""
    return half_up(Fraction(amount) * 10 ** digits(currency))


def in_words(amount_minor: int, currency: str) -> str:
    """Return an amount as people read it: ``1,234.50 EUR``."""
    places = digits(currency)
    return f"{Decimal(amount_minor).scaleb(-places):,.{places}f} {currency}"
