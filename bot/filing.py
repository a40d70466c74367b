"""Lists as files: asked for by a button, made and sent into the person's direct messages."""

from __future__ import annotations

import re
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import formats
from bot.actions import pressed, sender_of
from bot.asked import CampaignFilter
from bot.blocks import content
from bot.cards import Setting
from bot.front import NOTHING, Front, Visit
from bot.limits import Json
from bot.reading import Reading, Which
from bot.settings import BotSettings
from bot.sheets import ROWS, TITLES, Sheet, as_csv, named_in
from bot.slack import Places
from bot.store import BotStore
from bot.teams import team_of
from bot.uploads import complete, send_bytes
from bot.words import say
from shared.rights import Right, find
from shared.uow import UnitOfWork, Work

_FILE: Final = re.compile(rf"^({'|'.join(Sheet)})_file$")
"""The buttons."""


def attach(app: AsyncApp, front: Front) -> None:
    """Register the buttons."""

    async def asked(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        sheet = Sheet(name.removesuffix("_file"))
        await front.click(ack, sender_of(body), lambda visit: ask(visit, sheet, value))

    app.action(_FILE)(asked)


async def ask(visit: Visit, sheet: Sheet, value: str) -> Json:
    """Have a list sent as a file to who asks for it; its rows are those of the moment it leaves."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    if not await visit.once():
        return NOTHING
    wanted = {
        "sheet": sheet.value,
        "value": value,
        "user": visit.sender.user,
        "operator_id": visit.known.operator_id,
        "language": visit.language,
    }
    late = content(visit.say("file_late"))
    teller = {"user": visit.sender.user, "channel": visit.sender.channel, "content": late}
    await visit.outgoing.send_file(wanted, teller, key=visit.sender.trigger)
    return content(visit.say("file_comes"))


class Filing:
    """Makes lists as files and uploads them."""

    def __init__(
        self, uow: UnitOfWork, client: AsyncWebClient, places: Places, settings: BotSettings
    ) -> None:
        self._uow = uow
        self._client = client
        self._places = places
        self._settings = settings

    async def send(self, wanted: Json) -> None:
        """Make and send one file; who may no longer read gets none.

        Raises:
            Limited, Denied, Lost: as any call; an answer that is lost may bring the file twice.
        """
        setting = Setting(
            wanted["language"],
            self._settings.zone,
            self._settings.public_url,
            team_of(wanted["user"]),
        )
        async with self._uow.begin() as work:
            made = await _made(wanted, setting, work)
        if made is None:
            return
        data, comment = made
        sheet = Sheet(wanted["sheet"])
        name = f"{say(setting.language, TITLES[sheet])}.csv"
        channel = await self._places.find(wanted["user"])
        file_id = await send_bytes(self._client, name, data)
        await complete(self._client, file_id, name, channel=channel, comment=comment)


async def _made(wanted: Json, setting: Setting, work: Work) -> tuple[bytes, str] | None:
    """Return a list as CSV and what is said with it; ``None`` to who may not read."""
    operator = await find(work, wanted["operator_id"])
    if operator is None or not operator.active or not operator.may(Right.READ):
        return None
    sheet = Sheet(wanted["sheet"])
    rows = await _rows(
        sheet,
        wanted["value"],
        work,
        operator.operator_id,
        may_approve=operator.may(Right.APPROVE),
    )
    people = await BotStore(work.connection).people(set(map(named_in, rows)))
    shown = rows[:ROWS]
    comment = say(
        setting.language,
        "file_cut" if len(rows) > ROWS else "file_is",
        title=say(setting.language, TITLES[sheet]),
        at=formats.moment(work.now, setting.zone, setting.language),
        count=formats.count(len(shown), setting.language),
    )
    return as_csv(sheet, shown, people, setting), comment


async def _rows(
    sheet: Sheet, value: str, work: Work, operator_id: str, *, may_approve: bool
) -> list[Any]:
    """Return the rows of a list, one more than a file holds where there are more."""
    reading, most = Reading(work.connection), ROWS + 1
    if sheet is Sheet.CAMPAIGNS:
        page = await reading.campaigns(CampaignFilter.read(value), operator_id, most=most)
        return list(page.rows)
    if sheet is Sheet.APPROVALS:
        waiting = await reading.approvals(
            Which(value), operator_id, work.now, may_approve=may_approve, most=most
        )
        return list(waiting.rows)
    words = value.removeprefix("=")
    if sheet is Sheet.BUDGETS:
        return list((await reading.budgets(words, most=most)).rows)
    return list((await reading.stock(words, most=most)).rows)
