"""Rows as an XLSX file, written row by row through a draft on disk, never whole in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException

from services.supplier.domain.layout import titles_of
from services.supplier.domain.rendering import LinesSheet, Row, XmlSheet, text_sheet
from topics.supplier import FileFormat, FileLayout

LONGEST_CELL: Final = 32_767
"""Excel's limit in characters."""
_PIECE_BYTES: Final = 1_000_000


class XlsxSheet:
    """An XLSX file in the making; every cell is a text, so that none is a formula or a link.

    The same rows make the same bytes: whoever writes a file again writes the one that was approved.

    Args:
        layout: the titles.
        columns: the values of a row, in order.
        folder: where the draft lies; made and removed here.
        created_at: what the file says of its age (aware UTC).

    Attributes:
        replaced: nothing ever is.
        cut: values longer than a cell may be.
    """

    def __init__(
        self, layout: FileLayout, columns: Sequence[str], folder: Path, created_at: datetime
    ) -> None:
        self._layout = layout
        self._columns = columns
        self._folder = folder
        self._path = folder / "draft.xlsx"
        self.replaced = 0
        self.cut = 0
        self._line = 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        # Texts go in by write_string alone; the options only keep a later change honest.
        options = {
            "constant_memory": True,
            "tmpdir": str(folder),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = Workbook(str(self._path), options)
        self._book.set_properties({"created": created_at.astimezone(UTC).replace(tzinfo=None)})
        self._sheet = self._book.add_worksheet("rows")

    def head(self) -> bytes:
        """Write the line of titles, if there is to be one."""
        if self._layout.titles:
            self._add(titles_of(self._layout, self._columns))
        return b""

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Write rows into the draft."""
        for row in rows:
            self._add([str(row[name]) for name in self._columns])
        return b""

    def tail(self) -> Iterator[bytes]:
        """Yield the finished file.

        Raises:
            OSError: the draft cannot be written.
        """
        try:
            self._book.close()
        except XlsxWriterException as problem:
            raise OSError(str(problem)) from problem
        with self._path.open("rb") as draft:
            while piece := draft.read(_PIECE_BYTES):
                yield piece

    def _add(self, cells: Sequence[str]) -> None:
        for place, text in enumerate(cells):
            self.cut += len(text) > LONGEST_CELL
            self._sheet.write_string(self._line, place, text[:LONGEST_CELL])
        self._line += 1

    def close(self) -> None:
        """Remove the draft."""
        shutil.rmtree(self._folder, ignore_errors=True)


Sheet = XlsxSheet | LinesSheet | XmlSheet
"""A file in the making, of any format."""


def sheet_of(
    layout: FileLayout, columns: Sequence[str], folder: Path, created_at: datetime
) -> Sheet:
    """Return an empty file of a layout, to be closed; ``folder`` is its own to make and remove."""
    if layout.format is FileFormat.XLSX:
        return XlsxSheet(layout, columns, folder, created_at)
    return text_sheet(layout, columns)
