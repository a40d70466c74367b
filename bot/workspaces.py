"""The workspaces that the bot serves, each with loops of its own.

So one that limits or is away holds up no other, and no row of one is sent by another.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.installations import Installations
from bot.limits import Json
from bot.pictures import Pictures
from bot.posting import Poster
from bot.reminding import Reminding
from bot.settings import BotSettings
from bot.slack import Denied, Lost, answered, web_client
from bot.teams import HOME, team_of
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.supervision import Running
from shared.waiting import wait_or_stop

log = logger(__name__)

LOOK_SECONDS: Final = 2.0


@dataclass
class _Desk:
    """What serves one workspace."""

    token: str
    poster: Poster
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Workspaces:
    """Serves the workspace of ``SLACK_BOT_TOKEN``, and those that installed the bot."""

    def __init__(self, runtime: Runtime, settings: BotSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self.installations = Installations(runtime.uow, settings.secret)
        self._desks: dict[str, _Desk] = {}
        self._tokens: dict[str, str] = {}
        self._home_id: str | None = None

    async def find(self, team_id: str | None) -> tuple[str, str] | None:
        """Return (workspace, token) for a payload's team; ``None`` where we are not installed.

        The bot's own workspace is not looked up while it is the only one: asking before each first
        acknowledgement would make a click wait.
        """
        own = self._own_token()
        if not self._settings.slack_has_oauth:
            return HOME, own
        if team_id and team_id not in self._tokens:
            await self.look()
        if team_id and team_id in self._tokens:
            return team_id, self._tokens[team_id]
        return (HOME, own) if own and team_id == await self.home_id() else None

    async def look(self) -> None:
        """Learn which workspaces have the bot installed now."""
        self._tokens = await self.installations.tokens()

    async def home_id(self) -> str | None:
        """Return Slack's id of the bot's own workspace; ``None`` without one, or while unknown."""
        own = self._own_token()
        if own and self._home_id is None:
            async with web_client(self._settings, own) as client:
                try:
                    self._home_id = str((await answered(client.auth_test()))["team_id"])
                except (Denied, Lost) as problem:
                    log.warning("slack.home_unknown", reason=str(problem))
        return self._home_id

    def _own_token(self) -> str:
        token = self._settings.slack_bot_token
        return token.get_secret_value() if token else ""

    def whisper(self, user: str, channel: str, content: Json) -> None:
        """Tell one person something at once, in their workspace."""
        desk = self._desks.get(team_of(user))
        if desk is not None:
            desk.poster.whisper(user, channel, content)

    def wake(self) -> None:
        """Look for rows now."""
        for desk in self._desks.values():
            desk.poster.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve every workspace until ``stop`` is set; who installs later is served, too."""
        async with AsyncExitStack() as stack:
            try:
                while not stop.is_set():
                    await self._serve(stack)
                    if not self._settings.slack_has_oauth:
                        await stop.wait()
                    await wait_or_stop(stop, LOOK_SECONDS)
            finally:
                await self._close(list(self._desks))

    async def _serve(self, stack: AsyncExitStack) -> None:
        wanted = {HOME: self._own_token()} if self._own_token() else {}
        if self._settings.slack_has_oauth:
            try:
                await self.look()
            except INTERRUPTIONS as problem:
                log.warning("slack.rows_unreadable", error=reason_of(problem))
                return
            wanted |= self._tokens
        gone = [team for team, desk in self._desks.items() if wanted.get(team) != desk.token]
        await self._close(gone)
        for team, token in wanted.items():
            if team not in self._desks:
                client = await stack.enter_async_context(web_client(self._settings, token))
                self._open(team, token, client)

    def _open(self, team: str, token: str, client: AsyncWebClient) -> None:
        uow, settings = self._runtime.uow, self._settings
        desk = _Desk(token, Poster(uow, client, settings, team))
        tasks: dict[str, Running] = {
            "posting": desk.poster.run,
            "reminding": Reminding(uow, client, settings, team).run,
            "pictures": Pictures(uow, client, settings, team).run,
        }
        desk.task = asyncio.create_task(self._keep(team, tasks, desk.stop))
        self._desks[team] = desk

    async def _keep(self, team: str, tasks: dict[str, Running], stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for name, run in tasks.items():
                named = f"{name} {team}".strip()
                group.create_task(self._runtime.supervision.keep(named, run, stop))

    async def _close(self, teams: list[str]) -> None:
        closing = [self._desks.pop(team) for team in teams]
        for desk in closing:
            desk.stop.set()
        tasks = [desk.task for desk in closing if desk.task]
        if tasks:
            await asyncio.gather(*tasks)
