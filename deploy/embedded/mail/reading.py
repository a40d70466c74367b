"""A kept mail as a person or a test reads it: decoded headers, texts, attachments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from deploy.embedded.mail.store import StoredMail

_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of a mail: a text, an attachment or an inline picture."""

    index: int
    content_type: str
    filename: str | None
    content_id: str | None
    is_attachment: bool
    content: bytes


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A mail, decoded. A body it does not have is None."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    parts: tuple[Part, ...]

    @property
    def attachments(self) -> tuple[Part, ...]:
        """The parts a reader would save."""
        return tuple(part for part in self.parts if part.is_attachment)


def _parse(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def headers_of(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the decoded headers in their order; the body is not looked at."""
    end = _HEADER_END.search(raw)
    return _headers(_parse(raw[: end.end()] if end else raw))


def _headers(message: EmailMessage) -> tuple[tuple[str, str], ...]:
    # Reading a header parses it, and a sender may write anything: such a one is shown as it came.
    found = []
    for name, source in message.raw_items():
        try:
            found.append((name, str(policy.default.header_fetch_parse(name, str(source)))))
        except (ValueError, IndexError, AttributeError, LookupError):
            found.append((name, str(source)))
    return tuple(found)


def header(headers: tuple[tuple[str, str], ...], name: str) -> str:
    """Return the first header of that name, empty when there is none."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), "")


def read(mail: StoredMail) -> ReadMail:
    """Return the mail decoded; what cannot be decoded is replaced, never refused."""
    message = _parse(mail.raw)
    parts = tuple(_parts(message))
    return ReadMail(
        headers=_headers(message),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        parts=parts,
    )


def _body(message: EmailMessage, subtype: str) -> str | None:
    try:
        part = message.get_body(preferencelist=(subtype,))
    except (AttributeError, KeyError, ValueError):
        return None
    return _decoded(cast("EmailMessage", part)) if part is not None else None


def _decoded(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    octets = content if isinstance(content, bytes) else b""
    try:
        return octets.decode(charset, "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")


def _parts(message: EmailMessage) -> Iterator[Part]:
    leaves = (part for part in message.walk() if not part.is_multipart())
    for index, leaf in enumerate(leaves):
        content = leaf.get_payload(decode=True)
        content_id = leaf.get("Content-ID")
        filename = leaf.get_filename()
        is_text = leaf.get_content_maintype() == "text"
        attached = leaf.get_content_disposition() == "attachment"
        yield Part(
            index=index,
            content_type=leaf.get_content_type(),
            filename=filename,
            content_id=str(content_id).strip("<> ") if content_id else None,
            is_attachment=attached or filename is not None or not (is_text or content_id),
            content=content if isinstance(content, bytes) else b"",
        )
