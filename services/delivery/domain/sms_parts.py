"""How many parts an SMS takes (3GPP TS 23.038 for the alphabets, TS 23.040 for the parts).

One of up to 160 characters of the GSM alphabet, or 70 of UCS-2, is one part. A longer one is cut,
and its parts hold 153 and 67, as each begins with a header by which the phone joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Two septets each, an escape and a character, which are never parted."""
GSM_SINGLE: Final = 160
GSM_PART: Final = 153
UCS2_SINGLE: Final = 70
UCS2_PART: Final = 67


def is_gsm(text: str) -> bool:
    """Whether a text is written in the GSM alphabet alone."""
    return all(one in _BASIC or one in _EXTENDED for one in text)


def parts_of(text: str) -> int:
    """Return how many parts a text takes; 0 for none."""
    if is_gsm(text):
        return _parts([2 if one in _EXTENDED else 1 for one in text], GSM_SINGLE, GSM_PART)
    # A character outside the basic plane is two units of UTF-16, which are never parted either.
    return _parts([2 if ord(one) > 0xFFFF else 1 for one in text], UCS2_SINGLE, UCS2_PART)


def _parts(sizes: Sequence[int], single: int, part: int) -> int:
    if sum(sizes) <= single:
        return 1 if sizes else 0
    return _packed(sizes, part)


def _packed(sizes: Iterable[int], part: int) -> int:
    number, filled = 1, 0
    for size in sizes:
        if filled + size > part:
            number, filled = number + 1, 0
        filled += size
    return number
