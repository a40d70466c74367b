"""Messages of Message Center's service levels: activity, thresholds, crossings."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from topics.message import Event, Value
from topics.names import EVENTS_ACTIVITY

MOST_LINES: Final = 200
"""How many lines one summary has; what is beyond counts as ``OTHER``."""
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
