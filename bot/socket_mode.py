"""Slack over Socket Mode: one connection out, renewed when Slack asks or the network breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import aiohttp
import orjson
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bot.settings import BotSettings
from shared.logs import logger
from shared.waiting import wait_or_stop

log = logger(__name__)

PING_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 30.0
"""How long the client may be without a connection before it is made anew."""
LEAVING_SECONDS: Final = 3.0
"""How long it may use one that Slack asked to leave: nothing comes over it any more."""
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
    leaving = _Leaving(handler.client)
    try:
        if not await _is_done(handler.connect_async(), stop):  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
            return
        log.info("slack.connected")
        gone = 0.0
        while not stop.is_set() and gone < (
            LEAVING_SECONDS if leaving.is_late else PATIENCE_SECONDS
        ):
            await wait_or_stop(stop, LOOK_SECONDS)
            here = await handler.client.is_connected() and not leaving.is_late
            gone = 0.0 if here else gone + LOOK_SECONDS
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


class _Leaving:
    """Knows whether the connection that is used is one that Slack asked to leave.

    The client opens another one then; when that fails it tries no more before Slack hangs up.
    """

    def __init__(self, client: SocketModeClient) -> None:
        self._client = client
        self._asked: object = None
        client.on_message_listeners.append(self._hear)

    @property
    def is_late(self) -> bool:
        """Whether it is used still."""
        return self._asked is not None and self._asked is self._client.current_session

    async def _hear(self, message: aiohttp.WSMessage) -> None:
        if orjson.loads(message.data).get("type") == "disconnect":
            self._asked = self._client.current_session


async def _is_done(connecting: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Connect; return False when told to stop before, as the client tries without end."""
    task, stopping = asyncio.create_task(connecting), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        stopping.cancel()
        task.cancel()
