"""What an inbound mail says: a failure (RFC 3464, or in own words), a complaint (RFC 5965).

Everything here comes from strangers. Nothing is believed: whoever uses a report compares its tokens
and addresses with what was sent.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses, parseaddr
from enum import StrEnum
from typing import Final
from uuid import UUID

from flufl.bounce import all_failures

from services.delivery.bounces.verp import Sent, tokens_in

READ_BYTES: Final = 128 * 1024
"""Reports come before the message they return; what follows is the reader's own mail."""
MOST_PARTS: Final = 16
"""Each boundary nests a parser: hostile nesting is refused before it costs anything."""
MOST_FAILURES: Final = 20
_MESSAGE_ID: Final = re.compile(r"<([0-9a-f]{32})\.([0-9a-f]{32})@[^<>@\s]{1,255}>", re.IGNORECASE)
_CODES: Final = re.compile(r"\b[45]\d\d\b|\b[45]\.\d{1,3}\.\d{1,3}\b")
_RECIPIENT_HEADERS: Final = (
    *("delivered-to", "x-original-to", "envelope-to", "x-envelope-to"),
    *("to", "original-recipient"),
)
_COMPLAINTS: Final = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})

# It logs every detector it tries, and what it stumbles over with the mail's own text.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)


class Kind(StrEnum):
    """What a mail is, as kept with it."""

    FAILURE = "failure"
    COMPLAINT = "complaint"
    NOTICE = "notice"
    """A delay, a confirmation, somebody's holiday: nothing to count."""
    UNKNOWN = "unknown"
    """Kept for a person."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of one recipient."""

    address: str
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A mail, read.

    Attributes:
        tokens: what looks like tokens of messages, most telling first.
        sent: messages named by the Message-ID that we give; nobody signed these.
    """

    kind: Kind
    told: tuple[Told, ...] = ()
    tokens: tuple[str, ...] = ()
    sent: tuple[Sent, ...] = ()


def read(raw: bytes, recipients: Iterable[str] = ()) -> Report:
    """Return what a mail says, whatever it holds; ``recipients`` are its envelope's."""
    head = raw[:READ_BYTES]
    if head.lower().count(b"boundary=") > MOST_PARTS:
        return Report(Kind.UNREADABLE)
    try:
        return _read(message_from_bytes(head), list(recipients))
    except Exception:  # noqa: BLE001 - what a stranger's mail does to parsers must not stop the others
        return Report(Kind.UNREADABLE)


def _read(mail: Message, recipients: list[str]) -> Report:
    returned = _returned(mail)
    feedback = _part(mail, "message/feedback-report")
    kind, told = _complaint(feedback, returned) if feedback else _failures(mail)
    spoken = [*recipients, *_headers([mail], _RECIPIENT_HEADERS)]
    if feedback:
        spoken += _headers([feedback], ("original-mail-from",))
    spoken += _headers(returned, ("return-path", "x-envelope-from"))
    tokens = dict.fromkeys(token for text in spoken for token in tokens_in(text))
    ids = "\n".join(_headers(returned, ("message-id",)))
    sent = dict.fromkeys(
        Sent(UUID(run_id), UUID(member_id)) for run_id, member_id in _MESSAGE_ID.findall(ids)
    )
    return Report(kind, told[:MOST_FAILURES], tuple(tokens)[:MOST_FAILURES], tuple(sent)[:1])


def _part(mail: Message, kind: str) -> Message | None:
    """Return the fields of a report's part, which the parser takes for a mail of its own."""
    for part in mail.walk():
        if part.get_content_type() == kind:
            return _inner(part) or part
    return None


def _inner(part: Message) -> Message | None:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return None


def _returned(mail: Message) -> list[Message]:
    """Return the headers of the mail that comes back."""
    found = []
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "message/rfc822" and (inner := _inner(part)) is not None:
            found.append(inner)
        elif kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            found.append(message_from_bytes(_bytes(part)))
    return found[:3]


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    inner = _inner(part)
    return inner.as_bytes() if inner is not None else b""


def _headers(mails: Iterable[Message], names: Iterable[str]) -> list[str]:
    return [str(value) for mail in mails for name in names for value in mail.get_all(name, [])]


def _complaint(feedback: Message, returned: list[Message]) -> tuple[Kind, tuple[Told, ...]]:
    kind = str(feedback.get("feedback-type", "")).strip().lower()
    if kind not in _COMPLAINTS:
        return Kind.NOTICE, ()
    named = _headers([feedback], ("original-rcpt-to",)) or _headers(returned, ("to",))
    addresses = dict.fromkeys(address for _, address in getaddresses(named) if "@" in address)
    return Kind.COMPLAINT, tuple(Told(address) for address in addresses) or (Told(""),)


def _failures(mail: Message) -> tuple[Kind, tuple[Told, ...]]:
    blocks = list(_status_blocks(mail))
    if blocks:
        failed = tuple(_told(block) for block in blocks if _failed(block))
        return (Kind.FAILURE, failed) if failed else (Kind.NOTICE, ())
    if str(mail.get("auto-submitted", "")).lower().startswith("auto-replied"):
        return Kind.NOTICE, ()
    delayed, failing = _detected(mail)
    if not failing:
        return (Kind.NOTICE if delayed else Kind.UNKNOWN), ()
    addresses = sorted(address.decode("ascii", "replace") for address in failing)
    return Kind.FAILURE, tuple(_in_words(mail, address) for address in addresses)


def _detected(mail: Message) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the addresses that a mail in a server's own words calls delayed, and failed."""
    try:
        return all_failures(mail)
    except Exception:  # noqa: BLE001 - some detectors fall over what is no bounce, such as no From
        return frozenset(), frozenset()


def _status_blocks(mail: Message) -> Iterator[Message]:
    """Yield a delivery status report's blocks of recipients (RFC 3464, 2.3)."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            for block in part.get_payload():
                if isinstance(block, Message) and ("action" in block or "status" in block):
                    yield block


def _failed(block: Message) -> bool:
    action = str(block.get("action", "")).strip().lower()
    # OpenSMTPD says "error"; a block without an action is judged by its status.
    if action:
        return action.startswith(("fail", "error"))
    return str(block.get("status", "")).strip().startswith("5")


def _told(block: Message) -> Told:
    field = block.get("original-recipient") or block.get("final-recipient") or ""
    address = parseaddr(str(field).rpartition(";")[2].strip())[1]
    text = str(block.get("diagnostic-code", ""))
    # "smtp; 550 …": the type says how to read the code, which the rules find by themselves.
    said = text.partition(";")[2] if ";" in text[:20] else text
    return Told(address, str(block.get("status", "")).strip(), said.strip())


def _in_words(mail: Message, address: str) -> Told:
    """Return what a report in a server's own words says: the lines with a code, or after the name.

    A detector found the address; the sentence that belongs to it stands near it.
    """
    lines = [line.strip() for line in _text(mail).splitlines()]
    coded = next((line for line in lines if _CODES.search(line)), "")
    if coded:
        return Told(address, "", coded)
    named = [i for i, line in enumerate(lines) if address.lower() in line.lower()]
    nearby = " ".join(filter(None, lines[named[0] : named[0] + 4])) if named else ""
    return Told(address, "", nearby)


def _text(mail: Message) -> str:
    for part in mail.walk():
        if part.get_content_maintype() == "text" and not part.is_multipart():
            return _bytes(part).decode("utf-8", "replace")
    return ""
