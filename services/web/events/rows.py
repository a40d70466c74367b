"""The rows of files that are text: NDJSON as it stands, CSV a row at a time."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from services.web.events.columns import check_columns, event_line
from services.web.events.reading import LARGEST_LINE, NotRead, Unreadable

PIECE: Final = 262_144


class Row(NamedTuple):
    """A row as a line of JSON, or why it is none; ``place`` is how many bytes are behind it."""

    line: bytes | Unreadable
    place: int


def ndjson_rows(path: Path) -> Iterator[Row]:
    """Yield a file's lines; of one that is too long, one byte more than the longest."""
    place, rest = 0, b""
    with path.open("rb") as file:
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
        while piece := file.read(PIECE):
            *whole, last = piece.split(b"\n")
            for one in whole:
                place += len(one) + 1
                yield Row((rest + one)[: LARGEST_LINE + 1], place)
                rest = b""
            place += len(last)
            rest = (rest + last)[: LARGEST_LINE + 1]
        if rest:
            yield Row(rest, place)


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield each row of a CSV file as an event in JSON.

    Raises:
        NotRead: its columns are not those of events, or it is no CSV.
    """
    csv.field_size_limit(LARGEST_LINE)
    with (
        path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as file,
    ):
        delimiter = _delimiter(file)
        reader = csv.reader(_lines(file), delimiter=delimiter)
        try:
            header = [name.strip() for name in next(reader, [])]
            check_columns(header)
            for row in reader:
                if any(row):
                    line = event_line(zip(header, row, strict=False))
                    yield Row(line, raw.tell())
        except csv.Error as problem:
            raise NotRead(422, f"line {reader.line_num}: {problem}") from None


def _lines(file: TextIO) -> Iterator[str]:
    """Yield a file's lines as they stand; a quote that is never closed ends at the field's limit.

    Raises:
        NotRead: one is too long for an event, or for memory.
    """
    number = 0
    while line := file.readline(LARGEST_LINE + 1):
        number += 1
        if len(line) > LARGEST_LINE:
            raise NotRead(413, f"line {number}: over {LARGEST_LINE} characters")
        yield line


def _delimiter(file: TextIO) -> str:
    first = file.readline(LARGEST_LINE)
    file.seek(0)
    return ";" if first.count(";") > first.count(",") else ","
