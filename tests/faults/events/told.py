"""What was published of events: each change once, their latest states, outcomes as records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from shared.kafka import Record
from tests.faults.checks import Journal
from topics.cloudevents import Malformed, decode_envelope
from topics.delivery import MessageOutcome
from topics.events import EventState, EventStatusChanged
from topics.message import message_type


@dataclass
class Told(Journal):
    """A journal that remembers what became of events.

    Attributes:
        changes: by event, each change that was published (by its CloudEvents id, in the order of
            the topic): the status before and after.
        states: by event, status and version of the record that compaction keeps: the last one.
        outcomes: records of outcomes by message, as they were published, to be sent again.
    """

    changes: dict[UUID, dict[str, tuple[str | None, str]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    states: dict[UUID, tuple[str, int]] = field(default_factory=dict)
    outcomes: dict[UUID, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def note(self, record: Record) -> None:
        """Take note of one record."""
        super().note(record)
        try:
            envelope = decode_envelope(record.headers, record.value)
        except Malformed:
            return
        kind = message_type(envelope.type)
        if kind is None or kind not in {EventStatusChanged, EventState, MessageOutcome}:
            return
        body = orjson.loads(envelope.data)
        if kind is EventStatusChanged:
            event = UUID(body["event_id"])
            self.changes[event].setdefault(envelope.id, (body["before"], body["after"]))
        elif kind is EventState:
            self.states[UUID(body["event_id"])] = body["status"], body["version"]
        elif envelope.source.startswith("/muster/"):
            self.outcomes[UUID(body["message_id"])].append(record)
