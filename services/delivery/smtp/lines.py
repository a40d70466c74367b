"""A message's lines on the wire: CRLF only, none too long, dots doubled (RFC 5321, 4.5.2)."""

from __future__ import annotations

import re
from typing import Final

from services.delivery.domain.runs import Reason
from services.delivery.smtp.mails import Unsendable

LINE_OCTETS: Final = 998
"""Of a line without its CRLF (RFC 5322 section 2.1.1)."""
END: Final = b".\r\n"
_WINDOW: Final = LINE_OCTETS + 2
_DOTTED: Final = re.compile(rb"\n\.")


def checked(content: bytes) -> None:
    """Refuse a content that servers read in different ways.

    A bare CR or LF is refused and not mended: between servers that disagree on it a second mail
    can be smuggled, and mending would break a signature.

    Raises:
        Unsendable: for a bare CR or LF, a NUL, or a line over 998 octets.
    """
    # One octet at a time: looking for two is five times as long.
    if content.replace(b"\r", b"").replace(b"\n", b"\r\n") != content:
        raise Unsendable(f"{Reason.UNSENDABLE}: a line ends in a bare CR or LF")
    if b"\0" in content:
        raise Unsendable(f"{Reason.UNSENDABLE}: it holds a NUL")
    start, size = 0, len(content)
    # From window to window, not line by line: a twentieth of the steps.
    while size - start > LINE_OCTETS:
        end = content.rfind(b"\n", start, start + _WINDOW)
        if end < 0:
            raise Unsendable(f"{Reason.UNSENDABLE}: a line is over {LINE_OCTETS} octets long")
        start = end + 1


def stuffed(content: bytes) -> bytes:
    """Return a checked content as it goes after the 354: dots doubled, the lone dot at its end."""
    if _DOTTED.search(content):
        content = content.replace(b"\n.", b"\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content + (END if content.endswith(b"\r\n") or not content else b"\r\n" + END)
