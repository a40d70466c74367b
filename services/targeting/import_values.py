"""What a value of a CSV column may be, and what becomes of it; fast, for a million rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from shared.ids import normalise_email

Check = Callable[[str], object]
"""Takes a trimmed value and returns what is stored; ``ValueError`` says what would be right."""

_EMAIL: Final = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL_MAX: Final = 254
_LOCAL_MAX: Final = 64


def text(longest: int, *, required: bool = False) -> Check:
    """Return the check of a text of at most ``longest`` characters."""

    def check(value: str) -> str:
        if len(value) > longest:
            raise ValueError(f"is {len(value)} characters long; {longest} at most")
        if required and not value:
            raise ValueError("is empty")
        return value

    return check


def number(lowest: int, highest: int) -> Check:
    """Return the check of a whole number or nothing."""

    def check(value: str) -> int | None:
        if not value:
            return None
        if not _WHOLE.fullmatch(value):
            raise ValueError("is no whole number")
        found = int(value)
        if not lowest <= found <= highest:
            raise ValueError(f"is not between {lowest} and {highest}")
        return found

    return check


def day(value: str) -> date | None:
    """Return an ISO date or nothing."""
    if not value:
        return None
    try:
        return date.fromisoformat(value if _DAY.fullmatch(value) else "")
    except ValueError:
        raise ValueError("is no date such as 2027-01-31") from None


def letters(count: int, example: str, *, upper: bool) -> Check:
    """Return the check of a code of ``count`` letters, such as a language, or nothing."""
    pattern = re.compile(f"[A-Za-z]{{{count}}}")

    def check(value: str) -> str:
        if value and not pattern.fullmatch(value):
            raise ValueError(f"is no code of {count} letters such as {example}")
        return value.upper() if upper else value.lower()

    return check


def language(value: str) -> str:
    """Return a language of two letters; nothing means English."""
    return str(_language(value)) or "en"


_language: Final = letters(2, "fr", upper=False)


def email(value: str) -> str | None:
    """Return a normalised address that a mail server may take, or nothing."""
    if not value:
        return None
    if len(value) > _EMAIL_MAX:
        raise ValueError(f"is {len(value)} characters long; an address has {_EMAIL_MAX} at most")
    address = normalise_email(value)
    if not _EMAIL.fullmatch(address) or address.index("@") > _LOCAL_MAX:
        raise ValueError("is no e-mail address such as name@company.example")
    return address


def consent(value: str) -> str:
    """Return yes, no or nothing."""
    found = value.lower()
    if found not in {"yes", "no", ""}:
        raise ValueError("is not yes, no or empty")
    return found
