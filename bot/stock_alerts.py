"""Alerts of stock lines: told to the line's group, once a crossing, and when goods are back."""

from __future__ import annotations

from typing import Final

from bot import formats
from bot.blocks import content, section
from bot.bulletins import MOST_TOLD, publish, revise
from bot.cards import Setting
from bot.cutting import esc
from bot.limits import Json
from bot.store import BotStore
from bot.words import say
from shared.registry import Registry
from shared.uow import Work
from topics.stock import StockAlertCleared, StockAlertRaised

registry: Final = Registry()


def raised(event: StockAlertRaised, setting: Setting) -> Json:
    """Return the word that a line fell to its alert level."""
    language = setting.language
    line = say(
        language,
        "stock_low",
        label=esc(event.label),
        stock=esc(event.stock) or "–",
        left=formats.count(event.in_stock, language),
        level=formats.count(event.alert_level, language),
        order=formats.count(event.on_order, language),
    )
    return content(line, [section(f":warning: {line}")])


def cleared(event: StockAlertCleared, setting: Setting) -> Json:
    """Return what that word becomes once there is enough again."""
    left = formats.count(event.in_stock, setting.language)
    line = say(setting.language, "stock_back", label=esc(event.label), left=left)
    return content(line, [section(f":white_check_mark: {line}")])


@registry.on(StockAlertRaised)
async def tell_raised(event: StockAlertRaised, work: Work) -> None:
    """Tell everybody in the line's group."""
    group = await BotStore(work.connection).group(event.group, MOST_TOLD) if event.group else []
    await publish(_key(event), group, lambda setting: raised(event, setting), work)


@registry.on(StockAlertCleared)
async def tell_cleared(event: StockAlertCleared, work: Work) -> None:
    """Have what was told of this crossing say that there is enough again."""
    await revise(_key(event), lambda setting: cleared(event, setting), work)


def _key(event: StockAlertRaised | StockAlertCleared) -> str:
    return f"stock:{event.line_id}:{event.crossing}"
