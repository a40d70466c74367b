"""Files of every format, read back by the programs that take them: the standard library's."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supplier.domain.rendering import text_sheet
from services.supplier.spreadsheet import LONGEST_CELL, Sheet, sheet_of
from topics.supplier import FileEncoding, FileFormat, FileLayout, LineEnd, Separator

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COLUMNS = ("recipient", "town")
FIXED = FileLayout(format=FileFormat.FIXED_WIDTH, widths=(8, 5))
XML = FileLayout(format=FileFormat.XML)
XLSX = FileLayout(format=FileFormat.XLSX)
# What PostgreSQL's text can hold.
storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def row(recipient: str, town: str = "Lille") -> dict[str, object]:
    return {"recipient": recipient, "town": town, "phone": "left out"}


def whole(sheet: Sheet, *rows: Mapping[str, object]) -> bytes:
    content = sheet.head() + sheet.rows(rows) + b"".join(sheet.tail())
    sheet.close()
    return content


def text(layout: FileLayout, *rows: Mapping[str, object]) -> bytes:
    return whole(text_sheet(layout, COLUMNS), *rows)


def test_a_csv_file_has_its_columns_in_the_order_asked_and_ends_lines_with_crlf() -> None:
    content = text(FileLayout(), row('Anne "A" Person, Esq.'))
    assert content == b'recipient,town\r\n"Anne ""A"" Person, Esq.",Lille\r\n'


def test_separator_line_end_titles_and_names_are_the_service_s() -> None:
    layout = FileLayout(
        separator=Separator.SEMICOLON, line_end=LineEnd.LF, names=("Destinataire", "Ville")
    )
    assert text(layout, row("Zoé")) == "Destinataire;Ville\nZoé;Lille\n".encode()
    assert text(layout.model_copy(update={"titles": False}), row("Zoé")) == "Zoé;Lille\n".encode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("layout", [FileLayout(), FIXED])
def test_no_cell_of_a_text_starts_a_formula(layout: FileLayout, start: str) -> None:
    layout = layout.model_copy(update={"titles": False})
    content = text(layout, row(f"{start}SUM(A1)")).decode()
    assert content.lstrip('"').startswith("'")


@pytest.mark.parametrize("separator", list(Separator))
@pytest.mark.parametrize("foreign", [",", ";", "\t", "|"])
def test_no_formula_hides_behind_the_separator_of_another_country(
    separator: Separator, foreign: str
) -> None:
    layout = FileLayout(titles=False, separator=separator)
    content = text(layout, row(f"Anne{foreign}=1+1")).decode()
    for other in Separator:
        cells = next(csv.reader(io.StringIO(content, newline=""), delimiter=other.value))
        assert not any(cell.startswith("=") for cell in cells)


@given(st.lists(st.tuples(storable, storable), max_size=5), st.sampled_from(list(Separator)))
def test_whatever_stands_in_a_row_is_read_back_from_csv(
    pairs: list[tuple[str, str]], separator: Separator
) -> None:
    layout = FileLayout(separator=separator)
    content = text(layout, *[row(*pair) for pair in pairs]).decode()
    found = list(csv.reader(io.StringIO(content, newline=""), delimiter=separator.value))
    unquoted = [[cell.removeprefix("'") for cell in line] for line in found[1:]]
    assert unquoted == [[cell.removeprefix("'") for cell in pair] for pair in pairs]


@given(st.lists(st.tuples(storable, storable), max_size=5), st.sampled_from(list(FileEncoding)))
def test_every_line_of_a_fixed_width_file_is_as_long_as_its_columns(
    pairs: list[tuple[str, str]], encoding: FileEncoding
) -> None:
    sheet = text_sheet(FIXED.model_copy(update={"encoding": encoding, "titles": False}), COLUMNS)
    content = whole(sheet, *[row(*pair) for pair in pairs]).decode(encoding)
    lines = content.split("\r\n")[:-1]
    assert len(lines) == len(pairs)
    assert all(len(line) == 13 for line in lines)


def test_what_is_wider_than_its_column_is_cut_and_counted() -> None:
    sheet = text_sheet(FIXED, COLUMNS)
    content = whole(sheet, row("Zoé Person", "Lille"), row("Ann\nB", "Villeneuve"))
    assert content.decode() == "recipientown \r\nZoé PersLille\r\nAnn B   Ville\r\n"
    assert (sheet.cut, sheet.replaced) == (2, 0)


def test_a_character_the_encoding_lacks_becomes_its_plain_letter_or_a_mark_and_is_counted() -> None:
    sheet = text_sheet(FileLayout(encoding=FileEncoding.LATIN_1), COLUMNS)
    content = whole(sheet, row("Zoé Řezníček", "Łódź 京"))
    # Ł has no decomposition.
    assert content == "recipient,town\r\nZoé Reznícek,?ódz ?\r\n".encode("iso-8859-1")
    assert sheet.replaced == 5


def test_the_euro_is_what_latin_9_and_windows_have() -> None:
    for encoding in (FileEncoding.LATIN_9, FileEncoding.WINDOWS_1252):
        sheet = text_sheet(FileLayout(encoding=encoding), COLUMNS)
        assert "5 €" in whole(sheet, row("5 €")).decode(encoding)
        assert sheet.replaced == 0


def test_the_byte_order_mark_stands_once_at_the_start() -> None:
    sheet = text_sheet(FileLayout(encoding=FileEncoding.UTF_8_BOM, titles=False), COLUMNS)
    content = sheet.head() + sheet.rows([row("Zoé")]) + sheet.rows([row("Max")])
    assert content == b"\xef\xbb\xbf" + "Zoé,Lille\r\nMax,Lille\r\n".encode()


@given(st.lists(st.tuples(storable, storable), max_size=5))
def test_whatever_stands_in_a_row_is_read_back_from_xml(pairs: list[tuple[str, str]]) -> None:
    root = ET.fromstring(text(XML, *[row(*pair) for pair in pairs]))
    found = [tuple(cell.text or "" for cell in line) for line in root]
    assert len(found) == len(pairs)
    for line, pair in zip(found, pairs, strict=True):
        for cell, value in zip(line, pair, strict=True):
            assert len(cell) == len(value)
            assert all(one in (other, "?") for one, other in zip(cell, value, strict=True))


def test_no_value_becomes_markup() -> None:
    content = text(XML, row("</recipient><town>x</town> & <!DOCTYPE a>", "]]>\0"))
    root = ET.fromstring(content)
    assert [cell.tag for cell in root[0]] == ["recipient", "town"]
    assert root[0][0].text == "</recipient><town>x</town> & <!DOCTYPE a>"
    assert root[0][1].text == "]]>?"
    assert root.attrib == {"columns": "recipient town"}


def xlsx(folder: Path, *rows: Mapping[str, object], created_at: datetime = NOON) -> bytes:
    return whole(sheet_of(XLSX, COLUMNS, folder / "draft", created_at), *rows)


def cells(content: bytes) -> list[list[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        tree = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    return [list(line) for line in tree.iter(f"{MAIN}row")]


def test_a_spreadsheet_has_a_line_of_titles_and_a_line_a_row(tmp_path: Path) -> None:
    lines = cells(xlsx(tmp_path, row("Zoé"), row("Max")))
    assert [["".join(cell.itertext()) for cell in line] for line in lines] == [
        ["recipient", "town"],
        ["Zoé", "Lille"],
        ["Max", "Lille"],
    ]


@pytest.mark.parametrize(
    "value", ["=1+1", "{=A1}", "@SUM(A1)", "http://evil.example", "internal:x!A1", "0612345678"]
)
def test_every_cell_of_a_spreadsheet_is_a_text_whatever_it_says(tmp_path: Path, value: str) -> None:
    content = xlsx(tmp_path, row(value))
    cell = cells(content)[1][0]
    assert cell.get("t") == "inlineStr"
    assert "".join(cell.itertext()) == value
    assert not list(cell.iter(f"{MAIN}f"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if "sheets/_rels" in name]


def test_the_same_rows_make_the_same_spreadsheet_and_leave_nothing_behind(tmp_path: Path) -> None:
    first, second = (xlsx(tmp_path, row("Zoé"), row("Max")) for _ in range(2))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert b"2026-03-02T12:00:00Z" in archive.read("docProps/core.xml"), "not when it is made"
    assert list(tmp_path.iterdir()) == []


def test_a_cell_too_long_for_a_spreadsheet_is_cut_and_counted(tmp_path: Path) -> None:
    sheet = sheet_of(XLSX, COLUMNS, tmp_path / "draft", NOON)
    content = whole(sheet, row("x" * (LONGEST_CELL + 1)))
    assert sheet.cut == 1
    assert len("".join(cells(content)[1][0].itertext())) == LONGEST_CELL


def test_a_text_is_no_spreadsheet() -> None:
    with pytest.raises(ValueError, match="xlsx"):
        text_sheet(XLSX, COLUMNS)
