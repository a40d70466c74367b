"""What delivery published of its runs and messages, each fact once, however often it was sent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from shared.kafka import Record
from tests.faults.checks import Journal
from topics.cloudevents import Malformed, decode_envelope
from topics.delivery import DeliveryFinished, MessageOutcome
from topics.message import message_type


@dataclass
class News(Journal):
    """A journal that remembers the ends of runs and of single messages.

    Attributes:
        finished: by run, each end that was published (by the event's id): its totals.
        outcomes: by message, each outcome that was published.
    """

    finished: dict[UUID, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    outcomes: dict[UUID, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, record: Record) -> None:
        """Take note of one record."""
        super().note(record)
        try:
            envelope = decode_envelope(record.headers, record.value)
        except Malformed:
            return
        kind, body = message_type(envelope.type), orjson.loads(record.value)
        if kind is DeliveryFinished:
            self.finished[UUID(body["run_id"])][envelope.id] = body["counts"]
        elif kind is MessageOutcome:
            self.outcomes[UUID(body["message_id"])][envelope.id] = body["outcome"]
