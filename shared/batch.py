"""What a batch of records becomes: decoded messages, and those that cannot be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import Permanent
from shared.kafka import Record
from shared.registry import Entry, Intake, Registry
from topics.cloudevents import Envelope, Malformed, decode_envelope, decode_message
from topics.message import message_type


@dataclass(frozen=True, slots=True)
class Item:
    """One record to handle: a message with its entry, or what an intake event was read as."""

    record: Record
    envelope: Envelope
    message: Any
    entry: Entry | None
    intake: Intake | None

    @property
    def identity(self) -> tuple[str, str]:
        """The message's identity, (source, id)."""
        return self.envelope.source, self.envelope.id


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that is no message of ours, and why; ``outside``: nor was it to be one."""

    record: Record
    reason: str
    outside: bool = False


def read(record: Record, registry: Registry) -> Item | Broken | None:
    """Return what a record means to a consumer; ``None`` when it is not its business.

    A type that the contract lacks is skipped on event and state topics, where a newer service may
    have published it, and broken on command topics, where somebody waits for an answer.
    """
    intake = registry.intake(record.topic)
    if not record.value and intake is None:
        return None  # a tombstone: readers of compacted topics keep what they know by version
    try:
        envelope = decode_envelope(record.headers, record.value)
        if intake is not None:
            return Item(record, envelope, intake.read(envelope), None, intake)
        return _typed(record, envelope, registry)
    except (Malformed, Permanent) as problem:
        return Broken(record, str(problem), outside=intake is not None)


def _typed(record: Record, envelope: Envelope, registry: Registry) -> Item | None:
    kind = message_type(envelope.type)
    if kind is None:
        if ".commands." in record.topic:
            raise Malformed(f"unknown message type {envelope.type[:100]!r}")
        return None
    if kind.topic.name != record.topic:
        raise Malformed(f"{envelope.type} does not belong on this topic")
    entry = registry.entry(kind)
    if entry is None:
        return None
    return Item(record, envelope, decode_message(envelope), entry, None)


def in_runs(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """Yield items in order, consecutive ones of a batched type or an intake together."""
    start = 0
    for i in range(1, len(items) + 1):
        if i == len(items) or not _together(items[start], items[i]):
            yield items[start:i]
            start = i


def _together(first: Item, other: Item) -> bool:
    if first.intake is not None:
        return first.intake is other.intake
    return first.entry is not None and first.entry.batched and first.entry is other.entry
