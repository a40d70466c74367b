"""The live picture of a run: totals, and what happened in the last minute and the last hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

KINDS: Final = ("sent", "failed", "deferred", "opens", "clicks")
FINE_SECONDS: Final = 10
"""Width of the buckets that the last minute is made of; an hour is made of minutes."""
MINUTE: Final = 60
HOUR: Final = 3600

Figures = tuple[int, ...]
NOTHING: Final[Figures] = (0,) * len(KINDS)


def figures_of(counts: Mapping[str, int]) -> Figures:
    """Return counts in the order of ``KINDS``."""
    return tuple(counts.get(name, 0) for name in KINDS)


def plus(one: Figures, other: Figures) -> Figures:
    """Return the sum of two."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a run; buckets are keyed by the second they begin with.

    Attributes:
        last_at: the time of the latest summary (seconds since 1970).
    """

    total: Figures = NOTHING
    fine: Mapping[int, Figures] = field(default_factory=dict)
    minutes: Mapping[int, Figures] = field(default_factory=dict)
    last_at: float = 0.0


def add(picture: Picture, figures: Figures, at: datetime) -> Picture:
    """Return the picture with a summary; what is over an hour old counts in the total only."""
    second = at.timestamp()
    last = max(picture.last_at, second)
    return replace(
        picture,
        total=plus(picture.total, figures),
        fine=_with(picture.fine, figures, second, last, width=FINE_SECONDS, span=MINUTE),
        minutes=_with(picture.minutes, figures, second, last, width=MINUTE, span=HOUR),
        last_at=last,
    )


def _with(
    buckets: Mapping[int, Figures],
    figures: Figures,
    second: float,
    last: float,
    *,
    width: int,
    span: int,
) -> dict[int, Figures]:
    begins = int(second) // width * width
    found = dict(buckets)
    found[begins] = plus(found.get(begins, NOTHING), figures)
    return {start: value for start, value in found.items() if start > last - span - width}


def in_last(picture: Picture, seconds: int, now: datetime) -> Figures:
    """Return what happened in the last minute (60) or hour (3600), to the width of a bucket."""
    buckets = picture.fine if seconds == MINUTE else picture.minutes
    since = now.timestamp() - seconds
    total = NOTHING
    for start, value in buckets.items():
        if start >= since:
            total = plus(total, value)
    return total
