"""Quoted-printable (RFC 2045, 6.7): whole texts, and texts in pieces with room for values.

A piece ends in a soft line break, and so does every value: no line gets longer than 76 octets
whatever is placed, and decoding gives the text without the breaks.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from typing import Final

from services.delivery.content.placing import Pieces, Value

SOFT_BREAK: Final = b"=\r\n"
_ROOM: Final = 75
_UNCOUNTED: Final = re.compile(rb"^(.{74,})(=20|=09)$", re.MULTILINE)


def encoded(text: str) -> bytes:
    """Return a text with CRLF line ends, and one more at its end."""
    return _encoded(text.replace("\r\n", "\n").replace("\r", "\n") + "\n")


def encoded_value(text: str) -> bytes:
    """Return a value to stand between encoded pieces; it holds no carriage return."""
    if not text:
        return b""
    if text.isascii() and text.isprintable() and "=" not in text:
        raw = text.encode()
        if len(raw) <= _ROOM:
            return raw + SOFT_BREAK
        # A signed link, mostly: it is cut where the line is full.
        return SOFT_BREAK.join([*(raw[i : i + _ROOM] for i in range(0, len(raw), _ROOM)), b""])
    return _open(_encoded(text))


def encoded_pieces(pieces: Pieces) -> tuple[bytes | Value, ...]:
    """Return the pieces of a text, encoded; joined with encoded values they are its encoding."""
    found: list[bytes | Value] = []
    for i, piece in enumerate(pieces):
        if isinstance(piece, Value):
            found.append(piece)
        elif i + 1 == len(pieces):
            found.append(encoded(piece))
        else:
            found.append(_open(_encoded(piece)))
    if not pieces or isinstance(pieces[-1], Value):
        found.append(b"\r\n")
    return tuple(found)


def _encoded(text: str) -> bytes:
    body = b2a_qp(text.encode(), istext=True)
    if b"=20\n" in body or b"=09\n" in body:
        # binascii writes the space before a line end as three characters without counting them.
        body = _UNCOUNTED.sub(rb"\1=\n\2", body)
    return body.replace(b"\n", b"\r\n")


def _open(body: bytes) -> bytes:
    """Return encoded text whose last line goes on after it."""
    if body.endswith(b"\n"):
        return body
    if len(body) - body.rfind(b"\n") - 1 <= _ROOM:
        return body + SOFT_BREAK
    # The line is full without the sign that it goes on: its last character moves on.
    last = len(body) - (3 if body[-3:-2] == b"=" else 1)
    return body[:last] + SOFT_BREAK + body[last:] + SOFT_BREAK
