"""Slack over signed HTTP: one route, and nothing of a request is read before its signature."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot import signatures
from bot.settings import BotSettings
from shared.clock import Clock
from shared.logs import logger
from shared.waiting import wait_or_stop

log = logger(__name__)

PATH: Final = "/slack/events"
BODY_BYTES: Final = 1024 * 1024


class Door:
    """Lets signed requests through to the app."""

    def __init__(self, app: AsyncApp, secret: str, clock: Clock) -> None:
        self._app = app
        self._secret = secret
        self._clock = clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; 401 to what Slack did not sign."""
        body = await request.read()
        try:
            signatures.check(
                secret=self._secret,
                timestamps=request.headers.getall("X-Slack-Request-Timestamp", []),
                signatures=request.headers.getall("X-Slack-Signature", []),
                body=body,
                now=self._clock.now().timestamp(),
            )
        except signatures.Forged as problem:
            log.warning("slack.forged", reason=str(problem))
            return web.json_response({"error": str(problem)}, status=401)
        answer = await self._app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)


def door_of(app: AsyncApp, settings: BotSettings, clock: Clock) -> web.RouteDef:
    """Return the route by which Slack reaches the app: ``POST /slack/events``."""
    secret = settings.slack_signing_secret
    door = Door(app, secret.get_secret_value() if secret else "", clock)
    return web.post(PATH, door.handle)


async def serve(routes: Sequence[web.RouteDef], settings: BotSettings, stop: asyncio.Event) -> None:
    """Serve some routes until ``stop`` is set; requests under way are finished."""
    site = web.Application(client_max_size=BODY_BYTES)
    site.add_routes(routes)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=3)
    await runner.setup()
    try:
        await _listen(runner, settings, stop)
        log.info("slack.listening", host=settings.slack_http_host, port=settings.slack_http_port)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: BotSettings, stop: asyncio.Event) -> None:
    """Bind, trying again while the port is taken (a predecessor that is still stopping)."""
    while not stop.is_set():
        try:
            await web.TCPSite(runner, settings.slack_http_host, settings.slack_http_port).start()
        except OSError as problem:
            log.warning(
                "slack.cannot_listen",
                reason=f"{problem.strerror}: choose another SLACK_HTTP_PORT or free this one",
                port=settings.slack_http_port,
            )
            await wait_or_stop(stop, 2.0)
        else:
            return
