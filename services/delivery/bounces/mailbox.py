"""The mailbox of bounces, polled over IMAP: a mail is a committed row before it is removed there.

The standard library's client blocks, so each of its calls runs in a thread, between transactions.
The mailbox must hold nothing else: whatever comes there is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

from services.delivery.bounces.keeping import keep
from services.delivery.settings import DeliverySettings
from shared import faults
from shared.errors import INFRASTRUCTURE, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)

T = TypeVar("T")
MAILS_AT_ONCE: Final = 20
TIMEOUT_SECONDS: Final = 20.0
TROUBLE: Final[tuple[type[BaseException], ...]] = (
    *INFRASTRUCTURE,
    imaplib.IMAP4.error,
    OSError,
    EOFError,
)


async def run_mailbox(runtime: Runtime, stop: asyncio.Event) -> None:
    """Take mails out of the mailbox until ``stop`` is set; does nothing without BOUNCE_IMAP_HOST.

    Several replicas may do so at once: a mail that two of them take is one row.
    """
    settings = cast("DeliverySettings", runtime.settings)
    if settings.bounce_imap_host is None:
        return
    while not stop.is_set():
        try:
            await empty(runtime, settings, stop)
        except TROUBLE as problem:
            log.warning("bounces.no_mailbox", error=reason_of(problem))
        await wait_or_stop(stop, settings.bounce_imap_seconds)


async def empty(runtime: Runtime, settings: DeliverySettings, stop: asyncio.Event) -> int:
    """Take everything that is in the mailbox; return how many mails that was."""
    mailbox = Mailbox(settings)
    taken = 0
    try:
        await _apart(mailbox, mailbox.open, stop)
        while not stop.is_set():
            mails = await _apart(mailbox, mailbox.first, stop)
            if not mails:
                break
            await keep(runtime, [((), raw) for _, raw in mails], way="imap")
            faults.reach("bounce.before_answer")
            await _apart(mailbox, lambda: mailbox.remove([uid for uid, _ in mails]), stop)  # noqa: B023 - called before the next turn
            taken += len(mails)
    finally:
        await asyncio.to_thread(mailbox.close)
    return taken


async def _apart(mailbox: Mailbox, call: Callable[[], T], stop: asyncio.Event) -> T:
    """Return what a call returns that blocks in a thread; a stop cuts its connection."""
    working = asyncio.create_task(asyncio.to_thread(call))
    waiter = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            mailbox.cut()
        return await working
    finally:
        waiter.cancel()


class Mailbox:
    """One session with the server; every method but :meth:`cut` blocks."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._client: imaplib.IMAP4 | None = None

    def open(self) -> None:
        """Connect, sign in and open the folder.

        Raises:
            imaplib.IMAP4.error: the server says no.
            OSError: there is no server, or no trust in it.
        """
        settings = self._settings
        host, port = settings.bounce_imap_host or "", settings.bounce_imap_port
        context = ssl.create_default_context()
        client: imaplib.IMAP4
        if settings.bounce_imap_tls == "tls":
            client = _SecureClient(self, host, port, ssl_context=context, timeout=TIMEOUT_SECONDS)
        else:
            client = _Client(self, host, port, timeout=TIMEOUT_SECONDS)
        if settings.bounce_imap_tls == "starttls":
            client.starttls(context)
        password = settings.bounce_imap_password
        client.login(settings.bounce_imap_username, password.get_secret_value() if password else "")
        _checked(client.select(_quoted(settings.bounce_imap_folder)))

    def connected(self, client: imaplib.IMAP4) -> None:
        """Note a connection that can be cut, before the server has said a word."""
        self._client = client

    def first(self) -> list[tuple[str, bytes]]:
        """Return the first mails (UID, bytes, cut at BOUNCE_MAX_BYTES) and leave them there."""
        client = self._ready()
        # What a run before this one took and did not live to remove is deleted but still listed.
        [listed] = _checked(client.uid("SEARCH", "UNDELETED"))
        mails = []
        for uid in (listed or b"").split()[:MAILS_AT_ONCE]:
            wanted = f"(BODY.PEEK[]<0.{self._settings.bounce_max_bytes}>)"
            parts = _checked(client.uid("FETCH", uid.decode(), wanted))
            raw = next((part[1] for part in parts if isinstance(part, tuple)), None)
            if raw is not None:
                mails.append((uid.decode(), bytes(raw)))
        return mails

    def remove(self, uids: Sequence[str]) -> None:
        """Remove mails that are rows now."""
        client = self._ready()
        _checked(client.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Deleted)"))
        _checked(client.expunge())

    def cut(self) -> None:
        """End the connection under a call that blocks."""
        if self._client is not None:
            # The client's own way out waits for the call that is to be ended.
            with contextlib.suppress(OSError):
                self._client.socket().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Sign out, if the server still listens."""
        if self._client is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError, EOFError):
                self._client.logout()

    def _ready(self) -> imaplib.IMAP4:
        if self._client is None:
            message = "the mailbox is not open"
            raise imaplib.IMAP4.error(message)
        return self._client


class _Client(imaplib.IMAP4):
    """A client whose connection can be cut while its constructor waits for the server."""

    def __init__(self, mailbox: Mailbox, *args: Any, **options: Any) -> None:
        self._mailbox = mailbox
        super().__init__(*args, **options)

    def open(self, *args: Any, **options: Any) -> None:
        super().open(*args, **options)
        self._mailbox.connected(self)


class _SecureClient(_Client, imaplib.IMAP4_SSL):
    """The same over TLS from the first byte."""


def _checked(answer: tuple[str, list[Any]]) -> list[Any]:
    """Return an answer's data.

    Raises:
        imaplib.IMAP4.error: the server said no; its words may quote what we sent, and are dropped.
    """
    status, data = answer
    if status != "OK":
        message = f"the IMAP server answered {status}"
        raise imaplib.IMAP4.error(message)
    return data


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
