"""Calls made once: forms opened and changed, words to one person, from rows or at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from slack_sdk.web.async_client import AsyncWebClient

from bot.filing import Filing
from bot.form_store import Forms
from bot.limits import Json, fitted_message, fitted_view
from bot.outgoing import Call, CallKind, Outgoing
from bot.pump import LONGEST_WAIT, back_off, later, lease_is_short, surely
from bot.settings import BotSettings
from bot.slack import NOT_THERE, Denied, Limited, Lost, Places, answered
from bot.teams import HOME, bare, team_of
from shared.logs import logger
from shared.uow import UnitOfWork

log = logger(__name__)

WHISPERS: Final = 200
STALE_HASH: Final = "hash_conflict"
"""Slack: the view was changed since it had this hash."""


class Calls:
    """Makes the calls that stand in rows, and whispers what needs none."""

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
        self._team = team
        self._filing = Filing(uow, client, places, settings)
        self._whispers: asyncio.Queue[tuple[str, str, Json]] = asyncio.Queue(WHISPERS)

    def whisper(self, user: str, channel: str, content: Json) -> None:
        """Tell one person something at once, without a row; dropped when too much waits."""
        try:
            self._whispers.put_nowait((user, channel, content))
        except asyncio.QueueFull:
            log.warning("slack.whisper_dropped")

    async def whisper_on(self) -> None:
        """Say what was handed to :meth:`whisper`, until cancelled."""
        while True:
            user, channel, content = await self._whispers.get()
            try:
                await self._tell(user, channel, content)
            except Limited as limit:
                await asyncio.sleep(min(limit.seconds, LONGEST_WAIT))
                await surely(self._tell(user, channel, content))
            except (Denied, Lost) as problem:
                log.info("slack.whisper_lost", reason=str(problem))

    async def claim(self, limit: int) -> Sequence[Call]:
        """Take calls whose turn has come."""
        async with self._uow.begin() as work:
            return await Outgoing(work.connection, work.now).claim_calls(limit, self._team)

    async def send(self, call: Call) -> None:
        """Make one call, and note what came of it."""
        if lease_is_short(self._uow.clock, call.lease_until):
            return
        if call.expires_at <= self._uow.clock.now():
            await self._given_up(call, "expired")
            return
        try:
            await self._make(call)
        except Limited as limit:
            await self._call_later(call, limit.seconds, limit.error)
        except Denied as problem:
            if call.kind is CallKind.TELL and not problem.hopeless:
                await self._call_later(call, back_off(call.attempts), problem.error)
            else:
                await self._given_up(call, problem.error)
        except Lost as problem:
            # Opening a form is a matter of seconds; what one person is told may come twice.
            wait = 0.1 if call.kind is CallKind.OPEN else back_off(call.attempts)
            await self._call_later(call, wait, str(problem))
        else:
            await self._done(call, "")

    async def _make(self, call: Call) -> None:
        given = call.arguments
        if call.kind is CallKind.TELL:
            await self._tell(given["user"], given["channel"], given["content"])
        elif call.kind is CallKind.HOME:
            view = fitted_view(given["view"])
            await answered(self._client.views_publish(user_id=bare(given["user"]), view=view))
        elif call.kind is CallKind.UPDATE:
            await self._change_form(given)
        elif call.kind is CallKind.FILE:
            await self._filing.send(given)
        else:
            view = fitted_view(given["view"])
            opening = self._client.views_open(trigger_id=given["trigger_id"], view=view)
            opened = await answered(opening)
            if "form" in given:
                await self._note_hash(given, opened["view"]["hash"])

    async def _change_form(self, given: Json) -> None:
        """Change a campaign form where it stands, unless it is at another step by now."""
        async with self._uow.begin() as work:
            form = await Forms(work.connection).find(UUID(given["form"]))
        if form is None or form.turn != given["turn"]:
            log.info("slack.form_overtaken", campaign_id=given["form"])
            return
        view = fitted_view(given["view"])
        update = self._client.views_update(
            view=view, external_id=given["view"]["external_id"], hash=form.view_hash
        )
        try:
            changed = await answered(update)
        except Denied as problem:
            if problem.error != STALE_HASH:
                raise
            # Either its last change had no answer, or a step is being taken: the turn will tell.
            await self._note_hash(given, None)
            raise Lost(STALE_HASH) from None
        await self._note_hash(given, changed["view"]["hash"])

    async def _note_hash(self, given: Json, view_hash: str | None) -> None:
        async with self._uow.begin() as work:
            forms = Forms(work.connection)
            await forms.note_hash(UUID(given["form"]), given["turn"], view_hash)

    async def _given_up(self, call: Call, error: str) -> None:
        """Note that a call will not be made; tell who waits for a form or a file without it."""
        opened_before = call.attempts > 1 and error == "exchanged_trigger_id"
        if call.kind in {CallKind.OPEN, CallKind.FILE} and not opened_before:
            log.warning("slack.asked_in_vain", kind=call.kind, reason=error)
            late = call.arguments["teller"]
            self.whisper(late["user"], late["channel"], late["content"])
        await self._done(call, error)

    async def _done(self, call: Call, error: str) -> None:
        async with self._uow.begin() as work:
            await Outgoing(work.connection, work.now).call_done(call.seq, error)

    async def _call_later(self, call: Call, seconds: float, error: str) -> None:
        async with self._uow.begin() as work:
            outgoing = Outgoing(work.connection, work.now)
            await outgoing.call_later(call.seq, later(self._uow.clock, seconds), error)

    async def _tell(self, user: str, channel: str, content: Json) -> None:
        """Tell one person, where they asked, or by direct message where that cannot be."""
        content = fitted_message(content)
        if channel and team_of(channel) == team_of(user):
            try:
                told = self._client.chat_postEphemeral(
                    channel=bare(channel), user=bare(user), **content
                )
                await answered(told)
            except Denied as problem:
                if problem.error not in NOT_THERE:
                    raise
            else:
                return
        direct = await self._places.find(user)
        await answered(self._client.chat_postMessage(channel=direct, **content))
