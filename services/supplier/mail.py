"""The mail to a router: made as bytes, handed to a server, and what the server said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final
from uuid import UUID

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.supplier.domain.jobs import Outcome
from services.supplier.settings import SupplierSettings
from services.supplier.wording import Notice, body, subject

_ENHANCED: Final = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")
_CUT_OFF: Final = (SMTPException, OSError, TimeoutError)
PERMANENT_FROM: Final = 500


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail; ``media_type`` as HTTP writes it."""

    name: str
    media_type: str
    content: bytes


Attachments = Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a mail; ``text`` is the server's code, never its words: they may hold data."""

    outcome: Outcome
    text: str = ""


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


async def send(
    settings: SupplierSettings,
    *,
    sender: str,
    router: str,
    mail: bytes,
    copies: Sequence[str] = (),
) -> Answer:
    """Hand a mail to the server; never raises for what server or network do.

    It is the router that must get it: a copy that its server refuses holds up nothing.

    Until the data go out, a failure says that the mail did not leave. After that, only the
    server's answer tells; without one the outcome is ambiguous.
    """
    client = _client(settings)
    try:
        async with asyncio.timeout(settings.smtp_timeout_seconds * 2):
            await client.connect()
            await client.mail(sender)
            await client.rcpt(router)
            for copy in copies:
                with suppress(SMTPResponseException):
                    await client.rcpt(copy)
    except _CUT_OFF as problem:
        client.close()
        return _refused(problem)
    try:
        async with asyncio.timeout(settings.smtp_timeout_seconds * 2):
            response = await client.data(mail)
    except SMTPResponseException as problem:
        client.close()
        return _refused(problem)
    except _CUT_OFF:
        client.close()
        return Answer(Outcome.AMBIGUOUS)
    await _leave(client)
    return Answer(Outcome.ACCEPTED, _code(response.code, response.message))


def _client(settings: SupplierSettings) -> SMTP:
    password = settings.smtp_password
    return SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        timeout=settings.smtp_timeout_seconds,
        local_hostname="localhost" if settings.smtp_host.startswith("127.") else None,
    )


def _refused(problem: BaseException) -> Answer:
    if not isinstance(problem, SMTPResponseException):
        return Answer(Outcome.DEFERRED, "the server could not be reached")
    outcome = Outcome.REFUSED if problem.code >= PERMANENT_FROM else Outcome.DEFERRED
    return Answer(outcome, _code(problem.code, problem.message))


def _code(code: int, message: str) -> str:
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[1]}" if enhanced else str(code)


async def _leave(client: SMTP) -> None:
    try:
        await client.quit()
    except _CUT_OFF:
        client.close()
