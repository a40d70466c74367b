"""Slack over Socket Mode: one connection out, renewed when Slack asks or the network breaks."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError

from bot.settings import BotSettings
from shared.consumer import wait_or_stop
from shared.logs import logger

log = logger(__name__)

PING_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 30.0
"""How long the client may be without a connection before it is made anew."""
_NETWORK: Final = (aiohttp.ClientError, SlackClientError, OSError, TimeoutError)


async def serve(app: AsyncApp, settings: BotSettings, stop: asyncio.Event) -> None:
    """Stay connected until ``stop`` is set."""
    wait = 1.0
    while not stop.is_set():
        try:
            await _connected(app, settings, stop)
            wait = 1.0
        except _NETWORK as problem:
            log.warning("slack.not_connected", error=type(problem).__name__, again_in=wait)
            await wait_or_stop(stop, wait)
            wait = min(wait * 2, PATIENCE_SECONDS)


async def _connected(app: AsyncApp, settings: BotSettings, stop: asyncio.Event) -> None:
    """Hold one client until ``stop`` is set, or until it does not come back by itself."""
    token = settings.slack_app_token
    handler = AsyncSocketModeHandler(
        app, token.get_secret_value() if token else None, ping_interval=PING_SECONDS
    )
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        log.info("slack.connected")
        gone = 0.0
        while not stop.is_set() and gone < PATIENCE_SECONDS:
            await wait_or_stop(stop, LOOK_SECONDS)
            gone = 0.0 if await handler.client.is_connected() else gone + LOOK_SECONDS
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
