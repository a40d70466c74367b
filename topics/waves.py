"""Waves: a target that is sent in parts, one after the other."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from topics.message import Value


class WaveUnit(StrEnum):
    """What the size of a wave counts: messages, or per cent of all."""

    MESSAGES = "messages"
    PERCENT = "percent"


class WaveDate(Value):
    """One wave of a calendar."""

    at: datetime
    size: int = Field(ge=1, le=10_000_000)


class Waves(Value):
    """How a target's e-mails are parted: in equal waves, or by a calendar. Letters are not parted.

    ``size`` messages, or per cent of all, every ``period_minutes``, the first at the start; or the
    waves of the ``calendar``, whose sizes are of the same ``unit``. Whatever a calendar's sizes add
    up to, its last wave is the rest. Without any of them there are no waves.
    """

    unit: WaveUnit = WaveUnit.MESSAGES
    size: int | None = Field(default=None, ge=1, le=10_000_000)
    period_minutes: int | None = Field(default=None, ge=1, le=527_040)
    calendar: tuple[WaveDate, ...] = Field(default=(), max_length=100)


class WaveProgress(Value):
    """How many of a run's waves are open, and when the next one opens; ``None``: all are."""

    opened: int = Field(ge=0)
    total: int = Field(ge=1)
    next_at: datetime | None = None
