"""One POST, and what is known of it afterwards: an answer, that it never left, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from services.delivery.webhooks.addresses import ForbiddenAddress
from shared import faults

MOST_BYTES: Final = 65_536
"""Of an answer's body; the rest is nobody's business."""
KEPT_SECONDS: Final = 4.0
"""Servers close silent connections, most after 5 s or more: an older one is not used again."""
MOST_WAIT_SECONDS: Final = 30 * 86_400.0
HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "Muster"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer.

    Attributes:
        body: the first ``MOST_BYTES`` of it, where it was asked for.
        wait_seconds: what Retry-After asks for.
    """

    status: int
    body: bytes = b""
    wait_seconds: float = 0.0


class NotWritten(Exception):
    """The request never reached the server; the reason names no data."""


class Forbidden(NotWritten):
    """The host leads where it must not be called."""


class NoAnswer(Exception):
    """The request was written and no answer came: the server may have it."""


class Client:
    """Connections to HTTP servers, used again for a while; for one event loop.

    Args:
        timeout_seconds: how long one call may take, from looking the host up to the answer's end.
        connections: how many there are at most.
        resolver: looks hosts up; by default the system's.
    """

    def __init__(
        self, *, timeout_seconds: float, connections: int, resolver: AbstractResolver | None = None
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._connections = connections
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, read: bool = False
    ) -> Reply:
        """Post JSON; redirects are answers like others.

        Args:
            url: whither.
            body: JSON.
            headers: beside those of JSON.
            read: whether the answer's body is wanted.

        Raises:
            NotWritten: nothing of it reached a server; :class:`Forbidden` because none may be.
            NoAnswer: it was written, and no answer came.
        """
        written = SimpleNamespace(headers=False)
        faults.reach("sender.before_call")
        try:
            async with self._opened().post(
                url,
                data=body,
                headers=HEADERS | dict(headers),
                allow_redirects=False,
                trace_request_ctx=written,
            ) as response:
                faults.reach("sender.after_call")
                said = await _read(response) if read else b""
                return Reply(response.status, said, wait_of(response.headers.get("Retry-After")))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise _lost(problem, written=written.headers) from None

    def drop(self) -> None:
        """Break off every call under way."""
        if self._session is not None and self._session.connector is not None:
            self._session.connector.close()
            self._session = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_written)
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    keepalive_timeout=KEPT_SECONDS,
                    resolver=self._resolver,
                    # What was looked up and found to be public may lead elsewhere a moment later.
                    use_dns_cache=False,
                ),
                trace_configs=[trace],
                # Neither cookies nor proxies of the environment.
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


async def knock(url: str) -> None:
    """Connect to a server as a call would, its certificate looked at, and leave.

    Raises:
        OSError: there is no way to it, or its certificate is not its own.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    _, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure or None)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _lost(problem: Exception, *, written: bool) -> Exception:
    reason = type(problem).__name__
    if written:
        return NoAnswer(reason)
    cause = getattr(problem, "os_error", None)
    forbidden = isinstance(cause, ForbiddenAddress) or isinstance(problem, aiohttp.InvalidURL)
    return (Forbidden if forbidden else NotWritten)(reason)


async def _note_written(
    _: aiohttp.ClientSession,
    context: SimpleNamespace,
    __: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.headers = True


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of a body; its status is known, so one that breaks off is no trouble."""
    found = b""
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        while len(found) < MOST_BYTES:
            part = await response.content.read(MOST_BYTES - len(found))
            if not part:
                break
            found += part
    return found


def wait_of(header: str | None) -> float:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3), a number or a date; 0 without one."""
    text = (header or "").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), MOST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MOST_WAIT_SECONDS)
