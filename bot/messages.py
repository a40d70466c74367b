"""Messages that stand in Slack: posted once, changed where they stand.

An attempt is noted before its call; when the answer is lost, the message is looked up by our key in
its metadata before it is posted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.channels import fall_back
from bot.limits import Json, fitted_message
from bot.outgoing import Outgoing, Posting
from bot.pump import back_off, later, lease_is_short
from bot.settings import BotSettings
from bot.slack import EVENT_TYPE, NOT_THERE, Denied, Limited, Lost, Places, answered, find_posted
from bot.teams import HOME
from shared.logs import logger
from shared.uow import UnitOfWork

log = logger(__name__)

LOST_WAIT: Final = 2.0
"""After a lost answer: the call may still be on its way, so the look-up waits a little."""


class Messages:
    """Shows in Slack what stands in the rows of messages."""

    def __init__(
        self,
        uow: UnitOfWork,
        client: AsyncWebClient,
        places: Places,
        settings: BotSettings,
        team: str = HOME,
    ) -> None:
        self._uow = uow
        self._client = client
        self._places = places
        self._settings = settings
        self._team = team
        self._quiet_until = 0.0

    async def claim(self, limit: int) -> Sequence[Posting]:
        """Take messages whose turn has come; none while Slack asks to wait."""
        if asyncio.get_running_loop().time() < self._quiet_until:
            return ()
        async with self._uow.begin() as work:
            return await Outgoing(work.connection, work.now).claim_messages(limit, self._team)

    async def send(self, posting: Posting) -> None:
        """Post or change one message, and note what came of it."""
        if lease_is_short(self._uow.clock, posting.lease_until):
            return
        try:
            channel = posting.channel or await self._places.find(posting.target)
            ts, shown = await self._shown_at(posting, channel)
        except Limited as limit:
            self._quiet_until = asyncio.get_running_loop().time() + limit.seconds
            await self._later(posting, limit.seconds, limit.error)
        except Denied as problem:
            if problem.error in NOT_THERE and await self._fell_back(posting, problem):
                return
            if problem.hopeless and has_picture(posting.content):
                await self._without_pictures(posting)
            else:
                await self._denied(posting, problem)
        except Lost as problem:
            await self._later(posting, LOST_WAIT + back_off(posting.attempts), str(problem))
        else:
            await self._shown(posting, channel, ts, shown)

    async def _shown_at(self, posting: Posting, channel: str) -> tuple[str, str]:
        """Return (ts, content hash) of the message as Slack shows it now."""
        if posting.ts is not None:
            await answered(self._client.chat_update(channel=channel, ts=posting.ts, **_of(posting)))
            return posting.ts, posting.wanted_hash
        if posting.unsure_since is not None:
            found = await find_posted(
                self._client,
                channel,
                posting.key,
                since=posting.unsure_since,
                thread_ts=posting.thread_ts,
            )
            if found is not None:
                log.info("slack.found_again", key=posting.key)
                return found
        return await self._post(posting, channel), posting.wanted_hash

    async def _post(self, posting: Posting, channel: str) -> str:
        """Post a message; what Slack refuses for sure need not be looked up later."""
        if lease_is_short(self._uow.clock, posting.lease_until):
            raise Lost("looking for the place took too long")
        try:
            posted = await answered(
                self._client.chat_postMessage(
                    channel=channel,
                    thread_ts=posting.thread_ts,
                    unfurl_links=False,
                    **_of(posting),
                )
            )
        except Denied as problem:
            if not problem.hopeless:
                async with self._uow.begin() as work:
                    await Outgoing(work.connection, work.now).surely_not_posted(posting.key)
            raise
        return str(posted["ts"])

    async def _shown(self, posting: Posting, channel: str, ts: str, shown: str) -> None:
        async with self._uow.begin() as work:
            await Outgoing(work.connection, work.now).shown(
                posting.key,
                channel=channel,
                ts=ts,
                shown_hash=shown,
                next_at=work.now + timedelta(seconds=self._settings.slack_update_seconds),
            )

    async def _later(self, posting: Posting, seconds: float, error: str) -> None:
        log.info("slack.message_later", key=posting.key, reason=error, seconds=seconds)
        async with self._uow.begin() as work:
            outgoing = Outgoing(work.connection, work.now)
            await outgoing.message_later(posting.key, later(self._uow.clock, seconds), error)

    async def _without_pictures(self, posting: Posting) -> None:
        """Show the message without its picture: Slack may take a file back that it had."""
        log.warning("slack.picture_refused", key=posting.key)
        async with self._uow.begin() as work:
            outgoing = Outgoing(work.connection, work.now)
            await outgoing.replace(
                posting.key, posting.wanted_hash, without_pictures(posting.content)
            )

    async def _fell_back(self, posting: Posting, problem: Denied) -> bool:
        """Have what waits for the channel go to the default one, if this is not that one."""
        self._places.forget(posting.target)
        async with self._uow.begin() as work:
            fell_back = await fall_back(posting.target, problem.error, work)
        if fell_back:
            log.warning("slack.channel_lost", channel=posting.target, reason=problem.error)
        return fell_back

    async def _denied(self, posting: Posting, problem: Denied) -> None:
        if not problem.hopeless:
            await self._later(posting, back_off(posting.attempts), problem.error)
            return
        log.error("slack.message_refused", key=posting.key, reason=problem.error)
        async with self._uow.begin() as work:
            outgoing = Outgoing(work.connection, work.now)
            await outgoing.message_failed(posting.key, problem.error)


def has_picture(content: Json) -> bool:
    """Whether a message shows a file of Slack's."""
    return any("slack_file" in block for block in content["blocks"])


def without_pictures(content: Json) -> Json:
    """Return a message without the files of Slack's that it shows."""
    kept = [block for block in content["blocks"] if "slack_file" not in block]
    return content | {"blocks": kept}


def _of(posting: Posting) -> Json:
    """Return what a message says, with our key in its metadata so that it can be found again."""
    payload = {"key": posting.key, "hash": posting.wanted_hash}
    return fitted_message(posting.content) | {
        "metadata": {"event_type": EVENT_TYPE, "event_payload": payload}
    }
