"""An array of JSON taken apart by its brackets alone, whatever its items are.

For a body that no reader takes as a whole: nested too deep, half a surrogate, no number. Such an
item is its own sender's trouble, and not that of the items beside it.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

# A text without an end is one up to the body's: each byte is looked at once.
_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[][{},]', re.DOTALL)
MOST_MARKS: Final = 1_000_000
"""Looked at in under a second; a body with more of them is given up."""
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")
_COMMA: Final = ord(",")


def apart(body: bytes) -> list[bytes] | None:
    """Return the items of an array as they are written; ``None`` when it is none, or too much."""
    text = body.strip()
    if not text.startswith(b"["):
        return None
    found: list[bytes] = []
    depth, begins = 0, 1
    for mark in islice(_MARK.finditer(text), MOST_MARKS):
        kind = text[mark.start()]
        if kind in _OPENING:
            depth += 1
        elif kind in _CLOSING:
            depth -= 1
        if (kind == _COMMA and depth == 1) or depth == 0:
            found.append(text[begins : mark.start()].strip())
            begins = mark.end()
        if depth == 0:
            return found if begins == len(text) and all(found) else None
    return None
