"""When a technical workflow runs: an interval, or cron lines in the instance's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim


@dataclass(frozen=True, slots=True)
class Every:
    """Runs each ``seconds`` after the last run began."""

    seconds: float

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:  # noqa: ARG002 - a schedule
        """Return when the next run is due (aware UTC)."""
        return moment + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Cron:
    """Runs at the times of a five-field cron line, in the instance's zone."""

    line: str

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after ``moment`` that the line names (aware UTC)."""
        due: datetime = next(CronSim(self.line, moment.astimezone(zone)))
        return due.astimezone(moment.tzinfo)

    def __str__(self) -> str:
        return f"cron {self.line}"


Schedule = Every | Cron
