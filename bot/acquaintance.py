"""Asking Slack about people: their zone and language, whether they left, until when they are quiet.

Asked outside of transactions, remembered for half a day; what Slack does not answer keeps what was
known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.approvals import show_cards_of
from bot.limits import Json
from bot.linking import introduction
from bot.roster import Roster
from bot.slack import Denied, Limited, Lost, answered
from bot.store import BotStore
from bot.teams import HOME, bare
from bot.words import FRENCH
from shared.logs import logger
from shared.uow import UnitOfWork, Work

log = logger(__name__)

AT_ONCE: Final = 20
_GONE: Final = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_LANGUAGES: Final = ("en", FRENCH)


class Acquaintance:
    """Keeps what a workspace says of its people who are operators."""

    def __init__(self, uow: UnitOfWork, client: AsyncWebClient, team: str = HOME) -> None:
        self._uow = uow
        self._client = client
        self._team = team
        self._team_id = team

    async def meet(self) -> bool:
        """Ask about those whose turn it is; return whether there were any."""
        async with self._uow.begin() as work:
            found = await Roster(work.connection).strangers(work.now, AT_ONCE, self._team)
        for slack_user_id in found:
            try:
                await self._ask(slack_user_id)
            except Limited as limit:
                log.info("slack.people_later", seconds=limit.seconds)
                return False
            except (Denied, Lost) as problem:
                # Their row's own pause brings them up again.
                log.info("slack.person_unknown", reason=str(problem))
        return bool(found)

    async def _ask(self, slack_user_id: str) -> None:
        try:
            call = self._client.users_info(user=bare(slack_user_id), include_locale=True)
            user = (await answered(call))["user"]
        except Denied as problem:
            if problem.error not in _GONE:
                raise
            user = {"deleted": True}
        own_team = await self._own_team()
        async with self._uow.begin() as work:
            changed = await Roster(work.connection).know(
                slack_user_id,
                zone=str(user.get("tz") or ""),
                language=_language(str(user.get("locale") or "")),
                has_left=bool(user.get("deleted")),
                now=work.now,
            )
            known = await BotStore(work.connection).operator_of(slack_user_id)
            if known is None:
                if user.get("team_id") == own_team:
                    _introduce(slack_user_id, user, work)
            elif changed:
                await show_cards_of(known[0], work)

    async def _own_team(self) -> str:
        """Return Slack's id of the workspace; its people's addresses are believed alone."""
        if not self._team_id:
            self._team_id = str((await answered(self._client.auth_test()))["team_id"])
        return self._team_id

    async def quiet_until(self, slack_user_id: str) -> datetime | None:
        """Return until when somebody asked not to be disturbed; ``None`` when that is not now.

        Raises:
            Limited: Slack asks to wait.
        """
        try:
            found = await answered(self._client.dnd_info(user=bare(slack_user_id)))
        except Limited:
            raise
        except (Denied, Lost) as problem:
            # Slack itself keeps the quiet of who asked for it; nobody is left unreminded.
            log.info("slack.quiet_unknown", reason=str(problem))
            return None
        return _quiet_until(found, self._uow.clock.now())


def _introduce(slack_user_id: str, user: Json, work: Work) -> None:
    """Have an account linked by its address, which Slack must have confirmed to be theirs."""
    email = str((user.get("profile") or {}).get("email") or "")
    if email and user.get("is_email_confirmed") and not user.get("deleted"):
        work.emit(introduction(work.settings.secret, slack_user_id, email))


def _language(locale: str) -> str | None:
    """Return the language of a Slack locale (``fr-FR``), if we speak it."""
    language = locale.partition("-")[0].lower()
    return language if language in _LANGUAGES else None


def _quiet_until(info: dict[str, object], now: datetime) -> datetime | None:
    """Return the end of a snooze or of the quiet hours that last now (seconds, Unix time)."""
    ends = []
    if info.get("snooze_enabled"):
        ends.append(_moment(info.get("snooze_endtime")))
    starts, ending = _moment(info.get("next_dnd_start_ts")), _moment(info.get("next_dnd_end_ts"))
    if info.get("dnd_enabled") and starts <= now:
        ends.append(ending)
    latest = max(ends, default=now)
    return latest if latest > now else None


def _moment(seconds: object) -> datetime:
    number = seconds if isinstance(seconds, int | float) else 0
    return datetime.fromtimestamp(min(max(number, 0), 4_102_444_800), UTC)
