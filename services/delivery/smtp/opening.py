"""From a TCP connection to a server that is ready for MAIL: greeting, EHLO, STARTTLS, AUTH."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Literal

from services.delivery.domain.relays import Relay
from services.delivery.smtp.link import CannotConnect, Link
from services.delivery.smtp.replies import Capabilities, Reply, capabilities

CONNECT_SECONDS: Final = 5.0
"""A stop waits for this: a server that is there answers sooner."""
_DOMAIN: Final = re.compile(r"(?=.{1,255}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


@dataclass(frozen=True, slots=True)
class Access:
    """How the relays are spoken to.

    Attributes:
        context: for TLS; ``None`` where nothing is encrypted.
        patience_seconds: for one reply.
    """

    tls: Literal["none", "starttls", "tls"]
    context: ssl.SSLContext | None
    username: str | None
    password: str | None
    patience_seconds: float


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies a relay's certificate: by the system's authorities, or a file's.

    Raises:
        OSError: the file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def opened(relay: Relay, access: Access) -> tuple[Link, Capabilities]:
    """Return a link whose server is ready for MAIL, and what that server offers.

    Raises:
        CannotConnect: the server refused, or offers less than ``access`` demands.
        OSError: there is no way to it, or its certificate is not its own.
    """
    seconds = min(CONNECT_SECONDS, access.patience_seconds)
    link = Link(access.patience_seconds)
    loop = asyncio.get_running_loop()
    implicit = access.context if access.tls == "tls" else None
    try:
        async with asyncio.timeout(seconds):
            await loop.create_connection(
                lambda: link,
                relay.host,
                relay.port,
                ssl=implicit,
                server_hostname=relay.host if implicit else None,
            )
        _expect(await link.reply(), 220, "the greeting")
        offers = await _hello(link)
        if access.tls == "starttls" and access.context is not None:
            offers = await _encrypt(link, offers, access.context, relay.host, seconds)
        if access.username is not None and access.password is not None:
            await _log_in(link, offers, access, access.username, access.password)
    except BaseException:
        link.abort()
        raise
    return link, offers


async def _hello(link: Link) -> Capabilities:
    name = link.own_name(_host_name()).encode("ascii")
    reply = await link.ask(b"EHLO %s\r\n" % name)
    if reply.code in (500, 502, 504):
        # A server from before 2001: it takes mails, and offers nothing.
        _expect(await link.ask(b"HELO %s\r\n" % name), 250, "HELO")
        return Capabilities()
    _expect(reply, 250, "EHLO")
    return capabilities(reply)


def _host_name() -> str:
    name = socket.gethostname()
    return name if _DOMAIN.fullmatch(name) else ""


async def _encrypt(
    link: Link, offers: Capabilities, context: ssl.SSLContext, host: str, seconds: float
) -> Capabilities:
    if not offers.starttls:
        # Going on in the clear is what an attacker who strips the offer wants.
        raise CannotConnect("the server offers no STARTTLS")
    _expect(await link.ask(b"STARTTLS\r\n"), 220, "STARTTLS")
    await link.start_tls(context, host, seconds)
    return await _hello(link)


async def _log_in(
    link: Link, offers: Capabilities, access: Access, username: str, password: str
) -> None:
    if access.tls == "none":
        raise CannotConnect("a password would travel in the clear")
    user, secret = username.encode(), password.encode()
    if "PLAIN" in offers.mechanisms:
        whole = base64.b64encode(b"\0%s\0%s" % (user, secret))
        _expect(await link.ask(b"AUTH PLAIN %s\r\n" % whole), 235, "AUTH PLAIN")
        return
    if "LOGIN" not in offers.mechanisms:
        raise CannotConnect("the server offers neither AUTH PLAIN nor AUTH LOGIN")
    _expect(await link.ask(b"AUTH LOGIN\r\n"), 334, "AUTH LOGIN")
    for part, code in ((user, 334), (secret, 235)):
        _expect(await link.ask(b"%s\r\n" % base64.b64encode(part)), code, "AUTH LOGIN")


def _expect(reply: Reply, code: int, what: str) -> None:
    if reply.code != code:
        raise CannotConnect(f"{what} was answered with {reply.text}")
