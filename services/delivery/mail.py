"""A rendered message as the bytes that go to the server. Nothing else makes MIME."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from services.delivery.content.attached import BOUNDARY as MIXED_BOUNDARY
from services.delivery.content.header_text import mailbox, unstructured
from services.delivery.content.quoted_printable import encoded
from services.delivery.links import ListUnsubscribe
from services.delivery.rendering import Rendered

_ADDRESS: Final = re.compile(
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$"
)


# Quoted-printable holds no bare "=", so this cannot stand inside a part.
_BOUNDARY: Final = "=_muster_alternative"


def _type(kind: str) -> str:
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def _part_head(kind: str) -> str:
    return f"--{_BOUNDARY}\r\n{_type(kind)}"


_VERSION: Final = b"MIME-Version: 1.0\r\n"
_MIXED: Final = (
    f'Content-Type: multipart/mixed; boundary="{MIXED_BOUNDARY}"\r\n\r\n--{MIXED_BOUNDARY}\r\n'
).encode()
_BEFORE_TEXT: Final = (
    f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n\r\n{_part_head("plain")}'
).encode()
_BEFORE_TEXT_ALONE: Final = _type("plain").encode()
_BEFORE_HTML: Final = f"\r\n{_part_head('html')}".encode()
_END: Final = f"\r\n--{_BOUNDARY}--\r\n".encode()


def is_address(address: str) -> bool:
    """Whether mail can be sent to it: one mailbox, in ASCII, with nothing around it."""
    local = address.partition("@")[0]
    plain = ".." not in local and not local.startswith(".") and not local.endswith(".")
    return len(address) <= 254 and plain and bool(_ADDRESS.match(address))


def message_id(run_id: UUID, member_id: UUID, from_address: str) -> str:
    """Return the Message-ID of a ledger row: the same whenever the row is sent."""
    return f"<{run_id.hex}.{member_id.hex}@{from_address.rpartition('@')[2]}>"


@dataclass(frozen=True, slots=True)
class Parts:
    """A recipient's message, its bodies in quoted-printable; HTML is empty for who reads text."""

    subject: str
    text: bytes
    html: bytes


def parts_of(rendered: Rendered) -> Parts:
    """Return a rendered message's parts."""
    return Parts(rendered.subject, encoded(rendered.text), encoded(rendered.html))


@dataclass(frozen=True, slots=True)
class Envelope:
    """What differs from mail to mail beside its parts."""

    to: str
    message_id: str
    unsubscribe: ListUnsubscribe
    at: datetime


class Writer:
    """Writes mails of one content: bytes with CRLF line ends, a text and mostly an HTML part.

    Written out here because the standard library's message objects parse every header they are
    given: 2 ms a mail, a hundred times as long as all the rest of it.
    """

    def __init__(self, from_name: str, from_address: str, *, attached: bytes = b"") -> None:
        self._from = f"From: {mailbox('From', from_name, from_address)}\r\n"
        before = _VERSION + (_MIXED if attached else b"")
        self._before_text = before + _BEFORE_TEXT
        self._before_text_alone = before + _BEFORE_TEXT_ALONE
        self._end = _END + attached
        self._end_alone = attached or b"\r\n"

    def write(self, parts: Parts, envelope: Envelope) -> bytes:
        """Return a mail."""
        head = (
            f"{self._from}To: {envelope.to}\r\n"
            f"Subject: {unstructured('Subject', parts.subject)}\r\n"
            f"Date: {_date(envelope.at.replace(microsecond=0))}\r\n"
            f"Message-ID: {envelope.message_id}\r\n"
            f"{_unsubscribe(envelope.unsubscribe)}"
        )
        if not parts.html:
            start = head.encode("ascii") + self._before_text_alone
            return b"".join((start, parts.text, self._end_alone))
        start = head.encode("ascii") + self._before_text
        return b"".join((start, parts.text, _BEFORE_HTML, parts.html, self._end))


@lru_cache(maxsize=4)
def _date(at: datetime) -> str:
    return format_datetime(at)


def _unsubscribe(unsubscribe: ListUnsubscribe) -> str:
    if not unsubscribe.header:
        return ""
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if unsubscribe.one_click else ""
    return f"List-Unsubscribe: {unsubscribe.header}\r\n{post}"
