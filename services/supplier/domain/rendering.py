"""Rows as text: CSV, fixed width and XML, so that no cell is a formula and no value a line.

What does not fit is changed as little as can be, and counted: a character the encoding lacks
becomes its plain letter or ``?``, a value wider than its column is cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from services.supplier.domain.layout import titles_of
from shared.cells import harmless
from topics.supplier import FileFormat, FileLayout, LineEnd

Row = Mapping[str, object]

_LINE_ENDS: Final = {LineEnd.CRLF: "\r\n", LineEnd.LF: "\n"}
# Each separator counts in every file: a spreadsheet that takes another one for granted would find
# a cell of its own behind it, which may start a formula.
_QUOTED: Final = re.compile('[",;|\t\r\n]')
# Whatever some reader takes for the end of a line, and other controls.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What XML 1.0 cannot hold, not even escaped (production 2).
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_sheet(layout: FileLayout, columns: Sequence[str]) -> LinesSheet | XmlSheet:
    """Return an empty CSV, fixed-width or XML file.

    Raises:
        ValueError: an XLSX file is no text.
    """
    if layout.format is FileFormat.XLSX:
        raise ValueError(layout.format)
    return (XmlSheet if layout.format is FileFormat.XML else LinesSheet)(layout, columns)


def one_line(text: str) -> str:
    """Return a value without line ends and other controls, each run of them a blank."""
    return _CONTROLS.sub(" ", text)


def as_csv(rows: Iterable[Sequence[str]], separator: str, end: str) -> str:
    """Return cells as CSV (RFC 4180)."""
    return "".join(separator.join(map(_cell, row)) + end for row in rows)


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if _QUOTED.search(text) else text


class LinesSheet:
    """A CSV or fixed-width file: a line a row.

    Attributes:
        replaced: characters that the encoding lacks.
        cut: values that are wider than their column.
    """

    def __init__(self, layout: FileLayout, columns: Sequence[str]) -> None:
        self._layout = layout
        self._columns = columns
        # The mark of utf-8-sig stands once, at the start of the file.
        self._codec = layout.encoding.value.removesuffix("-sig")
        self.replaced = 0
        self.cut = 0

    def head(self) -> bytes:
        """Return the byte-order mark and the line of titles, if there are to be."""
        mark = b"\xef\xbb\xbf" if self._layout.encoding.value.endswith("-sig") else b""
        if not self._layout.titles:
            return mark
        titles, cut = titles_of(self._layout, self._columns), self.cut
        line = self._encoded(self._lines([titles]))
        self.cut = cut  # a title that is cut is nobody's data
        return mark + line

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Return a line for each row."""
        cells = ([harmless(str(row[name])) for name in self._columns] for row in rows)
        return self._encoded(self._lines(cells))

    def tail(self) -> Iterable[bytes]:
        """Return nothing: a file of lines ends with its last line."""
        return ()

    def close(self) -> None:
        """Do nothing: a text leaves nothing behind."""

    def _lines(self, rows: Iterable[Sequence[str]]) -> str:
        end = _LINE_ENDS[self._layout.line_end]
        if self._layout.format is FileFormat.FIXED_WIDTH:
            return "".join(f"{self._padded(row)}{end}" for row in rows)
        return as_csv(rows, self._layout.separator.value, end)

    def _padded(self, row: Sequence[str]) -> str:
        parts = []
        for value, width in zip(row, self._layout.widths, strict=True):
            text = one_line(value)
            self.cut += len(text) > width
            parts.append(text[:width].ljust(width))
        return "".join(parts)

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._codec)
        except UnicodeEncodeError:
            return "".join(map(self._nearest, text)).encode(self._codec)

    def _nearest(self, character: str) -> str:
        """Return a character as the encoding has it: one for one, so that widths hold."""
        if _fits(character, self._codec):
            return character
        self.replaced += 1
        plain = unicodedata.normalize("NFKD", character)[:1]
        return plain if plain.isalnum() and _fits(plain, self._codec) else "?"


def _fits(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


class XmlSheet:
    """An XML 1.0 file in UTF-8: ``<rows>``, a ``<row>`` each, an element a column.

    Attributes:
        replaced: characters that XML cannot hold.
        cut: nothing ever is.
    """

    def __init__(self, layout: FileLayout, columns: Sequence[str]) -> None:
        self._columns = list(zip(columns, titles_of(layout, columns), strict=True))
        self.replaced = 0
        self.cut = 0

    def head(self) -> bytes:
        """Return the declaration and the start of the root."""
        names = quoteattr(" ".join(name for _, name in self._columns))
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<rows columns={names}>\n'.encode()

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Return an element for each row."""
        return "".join(f"<row>{self._cells(row)}</row>\n" for row in rows).encode()

    def tail(self) -> Iterable[bytes]:
        """Return the end of the root."""
        return (b"</rows>\n",)

    def close(self) -> None:
        """Do nothing: a text leaves nothing behind."""

    def _cells(self, row: Row) -> str:
        return "".join(
            f"<{name}>{self._text(str(row[column]))}</{name}>" for column, name in self._columns
        )

    def _text(self, value: str) -> str:
        text, replaced = _NO_XML.subn("?", value)
        self.replaced += replaced
        # A carriage return that is not escaped is read as a line feed (XML 1.0, 2.11).
        return escape(text, {"\r": "&#13;"})
