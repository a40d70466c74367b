"""A mail handed to a server, and what the server said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from shared.mail.outcome import Answer, Outcome
from shared.mail.settings import MailSettings

_ENHANCED: Final = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")
_CUT_OFF: Final = (SMTPException, OSError, TimeoutError)
PERMANENT_FROM: Final = 500


async def send(
    settings: MailSettings,
    *,
    sender: str,
    recipient: str,
    mail: bytes,
    copies: Sequence[str] = (),
) -> Answer:
    """Hand a mail to the server; never raises for what server or network do.

    It is the recipient that must get it: a copy that its server refuses holds up nothing.

    Until the data go out, a failure says that the mail did not leave. After that, only the
    server's answer tells; without one the outcome is ambiguous.
    """
    client = _client(settings)
    try:
        async with asyncio.timeout(settings.smtp_timeout_seconds * 2):
            await client.connect()
            await client.mail(sender)
            await client.rcpt(recipient)
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


def _client(settings: MailSettings) -> SMTP:
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
