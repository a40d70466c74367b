"""The mail to a router, made as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from uuid import UUID

from services.supplier.wording import Notice, body, subject


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail; ``media_type`` as HTTP writes it."""

    name: str
    media_type: str
    content: bytes


Attachments = Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to a router."""

    file_id: UUID
    sender: str
    router: str
    copies: Sequence[str]
    language: str
    notice: Notice
    attached: Attachments
    at: datetime


def build(letter: Letter) -> bytes:
    """Return the mail with its files attached; its Message-ID is the same whenever it is sent."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = Address("Muster", addr_spec=letter.sender)
    mail["To"] = Address(addr_spec=letter.router)
    if letter.copies:
        mail["Cc"] = [Address(addr_spec=one) for one in letter.copies]
    mail["Subject"] = subject(letter.notice, letter.language)
    mail["Date"] = format_datetime(letter.at)
    mail["Message-ID"] = f"<{letter.file_id.hex}@{letter.sender.rpartition('@')[2]}>"
    mail["Content-Language"] = letter.language
    mail.set_content(body(letter.notice, letter.language))
    for one in letter.attached:
        kind, _, charset = one.media_type.partition("; charset=")
        maintype, _, subtype = kind.partition("/")
        mail.add_attachment(
            one.content,
            maintype=maintype,
            subtype=subtype,
            filename=one.name,
            params={"charset": charset} if charset else None,
        )
    return mail.as_bytes()
