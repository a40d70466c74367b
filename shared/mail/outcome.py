"""What comes of handing a mail to a server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What came of one attempt to hand a mail over."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a mail; ``text`` is the server's code, never its words: they may hold data."""

    outcome: Outcome
    text: str = ""
