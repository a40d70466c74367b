"""Files of events (NDJSON, CSV, Parquet), taken through the door like the rest.

A file's key is its own content, so that one that was broken off goes on where it was, and one that
is dropped twice is taken once for as long as its keys live (seven days).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.web.events.door import MOST_HOURS, Asked, EventDoor, Taken
from services.web.events.parquet import is_parquet, parquet_rows
from services.web.events.reading import NotRead, Unreadable, Wrong, read_rows
from services.web.events.rows import Row, csv_rows, ndjson_rows
from topics.outside import Queue

REJECTS: Final = ("item", "field", "reason", "text")


@dataclass(slots=True)
class Report:
    """What became of a file; ``again`` counts those that an earlier drop had brought."""

    taken: int = 0
    again: int = 0
    rejected: int = 0


class Rejects:
    """The file of rejected items; it is made when there is a first one.

    Use it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, wrong: Wrong, text: bytes) -> None:
        """Write an item that is wrong."""
        if self._writer is None:
            file = self._open.enter_context(self._path.open("w", encoding="utf-8", newline=""))
            self._writer = csv.writer(file)
            self._writer.writerow(REJECTS)
        said = text.decode("utf-8", "replace")
        self._writer.writerow((wrong.index + 1, wrong.field or "", wrong.reason, said))


@dataclass(slots=True)
class Drop:
    """A file on its way in.

    Attributes:
        path: the file; ``.csv`` is read as CSV, ``.parquet`` as Parquet, all else as NDJSON.
        rejects: where items that are wrong go, with the reason.
        progress: told how many more bytes of the file were read.
    """

    path: Path
    rejects: Path
    progress: Callable[[int], None]
    _texts: list[bytes] = field(default_factory=list)
    _first: int = 0

    async def push(self, door: EventDoor, operator_id: UUID, queue: Queue) -> Report:
        """Take the file's events in; the rejects file is written when there is something in it.

        Raises:
            NotRead: it has no columns of events, is damaged, or holds nothing.
            Clash: the same file is on its way in at this moment.
            BrokerAway: Kafka did not take the events; drop the file again, it goes on.
        """
        keep = timedelta(hours=MOST_HOURS)
        asked = Asked(operator_id, queue, f"file {_digest(self.path)}", keep)
        report = Report()
        with Rejects(self.rejects) as rejects:
            async with aclosing(self._lines()) as lines:
                async for chunk in read_rows(lines):
                    for one in await door.take(chunk, asked):
                        if isinstance(one, Wrong):
                            report.rejected += 1
                            rejects.add(one, self._texts[one.index - self._first])
                        elif isinstance(one, Taken):
                            report.again += one.again
                            report.taken += not one.again
                    self._forget(chunk.items[-1].index + 1)
        if not report.taken + report.again + report.rejected:
            raise NotRead(422, "the file holds no event")
        return report

    async def _lines(self) -> AsyncGenerator[bytes | Unreadable]:
        behind = 0
        async with aclosing(_rows(self.path)) as rows:
            async for line, place in rows:
                self.progress(place - behind)
                behind = place
                text = line.text if isinstance(line, Unreadable) else line
                if text.strip():
                    self._texts.append(text)
                    yield line

    def _forget(self, before: int) -> None:
        del self._texts[: before - self._first]
        self._first = before


async def _rows(path: Path) -> AsyncGenerator[Row]:
    if is_parquet(path):
        async with aclosing(parquet_rows(path)) as rows:
            async for row in rows:
                yield row
    else:
        for row in csv_rows(path) if path.suffix.lower() == ".csv" else ndjson_rows(path):
            yield row


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
