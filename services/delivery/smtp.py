"""One connection to the SMTP relay, reused from message to message."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.delivery.domain.runs import Reason, Verdict, verdict_of
from services.delivery.settings import DeliverySettings

IDLE_SECONDS: Final = 20.0
"""Servers close a silent connection after a while: an older one is asked before it is used."""
CONNECT_SECONDS: Final = 5.0
_ENHANCED: Final = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")
CANNOT_CONNECT: Final = (SMTPException, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one message. ``code`` is the server's, such as ``550 5.1.1``, without its text.

    The text may repeat the recipient's address.
    """

    verdict: Verdict
    code: str = ""

    @property
    def reason(self) -> str:
        """Why, in the ledger's words."""
        return Reason.REFUSED_BY_SERVER.value if self.code else ""


class Connection:
    """A connection to the relay; each is used by one task."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._client: SMTP | None = None
        self._used_at = 0.0

    async def ensure(self) -> None:
        """Be connected.

        Raises:
            BaseException: one of ``CANNOT_CONNECT``.
        """
        if self._client is not None and self._client.is_connected:
            if time.monotonic() - self._used_at < IDLE_SECONDS:
                return
            try:
                await self._client.noop()
            except CANNOT_CONNECT:
                self.drop()
            else:
                self._used_at = time.monotonic()
                return
        await self._connect()

    async def _connect(self) -> None:
        settings = self._settings
        password = settings.smtp_password
        client = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=settings.smtp_timeout_seconds,
            local_hostname="localhost" if settings.smtp_host.startswith("127.") else None,
        )
        # A stop waits for this: a server that is there answers sooner.
        await client.connect(timeout=min(CONNECT_SECONDS, settings.smtp_timeout_seconds))
        client.timeout = settings.smtp_timeout_seconds
        self._client, self._used_at = client, time.monotonic()

    async def send(self, *, sender: str, recipient: str, mail: bytes) -> Answer:
        """Hand one mail over; never raises for what the server or the network does."""
        client = self._client
        if client is None:
            return Answer(Verdict.DEFERRED)
        try:
            await client.mail(sender)
            await client.rcpt(recipient)
        except SMTPResponseException as problem:
            return await self._refused(client, problem)
        except CANNOT_CONNECT:
            self.drop()
            return Answer(Verdict.DEFERRED)
        return await self._data(client, mail)

    async def _data(self, client: SMTP, mail: bytes) -> Answer:
        try:
            response = await client.data(mail)
        except SMTPResponseException as problem:
            return await self._refused(client, problem)
        except CANNOT_CONNECT:
            # From here on nobody can tell whether the server took the mail.
            self.drop()
            return Answer(Verdict.AMBIGUOUS)
        self._used_at = time.monotonic()
        return Answer(Verdict.SENT, _code(response.code, response.message))

    async def _refused(self, client: SMTP, problem: SMTPResponseException) -> Answer:
        """Return a refusal, with the connection ready for the next mail or dropped."""
        try:
            await client.rset()
        except CANNOT_CONNECT:
            self.drop()
        verdict = verdict_of(problem.code)
        if verdict is Verdict.SENT:
            verdict = Verdict.DEFERRED
        return Answer(verdict, _code(problem.code, problem.message))

    def drop(self) -> None:
        """Forget the connection; the next use makes a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def close(self) -> None:
        """End the connection politely."""
        if self._client is None:
            return
        try:
            await self._client.quit()
        except (*CANNOT_CONNECT, aiosmtplib.SMTPServerDisconnected):
            pass
        finally:
            self.drop()


def _code(code: int, message: str) -> str:
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[1]}" if enhanced else str(code)
