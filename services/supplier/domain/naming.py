"""What a file may be called and where mails about it may go."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from string import Formatter
from typing import Final
from uuid import UUID

VARIABLES: Final = ("number", "label", "date", "run")
NAME_BYTES: Final = 150
LABEL_CHARACTERS: Final = 60

_LITERAL: Final = re.compile(r"[A-Za-z0-9 ._-]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*[A-Za-z0-9]")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+"
)
# Names that Windows takes for devices: a router that saves the attachment could not.
_DEVICES: Final = frozenset(
    ("con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10)))
)
# Files that lie or travel beside an extraction file.
_BESIDE: Final = re.compile(
    r"(letters(-\d+)?\.(csv|pdf)|router-proof.*|.*\.manifest\.json)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Naming:
    """What a file's name may be made of."""

    number: int
    label: str
    dated: date
    run_id: UUID


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
        if not _LITERAL.fullmatch(literal):
            return "use letters, digits, blanks, points, hyphens and underscores between variables"
        if variable is not None and (variable not in VARIABLES or form or conversion):
            allowed = ", ".join(f"{{{name}}}" for name in VARIABLES)
            return f"{{{variable[:40]}}} cannot be used: take {allowed}"
    sample = _filled(pattern, Naming(1042, "label", date(2026, 1, 1), UUID(int=0)))
    return _name_problem(sample)


def _name_problem(name: str) -> str | None:
    if not _NAME.fullmatch(name) or ".." in name:
        return "the name must start and end with a letter or digit, without two points in a row"
    if name.partition(".")[0].strip().lower() in _DEVICES:
        return "the name stands for a device on some systems: choose another"
    if _BESIDE.fullmatch(name):
        return "the name is that of a file which goes beside it: choose another"
    return None


def address_problem(address: str) -> str | None:
    """Return why a router's address cannot be used; ``None`` when it can."""
    if not _ADDRESS.fullmatch(address) or ".." in address:
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
