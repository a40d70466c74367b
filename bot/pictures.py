"""Pictures on cards: a proof fetched as a reviewer would, or a chart; drawn, uploaded, then shown.

A picture never holds an approval up: the card stands without it and is changed when it is there.
Slack finishes an upload in its own time, and refuses a block with a file that it has not finished;
so the file is looked up until it is.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.album import Album, Wanted
from bot.approvals import show_card
from bot.chromium import Browser, NoPicture, find_browser, picture
from bot.level_cards import show_chart
from bot.pump import back_off, later
from bot.settings import BotSettings
from bot.slack import Denied, Limited, Lost, answered
from bot.store import BotStore
from bot.teams import HOME, bare, qualified
from bot.uploads import complete, send_bytes
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.uow import UnitOfWork
from shared.waiting import wait_or_stop

log = logger(__name__)

IDLE_SECONDS: Final = 1.0
LOOK_AGAIN: Final = timedelta(seconds=1)
ATTEMPTS: Final = 8
PAGE_BYTES: Final = 4 * 1024 * 1024
FETCH_SECONDS: Final = 10.0


class Pictures:
    """Makes the pictures that are wanted, one at a time; any number of bots may."""

    def __init__(
        self, uow: UnitOfWork, client: AsyncWebClient, settings: BotSettings, team: str = HOME
    ) -> None:
        self._uow = uow
        self._client = client
        self._settings = settings
        self._team = team
        self._browser = find_browser(
            settings.proof_browser, sandboxed=settings.proof_browser_sandbox
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Make pictures until ``stop`` is set."""
        if self._browser is None:
            log.info("slack.no_pictures", reason="no Chromium found: set PROOF_BROWSER to one")
            await stop.wait()
            return
        while not stop.is_set():
            try:
                found = await self._next(self._browser)
            except INTERRUPTIONS as problem:
                log.warning("slack.rows_unreadable", error=reason_of(problem))
                found = False
            if not found:
                await wait_or_stop(stop, IDLE_SECONDS)

    async def _next(self, browser: Browser) -> bool:
        """Take one picture a step further; return whether there was one."""
        async with self._uow.begin() as work:
            wanted = await Album(work.connection).claim(work.now, self._team)
        if wanted is None:
            return False
        try:
            await self._step(browser, wanted)
        except Limited as limit:
            await self._later(wanted, limit.seconds, limit.error)
        except (Denied, Lost, NoPicture) as problem:
            if wanted.attempts < ATTEMPTS and not isinstance(problem, _NeverAPicture):
                await self._later(wanted, back_off(wanted.attempts), str(problem))
            else:
                await self._given_up(wanted, str(problem))
        return True

    async def _step(self, browser: Browser, wanted: Wanted) -> None:
        if wanted.file_id is None:
            html = wanted.html or await self._page(wanted.path)
            png = await picture(browser, html)
            file_id = await self._upload(wanted, png)
            async with self._uow.begin() as work:
                await Album(work.connection).uploaded(
                    wanted, qualified(self._team, file_id), work.now + LOOK_AGAIN
                )
            return
        known = await answered(self._client.files_info(file=bare(wanted.file_id)))
        if not known["file"].get("mimetype"):
            raise Lost("Slack has not finished the file yet")
        async with self._uow.begin() as work:
            await Album(work.connection).done(wanted, work.now)
            if wanted.message_key is not None:
                await show_chart(wanted.message_key, wanted.file_id, work)
                return
            state = await BotStore(work.connection).approval(wanted.approval_id)
            if state is not None and state.revision == wanted.revision:
                await show_card(state, work)

    async def _page(self, path: str) -> str:
        """Return the message behind a proof's link, which whoever sees the card may open too.

        Raises:
            NoPicture: it cannot be had.
        """
        base = self._settings.proof_pages_url or self._settings.public_url
        url = f"{base.rstrip('/')}/{path.lstrip('/')}/message"
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status in {404, 410}:
                    raise _NeverAPicture(f"the proof's page answers {answer.status}")
                if answer.status != 200:
                    raise NoPicture(f"the proof's page answers {answer.status}")
                body = await answer.content.read(PAGE_BYTES + 1)
                if len(body) > PAGE_BYTES:
                    raise _NeverAPicture(f"the message is over {PAGE_BYTES} bytes")
                return body.decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise NoPicture(f"the proof's page: {type(problem).__name__}") from None

    async def _upload(self, wanted: Wanted, png: bytes) -> str:
        """Return Slack's id of the uploaded picture; an upload whose answer is lost is made anew.

        Nobody sees a file that no message shows.
        """
        what = "proof" if wanted.message_key is None else "chart"
        name = f"{what}-{wanted.approval_id}-{wanted.revision}.png"
        file_id = await send_bytes(self._client, name, png)
        await complete(self._client, file_id, name)
        return file_id

    async def _later(self, wanted: Wanted, seconds: float, error: str) -> None:
        async with self._uow.begin() as work:
            await Album(work.connection).later(wanted, later(self._uow.clock, seconds), error)

    async def _given_up(self, wanted: Wanted, error: str) -> None:
        log.warning(
            "slack.no_picture", of=wanted.message_key or str(wanted.approval_id), reason=error
        )
        async with self._uow.begin() as work:
            await Album(work.connection).done(wanted, work.now, error or "given up")


class _NeverAPicture(NoPicture):
    """Trying again cannot help."""
