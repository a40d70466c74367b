"""Text in headers: folded at spaces when it is plain ASCII, else in encoded words (RFC 2047)."""

from __future__ import annotations

from base64 import b64encode
from email.utils import formataddr
from typing import Final

LINE: Final = 78
"""Octets a header line should not pass (RFC 5322, 2.1.1)."""
_WORD_BYTES: Final = 45
"""Octets in an encoded word: 60 in base64, and 12 around them; 75 is the limit."""
_HEAD, _TAIL = "=?utf-8?b?", "?="


def unstructured(name: str, text: str) -> str:
    """Return what stands after the colon of a header such as Subject, folded."""
    room = LINE - len(name) - 2
    if text.isascii() and text.isprintable() and "=?" not in text:
        if len(text) <= room:
            return text
        folded = _folded(text, room)
        if folded is not None:
            return folded
    return _words(text, first_room=room)


def mailbox(header: str, name: str, address: str) -> str:
    """Return a name and an address; the address on a line of its own when both are long."""
    if name.isascii() and "=?" not in name:
        whole = formataddr((name, address))
        if len(header) + 2 + len(whole) <= LINE or not name:
            return whole
        shown = whole[: -len(address) - 3]
    else:
        shown = _words(name, first_room=LINE - len(header) - 2)
        if "\r\n" not in shown and len(header) + len(shown) + len(address) + 5 <= LINE:
            return f"{shown} <{address}>"
    return f"{shown}\r\n <{address}>"


def _folded(text: str, room: int) -> str | None:
    """Return a text folded before spaces; ``None`` when a line would pass the limit."""
    lines, start = [], 0
    while len(text) - start > room:
        cut = text.rfind(" ", start + 1, start + room + 1)
        # A line of spaces alone would be lost where mails are unfolded.
        if cut < 0 or not text[start:cut].strip():
            return None
        lines.append(text[start:cut])
        start, room = cut, LINE
    if not text[start:].strip():
        return None
    return "\r\n".join([*lines, text[start:]])


def _words(text: str, *, first_room: int) -> str:
    """Return encoded words, one a line; no character is torn in two."""
    raw = text.encode()
    size = min(_WORD_BYTES, (first_room - len(_HEAD) - len(_TAIL)) // 4 * 3)
    words, start = [], 0
    while start < len(raw):
        end = min(start + size, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"{_HEAD}{b64encode(raw[start:end]).decode()}{_TAIL}")
        start, size = end, _WORD_BYTES
    return "\r\n ".join(words)
