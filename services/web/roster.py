"""Operators from a CSV file: streamed, checked row by row, saved in small transactions."""

from __future__ import annotations

import asyncio
import codecs
import csv
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.web import domain
from services.web.domain import Change
from services.web.operators import add_operator, find_operator, update_operator
from shared.errors import NotAllowed, Refused
from shared.uow import UnitOfWork, Work
from topics.message import Actor

COLUMNS: Final = ("name", "email", "roles", "groups", "slack_user_id", "language")
NEEDED: Final = ("name", "email")
ROWS_AT_ONCE: Final = 200
LONGEST_RECORD: Final = 16_384
REPORTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken over: its line in the file, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What an import did; each row is in exactly one of the four."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: list[Rejected] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count a bad row; the first thousand are listed."""
        self.rejected += 1
        if len(self.reasons) < REPORTED:
            self.reasons.append(Rejected(line, reason))


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the file, and the line it begins on."""

    line: int
    values: Sequence[str]


async def import_operators(
    uow: UnitOfWork, content: AsyncIterable[bytes], *, actor: Actor | None = None
) -> Report:
    """Add or update the operators of a CSV file, told apart by e-mail; return what was done.

    The first record names the columns: ``name`` and ``email``, and any of ``roles``, ``groups``
    (several separated by ``;``), ``slack_user_id``, ``language``. A column that is left out
    changes nothing. The same file again changes nothing.

    Raises:
        Refused: the columns are wrong, or the file is no UTF-8 text.
        NotAllowed: the actor may not manage operators.
    """
    report = Report()
    columns: Sequence[str] | None = None
    waiting: list[Record] = []
    async for record in records_of(content):
        if columns is None:
            columns = checked_columns(record.values)
            continue
        waiting.append(record)
        if len(waiting) == ROWS_AT_ONCE:
            await _save(uow, columns, waiting, actor, report)
            waiting = []
    if columns is None:
        raise Refused(f"the file is empty; its first line names {', '.join(COLUMNS)}")
    await _save(uow, columns, waiting, actor, report)
    return report


def checked_columns(names: Sequence[str]) -> Sequence[str]:
    """Return the columns of the first record; refuse unknown, double and missing ones."""
    found = [name.strip().lower() for name in names]
    unknown = sorted(set(found) - set(COLUMNS))
    missing = [name for name in NEEDED if name not in found]
    if unknown or missing or len(set(found)) != len(found):
        raise Refused(
            f"the first line names columns of {', '.join(COLUMNS)}, each once, with"
            f" {' and '.join(NEEDED)}"
        )
    return found


async def records_of(content: AsyncIterable[bytes]) -> AsyncIterator[Record]:
    """Yield the records of CSV text; a quoted field may span lines; blank lines are skipped."""
    number, started, text = 0, 1, ""
    async for line in _lines(content):
        number += 1
        started = started if text else number
        text += line
        if len(text) > LONGEST_RECORD:
            raise Refused(f"line {started}: a record over {LONGEST_RECORD} characters")
        if text.count('"') % 2:
            continue
        for values in csv.reader([text.rstrip("\r\n")] if text.strip() else []):
            yield Record(started, values)
        text = ""
    if text:
        raise Refused(f"line {started}: a quotation mark is not closed")


async def _lines(content: AsyncIterable[bytes]) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest = ""
    try:
        async for chunk in content:
            rest += decoder.decode(chunk)
            *whole, rest = rest.split("\n")
            for line in whole:
                yield line + "\n"
            if len(rest) > LONGEST_RECORD:
                raise Refused(f"a line over {LONGEST_RECORD} characters")
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Refused("the file is no UTF-8 text; save it as CSV UTF-8") from None
    if rest:
        yield rest


async def _save(
    uow: UnitOfWork,
    columns: Sequence[str],
    records: Sequence[Record],
    actor: Actor | None,
    report: Report,
) -> None:
    async with uow.begin() as work:
        for record in records:
            try:
                await _take(work, columns, record, actor, report)
            except NotAllowed:
                raise
            except Refused as refusal:
                where = f"{refusal.field}: " if refusal.field else ""
                report.reject(record.line, f"{where}{refusal.reason}")


async def _take(
    work: Work, columns: Sequence[str], record: Record, actor: Actor | None, report: Report
) -> None:
    if len(record.values) != len(columns):
        raise Refused(f"{len(record.values)} fields instead of {len(columns)}")
    values = dict(zip(columns, record.values, strict=True))
    known = await find_operator(work, values["email"])
    if known is None:
        await add_operator(
            work,
            name=values["name"],
            email=values["email"],
            roles=several(values.get("roles", "")),
            groups=several(values.get("groups", "")),
            slack_user_id=values.get("slack_user_id"),
            language=values.get("language") or "en",
            actor=actor,
        )
        report.added += 1
    elif await update_operator(work, known, _change(values), actor=actor):
        report.updated += 1
    else:
        report.unchanged += 1


def several(text: str) -> tuple[str, ...]:
    """Return the parts of a field that holds several values."""
    return tuple(part.strip() for part in text.replace("|", ";").split(";") if part.strip())


def _change(values: dict[str, str]) -> Change:
    return Change(
        name=values["name"],
        roles=domain.checked_roles(several(values["roles"])) if "roles" in values else None,
        groups=several(values["groups"]) if "groups" in values else None,
        slack_user_id=values.get("slack_user_id"),
        language=values.get("language") or None,
    )


async def chunks_of(path: Path, size: int = 65_536) -> AsyncIterator[bytes]:
    """Yield a file's bytes without holding the file, or the event loop."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, size):
            yield chunk
    finally:
        file.close()
