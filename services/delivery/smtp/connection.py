"""What a sender holds: a connection to one of the relays, used again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from services.delivery.domain.relays import Relay
from services.delivery.domain.runs import Verdict
from services.delivery.settings import DeliverySettings
from services.delivery.smtp.dialogue import Dialogue
from services.delivery.smtp.link import CANNOT_CONNECT, CannotConnect, Link, describe
from services.delivery.smtp.mails import RELEASED, Answer, Mail
from services.delivery.smtp.opening import Access, opened, tls_context
from services.delivery.smtp.relays import Relays
from services.delivery.smtp.replies import CLOSING, Capabilities
from shared.logs import logger

log = logger(__name__)

IDLE_SECONDS: Final = 20.0
"""Servers close a silent connection after a while: an older one is asked before it is used."""
GOODBYE_SECONDS: Final = 2.0
RELEASED_AT_ONCE: Final = 20


class Connection:
    """A connection to one of the relays; each is used by one task.

    Args:
        relays: shared with the process's other connections; by default the settings' own.
    """

    def __init__(self, settings: DeliverySettings, relays: Relays | None = None) -> None:
        self._settings = settings
        self._relays = relays or Relays(settings.relays)
        self._access: Access | None = None
        self._link: Link | None = None
        self._relay = settings.relays[0]
        self.offers = Capabilities()
        self._used_at = 0.0
        self._carried = False

    async def ensure(self) -> None:
        """Be connected and ready, to the best relay that can be had.

        Raises:
            BaseException: one of ``CANNOT_CONNECT``.
        """
        if await self._alive():
            with suppress(*CANNOT_CONNECT):
                await self._connect(self._relays.better_than(self._relay))
            return
        self.drop()
        await self._connect(self._relays.in_order())
        if self._link is None:
            raise CannotConnect("every relay has just been tried")

    async def _alive(self) -> bool:
        link = self._link
        if link is None or link.lost or not link.quiet:
            return False
        if time.monotonic() - self._used_at < IDLE_SECONDS:
            return True
        try:
            reply = await link.ask(b"NOOP\r\n")
        except CANNOT_CONNECT:
            return False
        self._used_at = time.monotonic()
        return reply.code == 250

    async def _connect(self, relays: Iterable[Relay]) -> None:
        """Take the first of some relays that is ready in place of what there was."""
        problem: Exception | None = None
        for relay in relays:
            self._relays.trying(relay)
            try:
                self._access = self._access or _access(self._settings)
                link, offers = await opened(relay, self._access)
            except CANNOT_CONNECT as found:
                self._relays.rest(relay)
                log.warning("smtp.relay_rests", relay=str(relay), error=describe(found))
                problem = found
                continue
            self._relays.well(relay)
            await self.close()
            self._link, self._relay, self.offers = link, relay, offers
            self._used_at, self._carried = time.monotonic(), False
            return
        if problem is not None:
            raise problem

    async def send_many(self, mails: Iterable[Mail], *, until: float) -> list[Answer]:
        """Hand mails over; return one answer for each, in order.

        Args:
            mails: read as the server takes them, one ahead. What it raises is raised here, and
                what was under way is lost with the connection: it should not.
            until: (``time.monotonic()``) later no mail is begun; such mails are ``RELEASED``, as
                are those left when the connection is lost.
        """
        waiting = iter(mails)
        answers: list[Answer] = []
        link = self._link
        if link is not None:
            dialogue = Dialogue(waiting, self.offers, relay=str(self._relay), until=until)
            await link.converse(dialogue)
            answers = dialogue.answers
            self._learn(link, answers)
        await _release(waiting, answers)
        return answers

    def _learn(self, link: Link, answers: list[Answer]) -> None:
        self._used_at = time.monotonic()
        self._carried = self._carried or any(_dealt_with(one) for one in answers)
        if not link.lost or self._link is not link:
            # Or somebody dropped it on purpose, which says nothing of the relay.
            return
        self._link = None
        # One that closes after so many mails, as servers may, is as good as before.
        if link.silent or not self._carried:
            self._relays.rest(self._relay)

    def drop(self) -> None:
        """Forget the connection; a ``send_many`` under way ends with what is known."""
        if self._link is not None:
            self._link.abort()
            self._link = None

    async def close(self) -> None:
        """End the connection politely, if the server is quick about it."""
        if self._link is not None:
            await _leave(self._link)
            self._link = None


async def knock(relay: Relay, settings: DeliverySettings) -> None:
    """Go as far with a relay as a sender goes before its first mail, then leave.

    Raises:
        BaseException: one of ``CANNOT_CONNECT``.
    """
    link, _ = await opened(relay, _access(settings))
    await _leave(link)


async def _leave(link: Link) -> None:
    with suppress(*CANNOT_CONNECT):
        await link.ask(b"QUIT\r\n", GOODBYE_SECONDS)
    link.abort()


def _dealt_with(answer: Answer) -> bool:
    """Whether the server looked at a mail, and did not just say that it is closing."""
    looked = bool(answer.code) or answer.verdict is Verdict.AMBIGUOUS
    return looked and not answer.code.startswith(str(CLOSING))


async def _release(waiting: Iterator[Mail], answers: list[Answer]) -> None:
    for number, _ in enumerate(waiting, 1):
        answers.append(RELEASED)
        if number % RELEASED_AT_ONCE == 0:
            await asyncio.sleep(0)


def _access(settings: DeliverySettings) -> Access:
    password = settings.smtp_password
    return Access(
        tls=settings.smtp_tls,
        context=None if settings.smtp_tls == "none" else tls_context(settings.smtp_ca_file),
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        patience_seconds=settings.smtp_timeout_seconds,
    )
