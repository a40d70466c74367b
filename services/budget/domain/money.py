"""Amounts of money: minor units, rounding, and how they read in a sentence."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
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


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in major units as minor units, rounded half up."""
    return int(amount.scaleb(digits(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def in_words(amount_minor: int, currency: str) -> str:
    """Return an amount as people read it: ``1,234.50 EUR``."""
    places = digits(currency)
    return f"{Decimal(amount_minor).scaleb(-places):,.{places}f} {currency}"
