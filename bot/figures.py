"""Budgets and stock lines in lists: pure, from states to what Slack shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import orjson

from bot import formats
from bot.blocks import actions, button, content, header, section
from bot.cards import Setting
from bot.cutting import clip, esc
from bot.limits import Json
from bot.reading import PAGE, Listed
from bot.words import say
from topics.budget import BudgetState
from topics.stock import StockLineState

T = TypeVar("T")
WORDS_CHARS: Final = 60
LEVELS: Final = ("budget_reserved", "budget_committed", "budget_spent", "budget_invoiced")
"""The words of what takes money from a budget, in the order in which an amount goes through."""
_TITLES: Final = {"budget": "budget_list", "stock": "stock_list"}


def turn_value(start: int, words: str) -> str:
    """Return what a button of a list holds: where its page starts, and the words looked for."""
    return orjson.dumps([start, clip(words, WORDS_CHARS)]).decode()


def read_turn(value: str) -> tuple[int, str]:
    """Return the start and the words of a button's value.

    Raises:
        ValueError: it is no value of ours.
    """
    start, words = orjson.loads(value)
    return max(0, int(start)), str(words)


def budget_list(page: Listed[BudgetState], setting: Setting) -> Json:
    """Return a page of budgets with what is held, spent and left of each."""
    return _listed("budget", page, setting, lambda state: budget_lines(state, setting.language))


def stock_list(page: Listed[StockLineState], setting: Setting) -> Json:
    """Return a page of stock lines, those at their alert level first."""
    return _listed("stock", page, setting, lambda state: stock_lines(state, setting.language))


def _listed(kind: str, page: Listed[T], setting: Setting, lines: Callable[[T], str]) -> Json:
    language = setting.language
    title = say(language, _TITLES[kind])
    blocks = [header(title)]
    if not page.rows:
        word = f"no_such_{kind}" if page.words else f"no_{kind}"
        blocks.append(section(say(language, word, words=esc(page.words))))
    blocks += [section(lines(state)) for state in page.rows]
    found = []
    if page.start > 0:
        before = turn_value(max(0, page.start - PAGE), page.words)
        found.append(button(say(language, "previous_page"), f"{kind}_back", before))
    if page.more:
        after = turn_value(page.start + PAGE, page.words)
        found.append(button(say(language, "next_page"), f"{kind}_on", after))
    if found:
        # The sign stands for a button's value, which is never empty.
        asked = f"={clip(page.words, WORDS_CHARS)}"
        found.append(button(say(language, "as_file"), f"{kind}_file", asked))
    return content(title, [*blocks, *([actions(f"{kind}_turns", found)] if found else [])])


def budget_lines(state: BudgetState, language: str) -> str:
    """Return a budget's sums; left is what was allocated less what is on any level but planned."""

    def money(minor: int) -> str:
        return formats.money(minor, state.currency, language)

    used = state.allocated_minor - state.left_minor
    icon = ":red_circle: " if state.left_minor <= 0 else ""

    amounts = (
        state.reserved_minor,
        state.committed_minor,
        state.spent_minor,
        state.invoiced_minor,
    )
    taken = [
        say(language, word, amount=money(amount))
        for word, amount in zip(LEVELS, amounts, strict=True)
        if amount or word == "budget_spent"
    ]
    line = say(
        language,
        "budget_line",
        allocated=money(state.allocated_minor),
        taken=" − ".join(taken),
        left=money(state.left_minor),
    )
    if state.planned_minor:
        planned = say(language, "budget_planned", amount=money(state.planned_minor))
        line = f"{line} · {planned}"
    bar = formats.progress_bar(used, state.allocated_minor)
    return f"{icon}*{esc(state.label)}*\n{bar}\n{line}"


def stock_lines(state: StockLineState, language: str) -> str:
    """Return a stock line's counts; free is what is in stock and not reserved."""
    icon = ":warning: " if state.alert else ""
    line = say(
        language,
        "stock_line",
        in_stock=formats.count(state.in_stock, language),
        reserved=formats.count(state.reserved, language),
        free=formats.count(state.in_stock - state.reserved, language),
        on_order=formats.count(state.on_order, language),
        alert=formats.count(state.alert_level, language),
    )
    return f"{icon}*{esc(state.label)}* ({esc(state.stock)})\n{line}"
