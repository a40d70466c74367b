"""A real HTTP server for what is posted: an SMS gateway or a webhook's receiver, good or bad."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Play = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Posted:
    """One request as it came in."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Sink:
    """What a server got, and how it answers: the plays in turn, then 202."""

    posted: list[Posted] = field(default_factory=list)
    plays: deque[Play] = field(default_factory=deque)
    url: str = ""
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *plays: Play) -> None:
        self.plays.extend(plays)

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.posted.append(Posted(dict(request.headers), body))
        if self.plays:
            return await self.plays.popleft()(request)
        return web.Response(status=202)

    async def hang(self, _: web.Request) -> web.StreamResponse:
        """Answer nothing until the test's end."""
        await self.woken.wait()
        return web.Response(status=202)


def answer(status: int, body: Any = None, **headers: str) -> Play:
    async def play(_: web.Request) -> web.StreamResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(
            status=status, body=b"" if body is None else orjson.dumps(body), headers=sent
        )

    return play


async def close(request: web.Request) -> web.StreamResponse:
    """Close the connection after the request was read."""
    assert request.transport is not None
    request.transport.close()
    return web.Response(status=202)


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    sink = Sink()
    application = web.Application(client_max_size=4 << 20)
    application.router.add_post("/{path:.*}", sink.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/messages"
    try:
        yield sink
    finally:
        sink.woken.set()
        await runner.cleanup()
