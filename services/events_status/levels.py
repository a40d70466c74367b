"""Service levels: what minutes and hours add up to (Adobe Campaign's service-level reports)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import add, attrgetter
from typing import Final

from topics.levels import ActivityLine, Level, MinuteFigures, Window

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 24 * HOUR
COUNTED: Final = (
    "entered",
    "routed",
    "sent",
    "ignored",
    "delivery_error",
    "not_covered",
    "expired",
    "queue_ms",
    "processing_ms",
    "sending_ms",
)
"""What a line of a summary adds to a tally, in this order."""
TOTAL: Final = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened in a minute or an hour.

    Attributes:
        counts: by ``COUNTED``.
        least, most: the shortest and the longest queue seen; ``None`` when none was.
        lengths, samples: the sum and the number of the queue's regular counts.
    """

    counts: tuple[int, ...] = (0,) * len(COUNTED)
    least: int | None = None
    most: int | None = None
    lengths: int = 0
    samples: int = 0

    def __getitem__(self, name: str) -> int:
        return self.counts[COUNTED.index(name)]

    @property
    def errors(self) -> int:
        """Routing errors, expired, delivery errors and ignored (source: CC service levels)."""
        return self["ignored"] + self["delivery_error"] + self["not_covered"] + self["expired"]


NOTHING: Final = Tally()


_counts: Final = attrgetter(*COUNTED)


def tally_of(line: ActivityLine) -> Tally:
    """Return what a line of a summary adds."""
    return Tally(_counts(line))


def seen(*lengths: int, sampled: bool) -> Tally:
    """Return what queue lengths seen one after another add; the last is a sample, or none is."""
    sample = lengths[-1] if sampled else 0
    return Tally(NOTHING.counts, min(lengths), max(lengths), sample, int(sampled))


def plus(one: Tally, other: Tally) -> Tally:
    """Return the sum of two."""
    return Tally(
        tuple(map(add, one.counts, other.counts)),
        _either(min, one.least, other.least),
        _either(max, one.most, other.most),
        one.lengths + other.lengths,
        one.samples + other.samples,
    )


def _either(pick: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return pick(one, other)


def keys_of(channel: str, event_type: str) -> tuple[str, str, str]:
    """Return under which keys an event counts: in all, its channel, its channel and type."""
    return TOTAL, channel, f"{channel} {event_type}"


def begin_of(moment: datetime, width: int) -> int:
    """Return the second since 1970 at which the minute or hour of a moment begins."""
    return int(moment.timestamp()) // width * width


def span(window: Window, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when a window goes; it is made of whole minutes, a day of hours."""
    minute = begin_of(now, MINUTE)
    if window is Window.MINUTE:
        return _moment(minute - MINUTE), _moment(minute)
    if window is Window.HOUR:
        return _moment(minute - HOUR + MINUTE), now
    return _moment(begin_of(now, HOUR) - DAY + HOUR), now


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


Book = Mapping[int, Mapping[str, Tally]]
"""Tallies by beginning and key."""


def levels(minutes: Book, hours: Book, queue: Mapping[str, int], now: datetime) -> list[Level]:
    """Return the level of each key in each window."""
    told = {key for book in (minutes, hours) for part in book.values() for key in part}
    keys = sorted({TOTAL} | told | set(queue))
    found = []
    for window in Window:
        since, until = span(window, now)
        book = hours if window is Window.DAY else minutes
        first, last = since.timestamp(), until.timestamp()
        lines = [line for start, line in book.items() if first <= start < last]
        found += [level_of(key, window, now, _sum(lines, key), queue.get(key, 0)) for key in keys]
    return found


def _sum(lines: Iterable[Mapping[str, Tally]], key: str) -> Tally:
    total = NOTHING
    for line in lines:
        if key in line:
            total = plus(total, line[key])
    return total


def level_of(key: str, window: Window, now: datetime, tally: Tally, queued: int) -> Level:
    """Return what a window's tally says."""
    since, until = span(window, now)
    channel, _, event_type = key.partition(" ")
    per_hour = HOUR / max((until - since).total_seconds(), 1)
    entered, sent, errors = tally["entered"], tally["sent"], tally.errors
    return Level(
        channel=channel,
        event_type=event_type,
        window=window,
        since=since,
        until=until,
        incoming=entered,
        incoming_per_hour=round(entered * per_hour, 3),
        outgoing=sent,
        outgoing_per_hour=round(sent * per_hour, 3),
        errors=errors,
        **{name: tally[name] for name in ("ignored", "delivery_error", "not_covered", "expired")},
        # A late bounce may be of an event that came in before the window.
        error_rate=min(errors / max(entered, 1), 1.0) if entered or errors else None,
        queued=queued,
        queued_min=tally.least,
        queued_avg=tally.lengths / tally.samples if tally.samples else None,
        queued_max=tally.most,
        queue_seconds=_mean(tally["queue_ms"], tally["routed"]),
        processing_seconds=_mean(tally["processing_ms"], sent),
        sending_seconds=_mean(tally["sending_ms"], sent),
    )


def _mean(milliseconds: int, count: int) -> float | None:
    return round(milliseconds / count / 1000, 3) if count else None


def chart(minutes: Book, now: datetime) -> Sequence[MinuteFigures]:
    """Return the last hour in all, minute by minute; minutes where nothing was told are empty."""
    first = int(span(Window.HOUR, now)[0].timestamp())
    return [
        _figures(start, minutes.get(start, {}).get(TOTAL, NOTHING))
        for start in range(first, first + HOUR, MINUTE)
    ]


def _figures(start: int, tally: Tally) -> MinuteFigures:
    return MinuteFigures(
        minute=_moment(start),
        incoming=tally["entered"],
        outgoing=tally["sent"],
        errors=tally.errors,
        queued=tally.most,
    )
