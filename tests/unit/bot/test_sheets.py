"""Lists as files: every list has its columns, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from bot.sheets import COLUMNS, Sheet, as_csv, named_in
from tests.unit.bot import samples
from tests.unit.bot.samples import ENGLISH, FRENCH
from topics.delivery import ApprovalKind

EVIL = '=HYPERLINK("http://evil","<x>");a'
ROWS: dict[Sheet, Any] = {
    Sheet.CAMPAIGNS: samples.a_campaign(label=EVIL),
    Sheet.APPROVALS: samples.an_approval(campaign_label=EVIL),
    Sheet.BUDGETS: samples.a_budget(label=EVIL, left_minor=-5),
    Sheet.STOCK: samples.a_stock_line(label=EVIL, stock="@home", alert=True),
}
PEOPLE = samples.PEOPLE


def table(data: bytes, separator: str) -> list[list[str]]:
    text = data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


@pytest.mark.parametrize("sheet", list(Sheet))
def test_each_list_has_as_many_cells_as_titles_and_none_is_a_formula(sheet: Sheet) -> None:
    for setting, separator in ((ENGLISH, ","), (FRENCH, ";")):
        titles, row = table(as_csv(sheet, [ROWS[sheet]], PEOPLE, setting), separator)
        assert len(titles) == len(row) == len(COLUMNS[sheet].titles)
        assert len(set(titles)) == len(titles)
        assert f"'{EVIL}" in row
        assert not [cell for cell in row if cell.startswith(("=", "+", "@", "\t"))]


def test_amounts_and_times_read_as_a_spreadsheet_of_the_language_takes_them() -> None:
    (_, english), (_, french) = (
        table(as_csv(Sheet.BUDGETS, [ROWS[Sheet.BUDGETS]], {}, setting), separator)
        for setting, separator in ((ENGLISH, ","), (FRENCH, ";"))
    )
    assert (english[2], french[2]) == ("10000.00", "10000,00")
    # A number below nought is a number, not a formula.
    assert (english[-1], french[-1]) == ("-0.05", "-0,05")
    (_, campaign) = table(as_csv(Sheet.CAMPAIGNS, [ROWS[Sheet.CAMPAIGNS]], PEOPLE, ENGLISH), ",")
    assert campaign[0] == "C-1042"
    assert campaign[5] == "Camille Martin"


def test_every_kind_of_approval_is_named() -> None:
    for kind in ApprovalKind:
        state = samples.an_approval(kind=kind)
        _, row = table(as_csv(Sheet.APPROVALS, [state], {}, FRENCH), ";")
        assert "C-1042" in row[2]
        # Who is not known here is shown as named.
        assert row[4] == named_in(state)
