"""A service's clock that jumps, in a process of its own; the database's clock goes on as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.clock import SystemClock


def install(place: Path) -> None:
    """Let the process's clock be wrong by the seconds that a file holds, read at each look."""

    def now(self: SystemClock) -> datetime:  # noqa: ARG001 - the method's own name
        try:
            wrong_by = float(place.read_text())
        except (OSError, ValueError):
            wrong_by = 0.0
        return datetime.now(UTC) + timedelta(seconds=wrong_by)

    SystemClock.now = now  # type: ignore[method-assign]  # in a child process only
