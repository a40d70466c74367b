"""A server's replies out of its bytes, and what it says it can do (RFC 5321, 4.2 and 4.1.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

LINE_OCTETS: Final = 2_048
"""RFC 5321 allows 512; servers with long words are common, endless lines are an attack."""
REPLY_LINES: Final = 200
CLOSING: Final = 421
_ENHANCED: Final = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_CODES: Final = {b"%d" % code: code for code in range(200, 600)}


class ProtocolViolation(Exception):
    """The server said what no server may say here; the connection is of no more use."""


class Reply(NamedTuple):
    """One reply: its code, and its lines without code."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The code with the enhanced code of RFC 3463, such as ``550 5.1.1``."""
        enhanced = _ENHANCED.match(self.lines[0])
        return f"{self.code} {enhanced[1].decode()}" if enhanced else str(self.code)


class ReplyParser:
    """Cuts a stream into replies, however it arrives in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether a part of a reply has come."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yield the replies that are complete now; consume all of them before the next call.

        Raises:
            ProtocolViolation: after the replies that came before it.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            reply = self._line(line.removesuffix(b"\r"))
            if reply is not None:
                yield reply
        # One more: the end of the line may be under way.
        if len(self._rest) > LINE_OCTETS + 1:
            raise ProtocolViolation("a reply's line is too long")

    def _line(self, line: bytes) -> Reply | None:
        code, mark = _CODES.get(line[:3], 0), line[3:4]
        if len(line) > LINE_OCTETS or not code or mark not in b" -":
            raise ProtocolViolation("what came is no reply")
        if self._lines and code != self._code:
            raise ProtocolViolation("a reply's lines differ in their code")
        if mark != b"-" and not self._lines:
            return Reply(code, (line[4:],))
        self._code = code
        self._lines.append(line[4:])
        if mark != b"-":
            reply = Reply(code, tuple(self._lines))
            self._lines = []
            return reply
        if len(self._lines) >= REPLY_LINES:
            raise ProtocolViolation("a reply has too many lines")
        return None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers in its answer to EHLO.

    Attributes:
        size: the largest message it takes, in octets; 0 when it states no limit.
        sizes: whether it wants to know a message's size beforehand (RFC 1870).
        mechanisms: of AUTH, in upper case.
    """

    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    starttls: bool = False
    sizes: bool = False
    size: int = 0
    mechanisms: frozenset[str] = frozenset()


def capabilities(reply: Reply) -> Capabilities:
    """Return what the answer to EHLO offers; what is unknown or misspelt counts as not offered."""
    offers: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # Old servers write AUTH=LOGIN.
        words = line.decode("ascii", "replace").upper().replace("=", " ").split()
        if words:
            offers.setdefault(words[0], []).extend(words[1:])
    size = offers.get("SIZE", [])
    limit = size[0] if size and size[0].isascii() and size[0].isdigit() else "0"
    return Capabilities(
        pipelining="PIPELINING" in offers,
        eight_bit="8BITMIME" in offers,
        utf8="SMTPUTF8" in offers,
        starttls="STARTTLS" in offers,
        sizes="SIZE" in offers,
        size=int(limit[:20]),
        mechanisms=frozenset(offers.get("AUTH", [])),
    )
