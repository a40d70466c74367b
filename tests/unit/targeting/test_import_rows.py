"""Reading CSV files: values, lines, and memory."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.targeting import import_values
from services.targeting.import_rows import Rows, open_rows
from services.targeting.import_tables import TABLES, Kind
from shared.errors import Refused

EMPLOYEES = TABLES[Kind.EMPLOYEES]
HEADER = ",".join(EMPLOYEES.header)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example",
        " Megan.Marsh@Hartley-Engineering.Example ",
        "o'brien+news@x.y.co",
        "a@xn--caf-dma.example",
    ],
)
def test_an_address_is_taken_and_normalised(address: str) -> None:
    assert import_values.email(address) == address.strip().lower()


@pytest.mark.parametrize(
    "address",
    [
        "no-at-sign.example",
        "two@@signs.example",
        "a@b",
        ".a@b.example",
        "a..b@c.example",
        "a.@b.example",
        "a@-b.example",
        "a@b..example",
        "a b@c.example",
        "a@b.example\nBcc: x@y.example",
        "é@b.example",
        "<a@b.example>",
        "a@b.example,c@d.example",
        f"{'a' * 65}@b.example",
        f"a@{'b' * 250}.example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        import_values.email(address)


@given(st.text(max_size=60))
def test_no_text_breaks_a_check(value: str) -> None:
    for table in TABLES.values():
        for column in table.columns:
            with suppress(ValueError):
                column.check(value)


def test_values_have_their_types() -> None:
    assert import_values.day("2027-02-17") == date(2027, 2, 17)
    assert import_values.number(0, 9)("7") == 7
    assert import_values.number(0, 9)("") is None
    for wrong in ("1_0", "１", "1.0", "1e3", " ", "-"):
        with pytest.raises(ValueError, match="is no whole number"):
            import_values.number(0, 99)(wrong)
    for wrong in ("20270217", "2027-W05-1", "2027-02-30", "17/02/2027"):
        with pytest.raises(ValueError, match="is no date"):
            import_values.day(wrong)
    assert import_values.language("FR") == "fr"
    assert import_values.language("") == "en"
    assert import_values.consent("No") == "no"


def test_a_quoted_line_break_keeps_later_line_numbers_right() -> None:
    text = f'{HEADER}\nE1,Ada,"One\nTwo",,,\nE2,Eve,Fine,,,\nE3,Eve,,,,\n'
    chunk = Rows(StringIO(text), EMPLOYEES).chunk()
    assert [(reject.line, reject.field) for reject in chunk.rejects] == [
        (2, "last_name"),
        (5, "last_name"),
    ]
    assert list(chunk.rows) == [4]


def test_a_field_without_end_costs_its_line_and_not_the_file() -> None:
    huge = "x" * 200_000
    text = f"{HEADER}\nE1,Ada,{huge},,,\nE2,Eve,Fine,,,\n"
    chunk = Rows(StringIO(text), EMPLOYEES).chunk()
    assert [reject.line for reject in chunk.rejects] == [2]
    assert list(chunk.rows) == [3]


def test_blank_lines_are_no_rows() -> None:
    chunk = Rows(StringIO(f"{HEADER}\n\nE1,Ada,One,,,\n\n"), EMPLOYEES).chunk()
    assert (len(chunk.rows), len(chunk.rejects)) == (1, 0)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot read none.csv: No such file"):
        open_rows(tmp_path / "none.csv")


def test_reading_holds_one_chunk_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "employees.csv"
    path.write_text(
        HEADER + "\n" + "".join(f"E{n},Ada,N{n},a{n}@x.example,,\n" for n in range(60_000))
    )
    tracemalloc.start()
    with open_rows(path) as file:
        rows = Rows(file, EMPLOYEES)
        read = 0
        while chunk := rows.chunk(1_000).size:
            read += chunk
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == 60_000
    assert peak_bytes < 3_000_000
