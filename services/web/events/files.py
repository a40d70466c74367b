"""Files of events: NDJSON as it stands, CSV a row at a time; taken through the door like the rest.

A file's key is its own content, so that one that was broken off goes on where it was, and one that
is dropped twice is taken once for as long as its keys live (seven days).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TextIO
from uuid import UUID

import orjson

from services.web.events.door import MOST_HOURS, Asked, EventDoor, Taken
from services.web.events.reading import LARGEST_LINE, NotRead, PushedEvent, Wrong, read_lines

PIECE: Final = 262_144
CONTEXT: Final = "ctx."
FIELDS: Final = frozenset(PushedEvent.model_fields) - {"ctx"}
REJECTS: Final = ("item", "field", "reason", "text")


@dataclass(slots=True)
class Report:
    """What became of a file; ``again`` counts those that an earlier drop had brought."""

    taken: int = 0
    again: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Drop:
    """A file on its way in.

    Attributes:
        path: the file; ``.csv`` is read as CSV, all else as NDJSON.
        rejects: where items that are wrong go, with the reason.
        progress: told how many bytes of the file were read.
    """

    path: Path
    rejects: Path
    progress: Callable[[int], None]
    _texts: list[bytes] = field(default_factory=list)
    _first: int = 0

    async def push(self, door: EventDoor, operator_id: UUID, queue: str) -> Report:
        """Take the file's events in; the rejects file is written when there is something in it.

        Raises:
            NotRead: it is no CSV with a ``type`` column, or holds nothing.
            Clash: the same file is on its way in at this moment.
            BrokerAway: Kafka did not take the events; drop the file again, it goes on.
        """
        keep = timedelta(hours=MOST_HOURS)
        asked = Asked(operator_id, queue, f"file {_digest(self.path)}", keep)
        report = Report()
        wrong: list[tuple[Wrong, bytes]] = []
        async for chunk in read_lines(self._pieces()):
            for one in await door.take(chunk, asked):
                if isinstance(one, Wrong):
                    wrong.append((one, self._text(one.index)))
                elif isinstance(one, Taken):
                    report.again += one.again
                    report.taken += not one.again
            self._forget(chunk.items[-1].index + 1)
        if not report.taken + report.again + len(wrong):
            raise NotRead(422, "the file holds no event")
        report.rejected = len(wrong)
        self._write(wrong)
        return report

    async def _pieces(self) -> AsyncIterator[bytes]:
        lines = _csv_lines(self.path) if self.path.suffix.lower() == ".csv" else _lines(self.path)
        for line in lines:
            self.progress(len(line) + 1)
            if line.strip():
                self._texts.append(line[: LARGEST_LINE + 1])
                yield line + b"\n"

    def _text(self, index: int) -> bytes:
        return self._texts[index - self._first]

    def _forget(self, before: int) -> None:
        del self._texts[: before - self._first]
        self._first = before

    def _write(self, wrong: list[tuple[Wrong, bytes]]) -> None:
        if not wrong:
            return
        with self.rejects.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(REJECTS)
            for one, text in wrong:
                said = text.decode("utf-8", "replace")
                writer.writerow((one.index + 1, one.field or "", one.reason, said))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines; one that is far too long comes in pieces no longer than it may be."""
    with path.open("rb") as file:
        rest = b""
        while piece := file.read(PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            rest = rest[: LARGEST_LINE + 1]
        if rest:
            yield rest


def _csv_lines(path: Path) -> Iterator[bytes]:
    """Yield each row of a CSV file as an event in JSON; a cell that is empty says nothing.

    Raises:
        NotRead: a column is not known, or there is none for the type.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(file))
        header = [name.strip() for name in next(reader, [])]
        unknown = [one for one in header if one not in FIELDS and not one.startswith(CONTEXT)]
        if unknown or "type" not in header:
            names = ", ".join(sorted(FIELDS))
            raise NotRead(422, f"a CSV file has the column type, and of {names}, {CONTEXT}… others")
        for row in reader:
            if any(row):
                yield orjson.dumps(_event(header, row))


def _delimiter(file: TextIO) -> str:
    first = file.readline()
    file.seek(0)
    return ";" if first.count(";") > first.count(",") else ","


def _event(header: list[str], row: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in zip(header, row, strict=False):
        if not value:
            continue
        *above, last = name.removeprefix(CONTEXT).split(".") if name.startswith(CONTEXT) else [name]
        place = found.setdefault("ctx", {}) if name.startswith(CONTEXT) else found
        for part in above:
            place = place.setdefault(part, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict):
            place[last] = value
    return found
