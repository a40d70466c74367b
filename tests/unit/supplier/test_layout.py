"""What a service may ask of its files."""

from __future__ import annotations

from typing import Any

import pytest

from services.supplier.domain.layout import (
    column_problem,
    ending_problem,
    layout_problem,
    ordinal_of,
    reference_of,
    results_problem,
    titles_of,
)
from topics.supplier import Ending, FileFormat, FileLayout

COLUMNS = ("recipient", "town")


def test_columns_are_fields_of_the_rows_each_once() -> None:
    assert column_problem(("reference", "recipient", "town")) is None
    assert "no column 'email'" in (column_problem(("recipient", "email")) or "")
    assert column_problem(("town", "town"))
    assert column_problem(())


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"names": ("Destinataire", "Ville (no 1)")},
        {"format": FileFormat.FIXED_WIDTH, "widths": (30, 20)},
        {"format": FileFormat.XML, "names": ("person", "town_name")},
        {"format": FileFormat.XLSX},
    ],
)
def test_a_layout_that_fits_its_columns_is_taken(layout: dict[str, Any]) -> None:
    assert layout_problem(FileLayout(**layout), COLUMNS) is None


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"names": ("one",)}, "2 columns and 1 names"),
        ({"names": ("=cmd", "town")}, "'=cmd' cannot name a column"),
        ({"names": ("a\nb", "town")}, "cannot name a column"),
        ({"names": ("a\n", "town")}, "cannot name a column"),
        ({"names": ("a" * 61, "town")}, "60 characters at most"),
        ({"names": ("Town", "town")}, "stands twice"),
        ({"format": FileFormat.XML, "names": ("a b", "town")}, "cannot name a column"),
        ({"format": FileFormat.XML, "names": ("a>b", "town")}, "cannot name a column"),
        ({"widths": (3, 4)}, "for fixed-width files alone"),
        ({"format": FileFormat.FIXED_WIDTH}, "2 columns and 0 widths"),
        ({"format": FileFormat.FIXED_WIDTH, "widths": (0, 4)}, "1 to 1,000 characters"),
        ({"format": FileFormat.FIXED_WIDTH, "widths": (4, 1001)}, "1 to 1,000 characters"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused_saying_why(
    layout: dict[str, Any], said: str
) -> None:
    assert said in (layout_problem(FileLayout(**layout), COLUMNS) or "")


@pytest.mark.parametrize(
    ("kind", "pattern", "fits"),
    [
        (FileFormat.CSV, "{number}", True),
        (FileFormat.CSV, "{number}.v2", True),
        (FileFormat.CSV, "{number}.XLSX", False),
        (FileFormat.CSV, "{number}.html", False),
        (FileFormat.FIXED_WIDTH, "{number}.txt", True),
        (FileFormat.FIXED_WIDTH, "{number}.xml", False),
        (FileFormat.XLSX, "{number}.xlsx", True),
        (FileFormat.XLSX, "{number}.csv", False),
        (FileFormat.XML, "{number}.xml", True),
        (FileFormat.XML, "{number}", False),
    ],
)
def test_a_file_is_not_called_what_it_is_not(kind: FileFormat, pattern: str, fits: bool) -> None:
    assert (ending_problem(FileLayout(format=kind), pattern) is None) is fits


def test_who_reports_on_letters_must_be_given_a_name_for_each() -> None:
    assert results_problem(Ending.CONFIRMATION, COLUMNS) is None
    assert "add one of these columns" in (results_problem(Ending.RESULTS, COLUMNS) or "")
    assert results_problem(Ending.RESULTS, ("reference", *COLUMNS)) is None
    assert results_problem(Ending.RESULTS, ("recipient_id", *COLUMNS)) is None


def test_titles_are_the_names_or_else_the_columns() -> None:
    assert titles_of(FileLayout(), COLUMNS) == COLUMNS
    assert titles_of(FileLayout(names=("A", "B")), COLUMNS) == ("A", "B")


def test_references_count_from_one() -> None:
    assert reference_of(0) == 1
    assert ordinal_of(reference_of(1_234_567)) == 1_234_567
