"""What a service may say, how its files are named, the states of a job, when it is tried again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from string import Formatter
from typing import Final
from uuid import UUID

from topics.supplier import ExtractionRow

FIELDS: Final = tuple(ExtractionRow.model_fields)
VARIABLES: Final = ("number", "label", "date", "run")
ROWS_PER_CHUNK: Final = 1_000
NAME_BYTES: Final = 150
LABEL_CHARACTERS: Final = 60

_LITERAL: Final = re.compile(r"^[A-Za-z0-9 ._-]*$")
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9 ._-]*[A-Za-z0-9]$")
_ADDRESS: Final = re.compile(
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$"
)
# Names that Windows takes for devices: a router that saves the attachment could not.
_DEVICES: Final = frozenset(
    ("con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10)))
)


class JobState(StrEnum):
    """How far a file has come. Each step is a unit of work of its own and may be done again."""

    COLLECTING = "collecting"
    ROWS_COMPLETE = "rows_complete"
    FILE_WRITTEN = "file_written"
    MAIL_ATTEMPTED = "mail_attempted"
    NOTIFIED = "notified"
    POST_PROCESSED = "post_processed"
    REMOVED = "removed"
    AMBIGUOUS = "ambiguous"
    """An attempt has no outcome: the router may have the mail, or not. A person decides."""
    FAILED = "failed"
    """The router's server refused for good. A person mends the service and sends again."""
    REFUSED = "refused"


class Outcome(StrEnum):
    """What came of one attempt to mail a router."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    AMBIGUOUS = "ambiguous"


class Decision(StrEnum):
    """What a person says about a mail that failed, or that nobody knows about."""

    SENT = "sent"
    SEND_AGAIN = "send_again"


AFTER: Final[dict[Outcome, JobState]] = {
    Outcome.ACCEPTED: JobState.NOTIFIED,
    Outcome.DEFERRED: JobState.FILE_WRITTEN,
    Outcome.REFUSED: JobState.FAILED,
    Outcome.AMBIGUOUS: JobState.AMBIGUOUS,
}
DECIDED: Final[dict[Decision, JobState]] = {
    Decision.SENT: JobState.NOTIFIED,
    Decision.SEND_AGAIN: JobState.FILE_WRITTEN,
}
DECIDABLE: Final = (JobState.AMBIGUOUS, JobState.FAILED)
WITH_FILE: Final = (
    JobState.FILE_WRITTEN,
    JobState.MAIL_ATTEMPTED,
    JobState.AMBIGUOUS,
    JobState.FAILED,
    JobState.NOTIFIED,
    JobState.POST_PROCESSED,
)


@dataclass(frozen=True, slots=True)
class Naming:
    """What a file's name may be made of."""

    number: int
    label: str
    dated: date
    run_id: UUID


def column_problem(columns: tuple[str, ...]) -> str | None:
    """Return why the columns of a service cannot be used; ``None`` when they can."""
    if not columns:
        return "choose at least one column"
    unknown = [name for name in columns if name not in FIELDS]
    if unknown:
        return f"there is no column {unknown[0][:40]!r}: choose among {', '.join(FIELDS)}"
    if len(set(columns)) < len(columns):
        return "a column stands twice: each may stand once"
    return None


def pattern_problem(pattern: str) -> str | None:
    """Return why a file pattern cannot be used; ``None`` when it can.

    Only ``{number}``, ``{label}``, ``{date}`` and ``{run}`` are replaced, nothing of Python's
    format language is evaluated, and no literal can leave the folder.
    """
    try:
        parts = list(Formatter().parse(pattern))
    except ValueError:
        return "a brace is not closed: write variables as {number}"
    for literal, variable, form, conversion in parts:
        if not _LITERAL.match(literal):
            return "use letters, digits, blanks, points, hyphens and underscores between variables"
        if variable is not None and (variable not in VARIABLES or form or conversion):
            allowed = ", ".join(f"{{{name}}}" for name in VARIABLES)
            return f"{{{variable[:40]}}} cannot be used: take {allowed}"
    sample = _filled(pattern, Naming(1042, "label", date(2026, 1, 1), UUID(int=0)))
    return _name_problem(sample)


def _name_problem(name: str) -> str | None:
    if not _NAME.match(name) or ".." in name:
        return "the name must start and end with a letter or digit, without two points in a row"
    if name.partition(".")[0].strip().lower() in _DEVICES:
        return "the name stands for a device on some systems: choose another"
    return None


def address_problem(address: str) -> str | None:
    """Return why a router's address cannot be used; ``None`` when it can."""
    if not _ADDRESS.match(address) or ".." in address:
        return "write one e-mail address, such as router@example.org"
    return None


def file_name(pattern: str, naming: Naming) -> str:
    """Return the name of a run's file: the same whenever it is made.

    Raises:
        ValueError: the name could leave the folder; a saved pattern never makes such a one.
    """
    problem = pattern_problem(pattern)
    name = "" if problem else _shortened(_filled(pattern, naming))
    problem = problem or _name_problem(name)
    if problem:
        raise ValueError(problem)
    return name


def _filled(pattern: str, naming: Naming) -> str:
    # The variables are plain text by now: nothing in them is formatted again.
    values = {
        "number": f"C-{naming.number}",
        "label": plain_label(naming.label),
        "date": naming.dated.isoformat(),
        "run": naming.run_id.hex[-12:],
    }
    return pattern.format_map(values)


def plain_label(label: str) -> str:
    """Return a campaign's label as it may stand in a file name: ASCII, hyphens, not too long."""
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", ascii_only).strip("-")[:LABEL_CHARACTERS].strip("-")
    return words or "campaign"


def _shortened(name: str) -> str:
    if len(name) <= NAME_BYTES:
        return name
    stem, point, end = name.rpartition(".")
    if not point or len(end) > 10:
        return name[:NAME_BYTES].rstrip(" ._-")
    return f"{stem[: NAME_BYTES - len(end) - 1].rstrip(' ._-')}.{end}"


def ordinal(index: int, position: int) -> int:
    """Return the place of a row in its file."""
    return index * ROWS_PER_CHUNK + position


def retry_at(now: datetime, failures: int, base_seconds: float) -> datetime:
    """Return when a step that failed is tried again: twice as late each time, an hour at most."""
    return now + timedelta(seconds=min(base_seconds * 2.0 ** min(failures, 20), 3600.0))


def after_attempt(outcome: Outcome, failures: int, most: int) -> JobState:
    """Return a job's state after an attempt; ``failures`` counts this one."""
    if outcome is Outcome.DEFERRED and failures >= most:
        return JobState.FAILED
    return AFTER[outcome]
