"""Failed workflows and late services, told to supervisors; the message says when all is well."""

from __future__ import annotations

from typing import Final

from bot import formats
from bot.blocks import content, section
from bot.bulletins import MOST_TOLD, publish, revise
from bot.cards import Setting
from bot.cutting import esc
from bot.limits import Json
from bot.lists import start_button
from bot.store import BotStore
from bot.words import say
from shared.registry import Registry
from shared.rights import Right, roles_with
from shared.uow import Work
from topics.workflows import Trouble, TroubleCleared, TroubleRaised

registry: Final = Registry()
SHOWN_NAMES: Final = 12


def raised(event: TroubleRaised, setting: Setting) -> Json:
    """Return the word that something is wrong, with a start button for a failed workflow."""
    language = setting.language
    names = ", ".join(f"*{esc(name)}*" for name in event.names[:SHOWN_NAMES])
    line = say(
        language,
        f"trouble_{event.trouble}",
        name=esc(event.name),
        names=names or "–",
        at=formats.moment(event.since, setting.zone, language),
    )
    start = start_button(event.name, language) if event.trouble is Trouble.FAILED else None
    blocks = [section(f":red_circle: {line}", accessory=start)]
    if event.error:
        blocks.append(section(f"`{esc(event.error, 1000)}`"))
    return content(line, blocks)


def cleared(event: TroubleCleared, setting: Setting) -> Json:
    """Return what that word becomes once all is well."""
    line = say(setting.language, f"trouble_{event.trouble}_over", name=esc(event.name))
    return content(line, [section(f":large_green_circle: {line}")])


@registry.on(TroubleRaised)
async def tell_raised(event: TroubleRaised, work: Work) -> None:
    """Tell the supervisors; those who may control workflows, where none of them is in Slack."""
    store = BotStore(work.connection)
    people = await store.operators([str(one) for one in event.supervisors], MOST_TOLD)
    if not people:
        people = await store.in_roles(roles_with(Right.CONTROL_WORKFLOWS), MOST_TOLD)
    await publish(_key(event), people, lambda setting: raised(event, setting), work)


@registry.on(TroubleCleared)
async def tell_cleared(event: TroubleCleared, work: Work) -> None:
    """Have what was told say that it is over."""
    await revise(_key(event), lambda setting: cleared(event, setting), work)


def _key(event: TroubleRaised | TroubleCleared) -> str:
    return f"trouble:{event.trouble}:{event.name}:{event.since:%Y%m%dT%H%M%S%f}"
