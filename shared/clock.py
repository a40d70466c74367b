"""Time as an argument: the system's clock, and one that tests drive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, as an aware UTC datetime."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class AheadClock:
    """The machine's clock, ahead by as many seconds as a file says: schedules can be rehearsed.

    Every process of an instance that reads the same file has the same time. Without the file it
    is the machine's time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """Return the current time in UTC, and what the file adds to it.

        Raises:
            ValueError: the file holds no number of seconds.
        """
        try:
            ahead = float(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            ahead = 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def go_on_to(self, at: datetime) -> None:
        """Put the clock ahead for every process that reads the file; it never goes back."""
        ahead = max(at, self.now()) - datetime.now(UTC)
        # Read at any moment: it is there whole, or as it was.
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_text(str(ahead.total_seconds()), encoding="ascii")
        draft.replace(self._path)


def clock_of(path: Path | None) -> Clock:
    """Return the machine's clock, or one that a file puts ahead."""
    return SystemClock() if path is None else AheadClock(path)


class DrivenClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on by a duration and return the new time."""
        self._now += by
        return self._now
