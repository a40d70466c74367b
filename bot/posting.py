"""The posting loop: sends what stands in rows; nothing is dropped while Slack is away."""

from __future__ import annotations

import asyncio

from slack_sdk.web.async_client import AsyncWebClient

from bot.calls import Calls
from bot.limits import Json
from bot.messages import Messages
from bot.pump import pump
from bot.settings import BotSettings
from bot.slack import Places
from bot.teams import HOME
from shared.uow import UnitOfWork


class Poster:
    """Sends the rows of one workspace; any number of them may run."""

    def __init__(
        self, uow: UnitOfWork, client: AsyncWebClient, settings: BotSettings, team: str = HOME
    ) -> None:
        self._uow = uow
        places = Places(client)
        self._messages = Messages(uow, client, places, settings, team)
        self._calls = Calls(uow, client, places, settings, team)
        # One for each pump: a bell is silenced by who hears it.
        self._bells = (asyncio.Event(), asyncio.Event())

    def wake(self) -> None:
        """Look for rows now."""
        for bell in self._bells:
            bell.set()

    def whisper(self, user: str, channel: str, content: Json) -> None:
        """Tell one person something at once, without a row."""
        self._calls.whisper(user, channel, content)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; calls under way are finished."""
        for_calls, for_messages = self._bells
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(self._calls.claim, self._calls.send, for_calls, stop))
            group.create_task(pump(self._messages.claim, self._messages.send, for_messages, stop))
            whispering = group.create_task(self._calls.whisper_on())
            await stop.wait()
            self.wake()
            whispering.cancel()
