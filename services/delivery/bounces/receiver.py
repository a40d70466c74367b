"""The SMTP receiver of bounces: a mail is a committed row before its 250 is answered.

Whoever never got the 250 sends again, and the row is there already. It relays nothing, answers for
BOUNCE_DOMAIN alone and listens on this machine unless told; a mail server in front of it, which the
domain's MX names, is the usual way in.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP
from prometheus_client import Counter

from services.delivery.bounces.keeping import Keeper
from services.delivery.bounces.verp import read_token, tokens_in
from services.delivery.settings import DeliverySettings
from shared import faults
from shared.errors import reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)
# aiosmtpd writes every command to its log, addresses included.
logging.getLogger("mail.log").setLevel(logging.WARNING)

RETRY_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 60.0
MOST_CONNECTIONS: Final = 100
MOST_RECIPIENTS: Final = 10
MOST_COMMANDS: Final = 1_000
"""Of each command in a session: a server that behaves needs a few for each mail."""
_PLAIN: Final = re.compile(r"[\x21-\x7e]{3,320}")
RECEIVED: Final = Counter("muster_delivery_inbound_received_total", "Inbound mails", ["answer"])


async def run_receiver(runtime: Runtime, stop: asyncio.Event) -> None:
    """Receive bounces until ``stop`` is set; does nothing without BOUNCE_SMTP_PORT.

    Where another process of this machine has the port, this one takes over when it ends.
    """
    settings = cast("DeliverySettings", runtime.settings)
    if settings.bounce_smtp_port is None:
        return
    receiver = Receiver(runtime, settings)
    warned = False
    while not stop.is_set():
        try:
            server = await receiver.listen(settings.bounce_smtp_host, settings.bounce_smtp_port)
        except OSError as problem:
            if not warned:
                log.warning("bounces.no_port", error=reason_of(problem))
            warned = True
            await wait_or_stop(stop, RETRY_SECONDS)
            continue
        async with server:
            await stop.wait()
            receiver.hang_up()


class _Session(SMTP):
    """One connection; bounces quote mails, whose lines may be longer than SMTP allows."""

    line_length_limit = 64 * 1024

    def __init__(self, receiver: Receiver, settings: DeliverySettings) -> None:
        super().__init__(
            receiver,
            hostname=settings.bounce_domain,
            ident="ready",
            data_size_limit=settings.bounce_max_bytes,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            command_call_limit=MOST_COMMANDS,
            loop=asyncio.get_running_loop(),
        )
        self._receiver = receiver

    def connection_made(self, transport: Any) -> None:
        if not self._receiver.admit(transport):
            transport.write(b"421 4.3.2 too many connections, try again later\r\n")
            transport.close()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._receiver.forget(self.transport)
        super().connection_lost(error)


class Receiver:
    """Answers aiosmtpd's questions (it looks its hooks up by name)."""

    def __init__(self, runtime: Runtime, settings: DeliverySettings) -> None:
        self._keeper = Keeper(runtime)
        self._settings = settings
        self._open: set[Any] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Return a server that listens; the caller closes it."""
        return await asyncio.get_running_loop().create_server(
            lambda: _Session(self, self._settings), host, port, backlog=128
        )

    def admit(self, transport: Any) -> bool:
        """Note a connection; return whether there is room for it."""
        if len(self._open) >= MOST_CONNECTIONS:
            return False
        self._open.add(transport)
        return True

    def forget(self, transport: Any) -> None:
        """Note that a connection ended."""
        self._open.discard(transport)

    def hang_up(self) -> None:
        """End every connection: what was not answered comes again."""
        for transport in list(self._open):
            transport.abort()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Accept our own domain; a token that we did not sign is an address that does not exist."""
        if not _PLAIN.fullmatch(address):
            return "553 5.1.3 not an address of ours"
        domain = address.rpartition("@")[2].lower()
        if domain != self._settings.bounce_domain:
            return "550 5.7.1 we take no mail for this domain"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        if "+" in address:
            tokens = tokens_in(address)
            if not tokens or read_token(self._settings.secret, tokens[0]) is None:
                return "550 5.1.1 no such address"
        envelope.rcpt_tos.append(address.lower())
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep the mail, then answer for it."""
        try:
            await self._keeper.keep(tuple(envelope.rcpt_tos), bytes(envelope.original_content))
        except Exception as problem:  # noqa: BLE001 - whatever it was, the mail is not known to be kept
            log.warning("bounces.not_kept", error=reason_of(problem))
            RECEIVED.labels("451").inc()
            return "451 4.3.0 could not be kept now, try again later"
        faults.reach("bounce.before_answer")
        RECEIVED.labels("250").inc()
        return "250 2.0.0 kept"

    async def handle_exception(self, problem: Exception) -> str:
        """Answer what nobody foresaw; the peer learns nothing of it."""
        log.warning("bounces.session_failed", error=type(problem).__name__)
        return "451 4.3.0 something went wrong here, try again later"
