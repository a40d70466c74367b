"""Service levels in Slack: asked for by ``/events levels``, told when one crosses its threshold."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot.album import Album
from bot.answers import person_of, personal
from bot.blocks import content
from bot.bulletins import MOST_TOLD, publish, revise
from bot.front import NOTHING, Visit
from bot.handlers import outgoing_of
from bot.level_cards import crossed, level_card, over
from bot.level_chart import chart
from bot.limits import Json
from bot.memory import Memory
from bot.places import settings_of
from bot.store import BotStore
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, roles_with
from shared.uow import Work
from topics.levels import AskForLevels, Grade, LevelsTold, ServiceLevelCrossed

registry: Final = Registry()
WORDS: Final = frozenset({"levels", "niveaux"})
"""What ``/events`` takes for the card; an event of that name is found by its id."""


async def ask(visit: Visit) -> Json:
    """Ask Message Center for its service levels; the card comes when they do."""
    refusal = visit.refusal(Right.READ)
    if refusal:
        return refusal
    if not await visit.once():
        return NOTHING
    ask_id = new_id()
    await visit.memory.ask(_subject(ask_id), visit.ask, visit.work.now)
    visit.work.emit(AskForLevels(ask_id=ask_id, actor=visit.actor))
    return content(visit.say("levels_asked"))


def _subject(ask_id: UUID) -> str:
    return f"levels:{ask_id}"


@registry.on(LevelsTold)
async def show_levels(told: LevelsTold, work: Work) -> None:
    """Show who asked how service levels stand, and have the picture made."""
    for asked in await Memory(work.connection).answered(_subject(told.ask_id)):
        person = await person_of(work, asked.operator_id)
        if person is None or not person.slack_user_id:
            continue
        setting = personal(work, person)
        key = _subject(told.ask_id)
        await outgoing_of(work).show(key, person.slack_user_id, level_card(told, setting))
        drawn = chart(told, setting)
        if drawn is not None and settings_of(work).slack_is_on:
            await Album(work.connection).want_chart(told.ask_id, key, drawn, work.now)


@registry.on(ServiceLevelCrossed)
async def tell_crossed(event: ServiceLevelCrossed, work: Work) -> None:
    """Tell the supervisors of a crossing, once; what was told before says how it goes on."""
    key = f"level:{event.crossing_id}"
    if event.after is Grade.NORMAL:
        await revise(f"{key}:warning", lambda setting: over(event, setting), work)
        await revise(f"{key}:alert", lambda setting: over(event, setting), work)
    elif event.before is Grade.ALERT:
        await revise(f"{key}:alert", lambda setting: crossed(event, setting), work)
        return
    people = await BotStore(work.connection).in_roles(
        roles_with(Right.CONTROL_WORKFLOWS), MOST_TOLD
    )
    await publish(f"{key}:{event.after}", people, lambda setting: crossed(event, setting), work)
