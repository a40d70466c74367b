"""Lists as files: the titles and cells of each, in a person's language. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from babel.numbers import get_currency_precision

from bot.cards import Setting
from bot.labels import outcome_name, status_name
from bot.store import Person
from bot.words import FRENCH, say
from shared.cells import harmless
from topics.budget import BudgetState
from topics.campaign import CampaignState
from topics.delivery import ApprovalState
from topics.stock import StockLineState

ROWS: Final = 10_000
"""The most that a file holds: more is for the pages, or the command line."""


class Sheet(StrEnum):
    """A list that is to be had as a file."""

    CAMPAIGNS = "campaigns"
    APPROVALS = "approvals"
    BUDGETS = "budget"
    STOCK = "stock"


TITLES: Final = {
    Sheet.CAMPAIGNS: "campaigns",
    Sheet.APPROVALS: "approvals_sheet",
    Sheet.BUDGETS: "budget_list",
    Sheet.STOCK: "stock_list",
}
R = TypeVar("R")


def named_in(row: object) -> str:
    """Return the person that a row of a list names; empty where it names nobody."""
    if isinstance(row, CampaignState):
        return row.manager_id
    return row.requested_by if isinstance(row, ApprovalState) else ""


@dataclass(frozen=True, slots=True)
class Columns(Generic[R]):
    """The columns of a list: the words of each title, and what stands in a row."""

    titles: tuple[str, ...]
    cells: Callable[[R, Setting, Mapping[str, Person]], tuple[Any, ...]]


def _name(who: str, people: Mapping[str, Person]) -> str:
    return people[who].name if who in people else who


def _campaign(
    state: CampaignState, setting: Setting, people: Mapping[str, Person]
) -> tuple[Any, ...]:
    sums = state.synthesis
    return (
        f"C-{state.number}",
        state.label,
        status_name(setting.language, state.status),
        state.start_at,
        state.end_at,
        _name(state.manager_id, people),
        sums.targeted,
        sums.messages_sent,
        sums.messages_failed,
        sums.messages_pending,
        sums.messages_targeted,
    )


def _approval(
    state: ApprovalState, setting: Setting, people: Mapping[str, Person]
) -> tuple[Any, ...]:
    named = f"C-{state.campaign_number}"
    return (
        named,
        state.campaign_label,
        say(setting.language, f"kind_{state.kind}", campaign=named),
        outcome_name(setting.language, state.outcome),
        _name(state.requested_by, people),
        state.count,
        state.deadline_at,
    )


def _budget(
    state: BudgetState, _setting: Setting, _people: Mapping[str, Person]
) -> tuple[Any, ...]:
    amounts = (
        state.allocated_minor,
        state.planned_minor,
        state.reserved_minor,
        state.committed_minor,
        state.spent_minor,
        state.invoiced_minor,
        state.left_minor,
    )
    scale = get_currency_precision(state.currency)
    return state.label, state.currency, *(Decimal(minor).scaleb(-scale) for minor in amounts)


def _stock(
    state: StockLineState, setting: Setting, _people: Mapping[str, Person]
) -> tuple[Any, ...]:
    return (
        state.stock,
        state.label,
        state.in_stock,
        state.reserved,
        state.in_stock - state.reserved,
        state.on_order,
        state.alert_level,
        say(setting.language, "sheet_low") if state.alert else "",
    )


COLUMNS: Final[dict[Sheet, Columns[Any]]] = {
    Sheet.CAMPAIGNS: Columns(
        (
            *("col_number", "label", "state", "start_date", "end_date", "manager", "targeted"),
            *("col_sent", "col_failed", "col_pending", "messages"),
        ),
        _campaign,
    ),
    Sheet.APPROVALS: Columns(
        (*("col_number", "label", "col_kind", "state", "asked_by", "count", "deadline"),),
        _approval,
    ),
    Sheet.BUDGETS: Columns(
        (
            *("label", "col_currency", "col_allocated", "col_planned", "col_reserved"),
            *("col_committed", "col_spent", "col_invoiced", "col_left"),
        ),
        _budget,
    ),
    Sheet.STOCK: Columns(
        (
            *("stock_warning", "label", "col_in_stock", "col_reserved", "col_free"),
            *("col_on_order", "col_alert_level", "col_alert"),
        ),
        _stock,
    ),
}


def as_csv(
    sheet: Sheet, rows: Iterable[Any], people: Mapping[str, Person], setting: Setting
) -> bytes:
    """Return a list as CSV (RFC 4180, every cell quoted) with a byte-order mark.

    French spreadsheets want semicolons between the cells.
    """
    columns, language = COLUMNS[sheet], setting.language
    made = io.StringIO()
    separator = ";" if language == FRENCH else ","
    writer = csv.writer(made, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow([say(language, title) for title in columns.titles])
    for row in rows:
        writer.writerow(_texts(columns.cells(row, setting, people), setting))
    return made.getvalue().encode("utf-8-sig")


def _texts(cells: Sequence[Any], setting: Setting) -> list[str]:
    return [_text(cell, setting) for cell in cells]


def _text(cell: Any, setting: Setting) -> str:
    """Return a cell's text; a number below nought is no formula."""
    if isinstance(cell, datetime):
        return cell.astimezone(setting.zone).strftime("%Y-%m-%d %H:%M")
    if isinstance(cell, int | Decimal):
        text = str(cell)
        return text.replace(".", ",") if setting.language == FRENCH else text
    return harmless(str(cell))
