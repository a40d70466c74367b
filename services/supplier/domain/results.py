"""A router's result file, read line by line: which letter, sent or failed, and why.

A file is CSV with a line of titles: ``reference`` or ``recipient_id``, ``status`` (``sent`` or
``failed``), and ``reason`` if there is one. A line that cannot be read is told by its number and
costs no other line; a file without these titles, or that is no text, is refused whole.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.supplier.domain.layout import RECIPIENT_ID, REFERENCE, ordinal_of
from services.supplier.domain.rendering import one_line

STATUS: Final = "status"
REASON: Final = "reason"
KNOWN: Final = (REFERENCE, RECIPIENT_ID, STATUS, REASON)
MOST_LINES: Final = 1_000_000
REASON_CHARACTERS: Final = 60
UNKNOWN_LETTER: Final = "no letter of this file has this name"
LONGEST_VALUE: Final = 1_000
LONGEST_LINE: Final = 131_072
_MOST_REFERENCE: Final = 2**53
_LINE_END: Final = re.compile("\r\n|\n|\r")
_SEPARATORS: Final = (",", ";", "\t", "|")


class LetterOutcome(StrEnum):
    """What a router says of a letter."""

    SENT = "sent"
    FAILED = "failed"


# As routers write it, in the product's two languages.
_STATUSES: Final = {
    "sent": LetterOutcome.SENT,
    "ok": LetterOutcome.SENT,
    "envoyé": LetterOutcome.SENT,
    "envoye": LetterOutcome.SENT,
    "failed": LetterOutcome.FAILED,
    "error": LetterOutcome.FAILED,
    "échec": LetterOutcome.FAILED,
    "echec": LetterOutcome.FAILED,
}


class UnreadableFile(Exception):
    """A result file of which no line can be read; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a line says; the letter is named by its place in the file or by its addressee."""

    line: int
    ordinal: int | None
    recipient_id: UUID | None
    outcome: LetterOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that says nothing that can be used, and why; the line's own words are not kept."""

    line: int
    problem: str


def read_results(content: bytes) -> Iterator[Reported | Rejected]:
    """Yield what each line of a result file says, in order; ``line`` counts the file's lines.

    A value does not go on over a line: a quote left open costs its own line and no other.

    Raises:
        UnreadableFile: it is no text, lacks a title, or is too long; it may come after lines.
    """
    lines = enumerate(_LINE_END.split(_text(content)), start=1)
    filled = ((number, line) for number, line in lines if line.strip(" ,;|\t"))
    _, first = next(filled, (0, ""))
    separator = max(_SEPARATORS, key=first.count)
    titles = _titles(_cells(first, separator) or [])
    for count, (number, line) in enumerate(filled):
        if count == MOST_LINES:
            raise UnreadableFile(
                f"a result file has {MOST_LINES:,} lines at most: send it in parts"
            )
        cells = _cells(line, separator)
        if cells is None:
            yield Rejected(number, "a quote is not closed, or a value is endless")
        else:
            yield _read(number, cells, titles)


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("windows-1252", errors="replace")
    if "\0" in text:
        raise UnreadableFile("this is no text: send the results as CSV")
    return text


def _cells(line: str, separator: str) -> list[str] | None:
    """Return the values of a line; ``None`` when they cannot be told apart."""
    if len(line) > LONGEST_LINE:  # csv has a limit too, which whoever else reads CSV here may raise
        return None
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True))]
    except csv.Error:
        return None


def _titles(cells: Sequence[str]) -> dict[str, int]:
    titles = {name.lower(): place for place, name in enumerate(cells)}
    if len(titles) < len(cells):
        raise UnreadableFile("a title stands twice in the first line")
    if STATUS not in titles or not {REFERENCE, RECIPIENT_ID} & set(titles):
        raise UnreadableFile(
            f"the first line names the columns: {REFERENCE} or {RECIPIENT_ID}, {STATUS}, {REASON}"
        )
    return {name: place for name, place in titles.items() if name in KNOWN}


def _read(line: int, cells: Sequence[str], titles: dict[str, int]) -> Reported | Rejected:
    values = {name: cells[place] if place < len(cells) else "" for name, place in titles.items()}
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        return Rejected(line, f"a value is longer than {LONGEST_VALUE:,} characters")
    outcome = _STATUSES.get(values[STATUS].lower())
    if outcome is None:
        return Rejected(line, "status is neither sent nor failed")
    reason = one_line(values.get(REASON, "")).strip()[:REASON_CHARACTERS]
    if values.get(REFERENCE):
        ordinal = _ordinal(values[REFERENCE])
        if ordinal is None:
            return Rejected(line, "reference is no number of the file")
        return Reported(line, ordinal, None, outcome, reason)
    recipient_id = _uuid(values.get(RECIPIENT_ID, ""))
    if recipient_id is None:
        return Rejected(line, "neither reference nor recipient_id names a letter")
    return Reported(line, None, recipient_id, outcome, reason)


def _ordinal(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 16:
        return None
    reference = int(text)
    return ordinal_of(reference) if 1 <= reference <= _MOST_REFERENCE else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a line, or a person, says of the letter at a place."""

    line: int
    ordinal: int
    outcome: LetterOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of lines: those that count, how many said the same again, the rejected."""

    taken: tuple[Answer, ...]
    repeated: int
    rejected: tuple[Rejected, ...]


def settle(
    answers: Sequence[Answer],
    addressees: Mapping[int, UUID],
    before: Mapping[int, LetterOutcome],
) -> Settled:
    """Return what lines change: the first word about a letter counts, another one is rejected.

    Args:
        answers: the lines, in order.
        addressees: who stands at the places they name.
        before: what earlier lines and files said of these letters.
    """
    known, taken, rejected, repeated = dict(before), [], [], 0
    for one in answers:
        if one.ordinal not in addressees:
            rejected.append(Rejected(one.line, UNKNOWN_LETTER))
        elif one.ordinal not in known:
            known[one.ordinal] = one.outcome
            taken.append(one)
        elif known[one.ordinal] is one.outcome:
            repeated += 1
        else:
            problem = f"this letter was reported {known[one.ordinal]} before"
            rejected.append(Rejected(one.line, problem))
    return Settled(tuple(taken), repeated, tuple(rejected))
