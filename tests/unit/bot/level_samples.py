"""Service levels as Message Center tells them to the bot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.unit.bot.samples import NOW
from topics.levels import (
    Grade,
    Indicator,
    Level,
    LevelsTold,
    MinuteFigures,
    ServiceLevelCrossed,
    ThresholdStanding,
    Window,
)
from topics.message import Actor, system_actor


def a_level(**fields: Any) -> Level:
    """Return an hour's level, in all unless told."""
    wanted = {
        "window": Window.HOUR,
        "since": NOW - timedelta(hours=1),
        "until": NOW,
        "incoming": 5321,
        "incoming_per_hour": 5321.0,
        "outgoing": 5003,
        "outgoing_per_hour": 5003.0,
        "errors": 412,
        "ignored": 100,
        "delivery_error": 100,
        "not_covered": 200,
        "expired": 12,
        "error_rate": 0.077,
        "queued": 118,
        "queued_min": 0,
        "queued_avg": 44.3,
        "queued_max": 1203,
        "queue_seconds": 2.4,
        "processing_seconds": 1.1,
        "sending_seconds": 190.0,
    }
    return Level(**wanted | fields)


def a_standing(indicator: Indicator = Indicator.ERROR_RATE, **fields: Any) -> ThresholdStanding:
    """Return a threshold that is over its warning."""
    wanted = {
        "channel": "",
        "event_type": "",
        "window": Window.HOUR,
        "below": False,
        "warning": 0.05,
        "alert": 0.2,
        "grade": Grade.WARNING,
        "value": 0.077,
    }
    return ThresholdStanding(indicator=indicator, **wanted | fields)


def told(
    *, kind: str = "order.confirmed", ask_id: UUID | None = None, actor: Actor | None = None
) -> LevelsTold:
    """Return an hour with a queue that grew and is empty again."""
    begin = NOW.replace(second=0, microsecond=0) - timedelta(minutes=59)
    minutes = [
        MinuteFigures(
            minute=begin + timedelta(minutes=n),
            incoming=80 + n % 7,
            outgoing=70 + n % 5,
            errors=n % 3,
            queued=None if n < 3 else max(0, 20 - abs(n - 30)) * 60,
        )
        for n in range(60)
    ]
    types = [a_level(channel="email", event_type=kind) for _ in range(8)]
    return LevelsTold(
        ask_id=ask_id or UUID(int=5),
        actor=actor or system_actor("bot"),
        as_of=NOW,
        is_late=False,
        levels=(a_level(), *types),
        minutes=tuple(minutes),
        thresholds=(
            a_standing(),
            a_standing(Indicator.QUEUED, warning=500, alert=1000, value=1203, grade=Grade.ALERT),
        ),
    )


def a_crossing(**fields: Any) -> ServiceLevelCrossed:
    """Return a crossing of the error rate's warning."""
    wanted = {
        "crossing_id": UUID(int=6),
        "indicator": Indicator.ERROR_RATE,
        "channel": "",
        "event_type": "",
        "window": Window.HOUR,
        "below": False,
        "before": Grade.NORMAL,
        "after": Grade.WARNING,
        "value": 0.077,
        "limit": 0.05,
        "since": NOW,
        "at": NOW,
    }
    return ServiceLevelCrossed(**wanted | fields)
