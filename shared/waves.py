"""What a choice of waves comes to: when each of them opens, and how many messages it has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from topics.waves import Waves, WaveUnit


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave: when it opens, and how many messages it has; ``None``: all that are left."""

    at: datetime
    size: int | None


def waves_of(waves: Waves, messages: int, start_at: datetime) -> list[Wave]:
    """Return the waves of so many messages, in order; none when there is nothing to send.

    A wave that nothing is left for is left out.
    """
    if messages == 0:
        return []
    dated = bool(waves.calendar)
    found = _of_calendar(waves, messages) if dated else _equal(waves, messages, start_at)
    return [*found[:-1], Wave(found[-1].at, None)]


def number_of(waves: Waves, messages: int) -> int:
    """Return how many equal waves so many messages make."""
    return -(-messages // _size(waves.unit, waves.size or messages, messages))


def _equal(waves: Waves, messages: int, start_at: datetime) -> list[Wave]:
    size = _size(waves.unit, waves.size or messages, messages)
    period = timedelta(minutes=waves.period_minutes or 1)
    return [Wave(start_at + i * period, size) for i in range(number_of(waves, messages))]


def _of_calendar(waves: Waves, messages: int) -> list[Wave]:
    found: list[Wave] = []
    left = messages
    for one in waves.calendar:
        if left <= 0:
            break
        size = _size(waves.unit, one.size, messages)
        found.append(Wave(one.at, size))
        left -= size
    return found


def _size(unit: WaveUnit, size: int, messages: int) -> int:
    if unit is WaveUnit.MESSAGES:
        return size
    return -(-messages * size // 100)
