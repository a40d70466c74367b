"""Cutting what people typed: by whole characters as eyes see them, in either writing direction."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WORDS_CHARS: Final = 300
"""What one label or reason may take of a message, so that the rest has room."""
_BROKEN_END: Final = re.compile(r"(&[a-z]{0,4}|<[^>]*)$")
_MARK: Final = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_JOINER: Final = "\u200d"
_OPEN, _CLOSE = "\u2068", "\u2069"
_OPENING: Final = "\u2066\u2067\u2068"
# Controls, and the marks that turn the direction of all that follows (U+202A to U+202E).
_HARMFUL: Final = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\ud800-\udfff]")


def size(text: str) -> int:
    """Return a text's length in UTF-16 units: an emoji outside the first plane counts twice."""
    return len(text) + sum(1 for sign in text if sign > "\uffff")


def _fitting(text: str, most: int) -> int:
    """Return how many code points fit into ``most`` UTF-16 units."""
    used = 0
    for index, sign in enumerate(text):
        used += 2 if sign > "\uffff" else 1
        if used > most:
            return index
    return len(text)


def _continues(sign: str) -> bool:
    """Whether a code point belongs to the one before it: an accent, a skin tone, a joiner."""
    return (
        sign == _JOINER
        or "\U0001f3fb" <= sign <= "\U0001f3ff"
        or "\U000e0020" <= sign <= "\U000e007f"
        or unicodedata.category(sign) in {"Mn", "Me", "Mc"}
    )


def _is_flag(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def _cut(text: str, most: int) -> str:
    """Return the start of a text, without half of what is one sign to the eye at its end."""
    end = _fitting(text, most)
    while 0 < end < len(text) and (_continues(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    if 0 < end < len(text) and _is_flag(text[end]):
        before = len(text[:end]) - len(text[:end].rstrip("".join(_FLAGS)))
        end -= before % 2
    return text[:end]


_FLAGS: Final = tuple(chr(code) for code in range(0x1F1E6, 0x1F200))


def _open_isolates(text: str) -> int:
    depth = 0
    for sign in text:
        if sign in _OPENING:
            depth += 1
        elif sign == _CLOSE:
            depth = max(0, depth - 1)
    return depth


def _ended(start: str, most: int) -> str:
    """Return a start with its ellipsis, and with the isolates that it opens closed."""
    closing = _CLOSE * _open_isolates(start)
    return _cut(start, most - 1 - len(closing)).rstrip() + "…" + closing


def clip(text: str, most: int) -> str:
    """Return the text, cut to ``most`` UTF-16 units with … where it is longer."""
    return text if size(text) <= most else _ended(_cut(text, most - 1), most)


def clip_marked(text: str, most: int) -> str:
    """Cut mrkdwn without leaving half an entity or half a mention at the end."""
    if size(text) <= most:
        return text
    start = _cut(text, most - 1 - _open_isolates(_cut(text, most - 1)))
    return _ended(_BROKEN_END.sub("", start), most)


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in text)


def typed(text: str, most: int = WORDS_CHARS) -> str:
    """Return somebody's text for a sentence of ours: one line, cut, its direction kept to itself.

    A right-to-left name is isolated (Unicode UAX 9), so that it does not turn the words after it;
    marks that would turn them on purpose are dropped.
    """
    line = " ".join(_HARMFUL.sub("", text).split())
    if _open_isolates(line) or line.count(_CLOSE):
        line = re.sub("[\u2066-\u2069]", "", line)
    if not _is_right_to_left(line):
        return clip(line, most)
    return f"{_OPEN}{clip(line, most - 2)}{_CLOSE}"


def esc(text: str, most: int = WORDS_CHARS) -> str:
    """Return somebody's text for mrkdwn: as :func:`typed`, ``&``, ``<`` and ``>`` escaped."""
    return typed(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read_marked(text: str) -> str:
    """Return what a message's mrkdwn says, as its reader sees it: no marks of links or people."""
    shown = _MARK.sub(lambda mark: mark[2] or mark[1].lstrip("@#!"), text)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(entity, sign)
    return _HARMFUL.sub("", shown).strip()
