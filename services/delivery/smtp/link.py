"""The wire: one TCP or TLS connection, its replies, and a limit on the server's silence."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterator
from typing import Final, cast

from services.delivery.smtp.dialogue import Dialogue
from services.delivery.smtp.replies import ProtocolViolation, Reply, ReplyParser


class CannotConnect(Exception):
    """No server could be brought to the point where it takes mails; the text names no secret."""


CANNOT_CONNECT: Final = (CannotConnect, OSError, TimeoutError)


def describe(problem: BaseException) -> str:
    """Return why there is no connection, fit for logs and people."""
    return str(problem) if isinstance(problem, CannotConnect) else type(problem).__name__


class Link(asyncio.Protocol):
    """One connection.

    A dialogue runs inside the callbacks of the event loop: a reply's next bytes are written before
    any task is woken, which is half of this path's speed.

    Args:
        patience_seconds: how long the server may take for a reply.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._inbox: deque[Reply] = deque()
        self._woken = asyncio.Event()
        self._dialogue: Dialogue | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._heard_at = 0.0
        self._watching: asyncio.TimerHandle | None = None
        self.lost = False
        self.silent = False
        """Whether it was given up because the server said nothing for too long."""

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are none by inheritance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what the server says."""
        if self.lost:
            return
        try:
            if self._dialogue is None:
                self._keep(self._parser.feed(data))
            else:
                self._go_on(self._dialogue, data)
        except ProtocolViolation:
            self.abort()
        except Exception as problem:  # noqa: BLE001 - neither server nor network: the caller's own
            self._fail(problem)

    def eof_received(self) -> None:
        """Close, too: a server that says nothing more takes no mail."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - all losses are alike
        """Settle what was under way."""
        self.abort()

    # -- one command, one reply

    def own_name(self, host_name: str) -> str:
        """Return what to say at EHLO: the host's name, else the own address (RFC 5321, 4.1.4)."""
        address = self._transport.get_extra_info("sockname") if self._transport else None
        if host_name or not address:
            return host_name or "localhost"
        return f"[IPv6:{address[0]}]" if ":" in address[0] else f"[{address[0]}]"

    @property
    def quiet(self) -> bool:
        """Whether the server has said nothing that nobody asked for."""
        return not self._inbox and not self._parser.pending

    async def ask(self, line: bytes, seconds: float | None = None) -> Reply:
        """Write a command and return its reply, see :meth:`reply`."""
        if self._transport is not None and not self.lost:
            self._transport.write(line)
        return await self.reply(seconds)

    async def reply(self, seconds: float | None = None) -> Reply:
        """Return the next reply.

        Raises:
            CannotConnect: the connection is lost, or was of no use.
            TimeoutError: nothing came in time.
        """
        async with asyncio.timeout(self._patience_seconds if seconds is None else seconds):
            while not self._inbox:
                if self.lost:
                    raise CannotConnect("the server closed the connection")
                self._woken.clear()
                await self._woken.wait()
        return self._inbox.popleft()

    async def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Go on encrypted.

        Raises:
            CannotConnect: something came in the clear after the reply to STARTTLS. It may be a
                stranger's, who wants it taken for the server's (CVE-2011-0411).
            OSError: the handshake failed, or the certificate is not the host's.
        """
        if self.lost or self._transport is None or not self.quiet:
            raise CannotConnect("the server went on in the clear after STARTTLS")
        self._transport = await self._loop.start_tls(
            self._transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds
        )
        self._parser, self._inbox = ReplyParser(), deque()
        if self._transport is None:
            raise CannotConnect("the server closed the connection")

    # -- many mails

    async def converse(self, dialogue: Dialogue) -> None:
        """Run a dialogue to its end; afterwards the link is fit for another, or ``lost``.

        Raises:
            Exception: what the mails' iterator raised; the link is lost then.
        """
        if self.lost or self._transport is None or self._transport.is_closing() or not self.quiet:
            self.abort()
            return
        self._dialogue, self._over = dialogue, self._loop.create_future()
        self._heard_at = self._loop.time()
        self._watching = self._loop.call_later(self._patience_seconds, self._watch)
        try:
            dialogue.start()
            self._write(dialogue)
            await self._over
        except BaseException:
            self.abort()
            raise
        finally:
            self._watching.cancel()
            self._dialogue = None

    def _go_on(self, dialogue: Dialogue, data: bytes) -> None:
        for reply in self._parser.feed(data):
            self._heard_at = self._loop.time()
            dialogue.receive(reply)
        self._write(dialogue)

    def _keep(self, replies: Iterator[Reply]) -> None:
        self._inbox.extend(replies)
        self._woken.set()
        if len(self._inbox) > 1:
            raise ProtocolViolation("more replies than commands")

    def _write(self, dialogue: Dialogue) -> None:
        if dialogue.lost:
            self.abort()
            return
        if dialogue.out:
            assert self._transport is not None
            self._transport.writelines(dialogue.out)
            dialogue.out = []
            # Not now: the bytes leave when this callback is over.
            self._loop.call_soon(self._look_ahead)
        if dialogue.over:
            self._finish()

    def _look_ahead(self) -> None:
        if self._dialogue is not None:
            try:
                self._dialogue.look_ahead()
            except Exception as problem:  # noqa: BLE001 - the caller's own, raised by converse
                self._fail(problem)

    def _watch(self) -> None:
        left = self._heard_at + self._patience_seconds - self._loop.time()
        if left > 0:
            self._watching = self._loop.call_later(left, self._watch)
            return
        self.silent = True
        self.abort()

    # -- the end

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _fail(self, problem: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(problem)
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once; a dialogue under way ends with what is known."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
        if self._dialogue is not None:
            self._dialogue.lose()
            self._finish()
        self._woken.set()
