"""Reminders by direct message, in their reader's working hours, each once.

What deliveryMgt wants reminded stands in rows; this loop sends what is due. Who has left is named
to the rest, and when all have, whoever asked and the administrators are told.
"""

from __future__ import annotations

import asyncio
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot import notices
from bot.acquaintance import Acquaintance
from bot.answers import personal
from bot.approvals import beside, tell_nobody_is_left
from bot.handlers import outgoing_of
from bot.hours import when_to_remind
from bot.pump import later, lease_is_short
from bot.roster import Reminder, Roster, zone_of
from bot.settings import BotSettings
from bot.slack import Limited
from bot.teams import HOME
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.uow import UnitOfWork
from shared.waiting import wait_or_stop
from topics.delivery import ApprovalOutcome, ApprovalState

log = logger(__name__)

IDLE_SECONDS: Final = 1.0


class Reminding:
    """Reminds the people of one workspace; any number of bots may."""

    def __init__(
        self, uow: UnitOfWork, client: AsyncWebClient, settings: BotSettings, team: str = HOME
    ) -> None:
        self._uow = uow
        self._settings = settings
        self._acquaintance = Acquaintance(uow, client, team)
        self._team = team

    async def run(self, stop: asyncio.Event) -> None:
        """Look for people to ask about and reminders to send until ``stop`` is set."""
        while not stop.is_set():
            try:
                busy = await self._acquaintance.meet() or await self._sweep()
            except INTERRUPTIONS as problem:
                log.warning("slack.rows_unreadable", error=reason_of(problem))
                busy = False
            if not busy:
                await wait_or_stop(stop, IDLE_SECONDS)

    async def _sweep(self) -> bool:
        """Take the reminders that are due; return whether there were any."""
        async with self._uow.begin() as work:
            found = await Roster(work.connection).sweep(work.now, self._team)
        for reminder in found:
            if lease_is_short(self._uow.clock, reminder.lease_until):
                break
            await self._remind(reminder)
        return bool(found)

    async def _remind(self, reminder: Reminder) -> None:
        """Send a reminder, put it off to when its reader works, or drop it."""
        state = reminder.state
        if state is None or not _is_open(reminder, state):
            await self._done(reminder, "no longer needed")
        elif reminder.superseded:
            await self._done(reminder, "a later one follows")
        elif reminder.slack_user_id is None:
            await self._done(reminder, "not in Slack")
        else:
            await self._at_their_time(reminder, state, reminder.slack_user_id)

    async def _at_their_time(
        self, reminder: Reminder, state: ApprovalState, slack_user_id: str
    ) -> None:
        try:
            quiet = await self._acquaintance.quiet_until(slack_user_id)
        except Limited as limit:
            async with self._uow.begin() as work:
                at = later(self._uow.clock, limit.seconds)
                await Roster(work.connection).later(reminder, at)
            return
        async with self._uow.begin() as work:
            due = when_to_remind(
                work.now,
                zone=zone_of(reminder.zone, self._settings.zone),
                hours=self._settings.reminder_hours_of_work,
                quiet_until=quiet or work.now,
                deadline=state.deadline_at,
            )
            roster = Roster(work.connection)
            if due > work.now:
                await roster.later(reminder, due)
                return
            known = await beside(state, work)
            person = known.people.get(reminder.operator_id)
            if person is None or person.has_left:
                await roster.done(reminder, "has left", work.now)
                await tell_nobody_is_left(state, known, work)
                return
            words = notices.reminder(
                state,
                number=reminder.number,
                deadline_at=state.deadline_at,
                now=work.now,
                beside=known,
                setting=personal(work, person),
                to=reminder.operator_id,
            )
            key = f"reminder:{state.approval_id}:{state.revision}:{reminder.number}"
            await outgoing_of(work).show(f"{key}:{reminder.operator_id}", slack_user_id, words)
            await roster.done(reminder, "sent", work.now)

    async def _done(self, reminder: Reminder, outcome: str) -> None:
        async with self._uow.begin() as work:
            await Roster(work.connection).done(reminder, outcome, work.now)


def _is_open(reminder: Reminder, state: ApprovalState) -> bool:
    return state.outcome is ApprovalOutcome.PENDING and state.revision == reminder.revision
