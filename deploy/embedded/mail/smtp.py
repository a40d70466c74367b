"""The catcher's SMTP side."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.smtp import SMTP

from deploy.embedded.mail.faults import Action, FaultPlayer
from deploy.embedded.mail.store import MailStore

MAX_MAIL_BYTES = 32 * 1024 * 1024


class CatchAll:
    """Answers aiosmtpd's questions: every mail is kept, unless the fault script says otherwise."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self.faults = FaultPlayer()

    async def handle_EHLO(  # noqa: N802 - the library looks hooks up by this name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Announce pipelining too: commands are read in order from one buffer."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", *responses[-1:]]

    async def handle_RCPT(  # noqa: N802 - see above
        self, _server: Any, _session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        """Accept the recipient, or refuse by rule."""
        rule = self.faults.at_recipient(address)
        if rule:
            return rule.answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep the mail, then answer 250; or misbehave by rule."""
        ending = None
        for rule in self.faults.at_data(envelope.rcpt_tos):
            if rule.action is Action.DELAY:
                await asyncio.sleep(rule.delay_seconds)
            else:
                ending = rule
        if ending and ending.action is Action.REFUSE_MESSAGE:
            return ending.answer
        if ending and ending.action is Action.DROP_BEFORE_KEEP:
            return _hang_up(server)
        refusal = await self._keep(envelope)
        if refusal:
            return refusal
        return _hang_up(server) if ending else "250 2.0.0 OK: kept"

    async def _keep(self, envelope: Any) -> str | None:
        try:
            await self._store.add(
                at=datetime.now(UTC),
                mail_from=envelope.mail_from or "",
                recipients=list(envelope.rcpt_tos),
                raw=bytes(envelope.original_content),
            )
        except sqlite3.Error:
            return "452 4.3.1 The mail could not be written to disk"
        return None


def _hang_up(server: Any) -> str:
    server.transport.abort()
    return "421 4.4.2 Connection dropped by the fault script"


async def serve_smtp(handler: CatchAll, host: str, port: int) -> asyncio.Server:
    """Listen for SMTP on ``host:port`` and return the server."""
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.muster.invalid",
            ident="Muster mail catcher",
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            timeout=300,
            loop=loop,
        )

    return await loop.create_server(connection, host, port, backlog=512)
