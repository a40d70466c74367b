"""Phone numbers as they are compared and dialled: E.164, such as ``+33612345678``."""

from __future__ import annotations

import re
from typing import Final

_FILLING: Final = re.compile(r"[ ().\-]")
_E164: Final = re.compile(r"\+[1-9][0-9]{7,14}")


def e164(text: str) -> str | None:
    """Return a number with its country code in E.164; ``None`` when it is none.

    The code follows ``+`` or ``00``. A number without one is not guessed at: it would reach
    somebody else in another country.
    """
    digits = _FILLING.sub("", text.strip().replace("(0)", ""))
    number = "+" + digits[2:] if digits.startswith("00") else digits
    return number if _E164.fullmatch(number) else None


def reached_by(text: str) -> tuple[str, str]:
    """Return the channel and the address that somebody types: of a number SMS, else of e-mail."""
    number = e164(text)
    return ("sms", number) if number else ("email", text)
