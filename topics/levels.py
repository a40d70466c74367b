"""Messages of Message Center's service levels: activity, thresholds, crossings."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, Value
from topics.names import EVENTS_ACTIVITY, EVENTS_COMMANDS, EVENTS_STATUS

MOST_LINES: Final = 200
"""How many lines one summary has; what is beyond counts as ``OTHER``."""
MOST_VALUE: Final = 1e12
OTHER: Final = "(other)"
"""The event type under which types beyond the bound count, each channel for itself."""


class ActivityLine(Value):
    """What happened to events of a channel and type in one minute; times in milliseconds.

    ``queue_ms`` is the sum over the routed, ``processing_ms`` and ``sending_ms`` over the sent.
    ``queued`` is by how many the queue grew, or shrank.
    """

    channel: str
    event_type: str
    minute: datetime
    queued: int = 0
    entered: int = 0
    routed: int = 0
    sent: int = 0
    ignored: int = 0
    delivery_error: int = 0
    not_covered: int = 0
    expired: int = 0
    queue_ms: int = 0
    processing_ms: int = 0
    sending_ms: int = 0


class QueueLength(Value):
    """How many events of a channel and type wait to be processed."""

    channel: str
    event_type: str
    events: int


class EventsActivity(Event, topic=EVENTS_ACTIVITY, key="source"):
    """What one transaction did to events, for the view of service levels alone.

    ``sequence`` rises with every message of a ``source``, whose transactions follow one another: a
    reader that keeps a source's last number takes each summary once, however often it comes.
    ``queue`` is all of the queue, where it was counted.
    """

    source: str = Field(min_length=1, max_length=100)
    sequence: int = Field(ge=1)
    lines: tuple[ActivityLine, ...] = ()
    queue: tuple[QueueLength, ...] | None = None
    at: datetime


class Window(StrEnum):
    """Over how long a level is taken: the last whole minute, 60 minutes, or 24 hours so far."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Level(Value):
    """How Message Center did in a window, in all, for a channel, or for a type of events.

    An empty channel stands for all, an empty type for all of the channel. Times are means in
    seconds: waiting to be processed (of the routed); from there to the server's answer, and from
    intake or the scheduled time to that answer (of the sent). ``error_rate`` is errors by events
    that came in, 1 at most. Queue lengths are ``None`` where none was seen in the window.
    """

    channel: str = ""
    event_type: str = ""
    window: Window
    since: datetime
    until: datetime
    incoming: int
    incoming_per_hour: float
    outgoing: int
    outgoing_per_hour: float
    errors: int
    ignored: int
    delivery_error: int
    not_covered: int
    expired: int
    error_rate: float | None
    queued: int
    queued_min: int | None
    queued_avg: float | None
    queued_max: int | None
    queue_seconds: float | None
    processing_seconds: float | None
    sending_seconds: float | None


class MinuteFigures(Value):
    """What happened in all in one minute, for a chart; ``queued`` is the longest queue seen."""

    minute: datetime
    incoming: int
    outgoing: int
    errors: int
    queued: int | None


class Indicator(StrEnum):
    """What a threshold is of; times in seconds, throughput in events per hour."""

    INCOMING_THROUGHPUT = "incoming_throughput"
    OUTGOING_THROUGHPUT = "outgoing_throughput"
    QUEUE_TIME = "queue_time"
    PROCESSING_TIME = "processing_time"
    SENDING_TIME = "sending_time"
    ERROR_RATE = "error_rate"
    QUEUED = "queued"
    QUEUED_MIN = "queued_min"
    QUEUED_AVG = "queued_avg"
    QUEUED_MAX = "queued_max"
    OLDEST_WAIT = "oldest_wait"
    """Since when the event waits that waits longest."""


class Grade(StrEnum):
    """How a level stands against its threshold."""

    NORMAL = "normal"
    WARNING = "warning"
    ALERT = "alert"


class SetThreshold(Command, topic=EVENTS_COMMANDS, key="indicator"):
    """Say from when on a service level is told; neither value: it is told no more.

    An empty channel or type stands for all. ``below``: values under it are the bad ones, as of a
    throughput. Whoever may manage events. Answers: ``ThresholdSet`` or ``ThresholdRefused``.
    """

    indicator: Indicator
    channel: str = Field(default="", max_length=50)
    event_type: str = Field(default="", max_length=200)
    window: Window = Window.HOUR
    below: bool = False
    warning: float | None = Field(default=None, ge=0, le=MOST_VALUE)
    alert: float | None = Field(default=None, ge=0, le=MOST_VALUE)
    minimum_events: int = Field(
        default=0, ge=0, le=1_000_000_000, description="with fewer in the window all is well"
    )
    minutes: int = Field(
        default=2, ge=0, le=1440, description="for how long a value must last to count"
    )
    actor: Actor


class ThresholdSet(Event, topic=EVENTS_STATUS, key="indicator"):
    """A service level is told of from these values on."""

    indicator: Indicator
    channel: str
    event_type: str
    warning: float | None
    alert: float | None
    actor: Actor


class ThresholdRefused(Event, topic=EVENTS_STATUS, key="indicator"):
    """A threshold was not set."""

    indicator: Indicator
    reason: str
    field: str | None = None
    actor: Actor


class ServiceLevelCrossed(Event, topic=EVENTS_STATUS, key="crossing_id"):
    """A service level crossed its threshold, or came back.

    A crossing keeps its id from the first warning or alert to the return to normal. ``limit`` is
    the value that was crossed, or is kept again; ``value`` is ``None`` where there is none any
    more, such as the times of no events.
    """

    crossing_id: UUID
    indicator: Indicator
    channel: str
    event_type: str
    window: Window
    below: bool
    before: Grade
    after: Grade
    value: float | None
    limit: float | None
    since: datetime
    at: datetime


class ThresholdStanding(Value):
    """A threshold, how its level stands against it, and the value looked at last."""

    indicator: Indicator
    channel: str
    event_type: str
    window: Window
    below: bool
    warning: float | None
    alert: float | None
    grade: Grade
    value: float | None


class AskForLevels(Command, topic=EVENTS_COMMANDS, key="ask_id"):
    """Have service levels told. Answer: ``LevelsTold``, empty for who may not read."""

    ask_id: UUID
    actor: Actor


class LevelsTold(Event, topic=EVENTS_STATUS, key="ask_id"):
    """Service levels in all, of the types with most events in the last hour, and what is not well.

    ``as_of`` is ``None`` where nothing is known yet; ``is_late``: the live view does not keep up.
    """

    ask_id: UUID
    actor: Actor
    as_of: datetime | None
    is_late: bool
    levels: tuple[Level, ...] = ()
    minutes: tuple[MinuteFigures, ...] = ()
    thresholds: tuple[ThresholdStanding, ...] = ()
