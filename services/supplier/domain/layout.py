"""What a service may ask of its files: columns, format, titles, widths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from topics.supplier import Ending, ExtractionRow, FileFormat, FileLayout

REFERENCE: Final = "reference"
"""A row's own number in its file, rising with gaps: what a router's answer may name it by."""
RECIPIENT_ID: Final = "recipient_id"
FIELDS: Final = (*ExtractionRow.model_fields, REFERENCE)
WIDEST: Final = 1_000
MOST_XLSX_ROWS: Final = 1_048_575
"""Excel's limit, less the line of titles."""

_TITLE: Final = re.compile(r"[^\W_][\w .()/-]{0,59}")
_ELEMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,59}")
_ENDINGS: Final[dict[FileFormat, tuple[str, ...]]] = {
    FileFormat.CSV: (".csv", ".txt"),
    FileFormat.FIXED_WIDTH: (".txt", ".dat", ".asc"),
    FileFormat.XLSX: (".xlsx",),
    FileFormat.XML: (".xml",),
}
# What a program opens by its name: a text file must not claim to be one.
_FOREIGN: Final = (".xlsx", ".xls", ".xlsm", ".xml", ".html", ".htm", ".pdf", ".zip", ".exe", ".js")


def column_problem(columns: Sequence[str]) -> str | None:
    """Return why the columns of a service cannot be used; ``None`` when they can."""
    if not columns:
        return "choose at least one column"
    unknown = [name for name in columns if name not in FIELDS]
    if unknown:
        return f"there is no column {unknown[0][:40]!r}: choose among {', '.join(FIELDS)}"
    if len(set(columns)) < len(columns):
        return "a column stands twice: each may stand once"
    return None


def results_problem(ending: Ending, columns: Sequence[str]) -> str | None:
    """Return why a router could not report on such rows; ``None`` when it can."""
    if ending is Ending.CONFIRMATION or {REFERENCE, RECIPIENT_ID} & set(columns):
        return None
    return f"a result file names letters by {REFERENCE} or {RECIPIENT_ID}: add one of these columns"


def layout_problem(layout: FileLayout, columns: Sequence[str]) -> str | None:
    """Return why a layout cannot be used with these columns; ``None`` when it can."""
    checks: tuple[Callable[[FileLayout, Sequence[str]], str | None], ...] = (_names, _widths)
    return next((found for check in checks if (found := check(layout, columns))), None)


def ending_problem(layout: FileLayout, pattern: str) -> str | None:
    """Return why files of this format may not be called so; ``None`` when they may.

    A CSV or fixed-width file may have any ending, or none, but that of another kind of file.
    """
    name = pattern.lower()
    if layout.format in (FileFormat.CSV, FileFormat.FIXED_WIDTH):
        return _say_endings(layout.format) if name.endswith(_FOREIGN) else None
    return None if name.endswith(_ENDINGS[layout.format]) else _say_endings(layout.format)


def _say_endings(kind: FileFormat) -> str:
    return f"a {kind} file is called {' or '.join(f'…{end}' for end in _ENDINGS[kind])}"


def _names(layout: FileLayout, columns: Sequence[str]) -> str | None:
    if not layout.names:
        return None
    if len(layout.names) != len(columns):
        return f"there are {len(columns)} columns and {len(layout.names)} names: write one for each"
    allowed = _ELEMENT if layout.format is FileFormat.XML else _TITLE
    wrong = next((name for name in layout.names if not allowed.fullmatch(name)), None)
    if wrong is not None:
        return f"{wrong[:60]!r} cannot name a column: begin with a letter, 60 characters at most"
    if len({name.lower() for name in layout.names}) < len(layout.names):
        return "a name stands twice: each column has its own"
    return None


def _widths(layout: FileLayout, columns: Sequence[str]) -> str | None:
    if layout.format is not FileFormat.FIXED_WIDTH:
        return "widths are for fixed-width files alone" if layout.widths else None
    if len(layout.widths) != len(columns):
        return (
            f"there are {len(columns)} columns and {len(layout.widths)} widths: write one for each"
        )
    if not all(1 <= width <= WIDEST for width in layout.widths):
        return f"a column is 1 to {WIDEST:,} characters wide"
    return None


def reference_of(ordinal: int) -> int:
    """Return what a router's answer may call the row at a place."""
    return ordinal + 1


def ordinal_of(reference: int) -> int:
    """Return the place of the row that a reference names."""
    return reference - 1


def titles_of(layout: FileLayout, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names as the file says them."""
    return layout.names or tuple(columns)
