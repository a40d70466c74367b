"""A CSV file as checked rows, a chunk at a time: nothing of a file is held but the current chunk.

UTF-8 with or without byte order mark; commas or semicolons, as the header shows; the columns in any
order. A line that is wrong becomes a :class:`Reject` with its line number, its field and a reason,
and the lines after it go on.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from services.targeting.import_tables import Table
from shared.errors import Refused

CHUNK_ROWS: Final = 10_000
# What no field holds: control characters, and what stands for bytes that are no UTF-8.
_BAD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f�]")
_BREAK: Final = re.compile("[\t\n\r]")
_FREE_TEXT: Final = frozenset({"comment"})


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be imported, and why; ``values`` are the row as it stands in the file."""

    line: int
    field: str
    reason: str
    values: tuple[str, ...]


@dataclass(slots=True)
class Chunk:
    """Some rows of a file: the good ones as stored, by line, and the bad ones."""

    rows: dict[int, list[object]] = field(default_factory=dict)
    values: dict[int, tuple[str, ...]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many lines of the file it stands for."""
        return len(self.rows) + len(self.rejects)

    def reject(self, line: int, name: str, reason: str) -> None:
        """Move a good row to the bad ones."""
        del self.rows[line]
        self.rejects.append(Reject(line, name, reason, self.values[line]))


class Rows:
    """The rows of an open file."""

    def __init__(self, file: TextIO, table: Table) -> None:
        self._table = table
        self._reader = csv.reader(file, delimiter=_delimiter(file))
        self._order = _order(self._header(), table)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns in the order of the file."""
        return self._names

    def _header(self) -> list[str]:
        names = [name.strip().lower() for name in next(self._reader, [])]
        self._names = tuple(names)
        return names

    def chunk(self, size: int = CHUNK_ROWS) -> Chunk:
        """Return the next rows; an empty chunk ends the file."""
        chunk = Chunk()
        while chunk.size < size:
            line = self._reader.line_num + 1
            try:
                values = next(self._reader, None)
            except csv.Error as problem:
                chunk.rejects.append(Reject(line, "", f"is no CSV: {problem}", ()))
                continue
            if values is None:
                break
            if values:
                self._take(chunk, line, tuple(values))
        return chunk

    def _take(self, chunk: Chunk, line: int, values: tuple[str, ...]) -> None:
        if len(values) != len(self._order):
            reason = f"has {len(values)} fields; the header has {len(self._order)}"
            chunk.rejects.append(Reject(line, "", reason, values))
            return
        row: list[object] = []
        for column, place in zip(self._table.columns, self._order, strict=True):
            try:
                row.append(column.check(_plain(values[place], column.name)))
            except ValueError as problem:
                chunk.rejects.append(Reject(line, column.name, str(problem), values))
                return
        chunk.rows[line] = row
        chunk.values[line] = values


def _plain(value: str, name: str) -> str:
    """Return a trimmed value of one line."""
    if _BAD.search(value):
        raise ValueError("holds characters that are not text (is the file UTF-8?)")
    value = value.strip()
    if name not in _FREE_TEXT and _BREAK.search(value):
        raise ValueError("holds a line break or a tab")
    return value


def open_rows(path: Path) -> TextIO:
    """Open a CSV file; what is no UTF-8 becomes a mark that the row's check finds.

    Raises:
        Refused: there is no such file, or it cannot be read.
    """
    try:
        return path.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as problem:
        raise Refused(f"cannot read {path.name}: {problem.strerror}", field="file") from None


def _delimiter(file: TextIO) -> str:
    first = file.readline()
    file.seek(0)
    return ";" if first.count(";") > first.count(",") else ","


def _order(names: list[str], table: Table) -> list[int]:
    """Return where each column of the table stands in the file.

    Raises:
        Refused: the header lacks columns, names one twice, or names others.
    """
    wanted = table.header
    faults = [f"{name} is missing" for name in wanted if name not in names]
    faults += [f"{name[:40] or 'an empty name'} is unknown" for name in names if name not in wanted]
    faults += [f"{name} stands twice" for name in wanted if names.count(name) > 1]
    if faults:
        some = "; ".join(faults[:5]) + ("; …" if len(faults) > 5 else "")
        raise Refused(
            f"the header is not that of {table.kind}: {some}."
            f" The first line must be {','.join(wanted)}",
            field="header",
        )
    return [names.index(name) for name in wanted]
