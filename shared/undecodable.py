"""Record batches that the client cannot decode, and how a consumer gets past them.

Kafka takes header names that are no UTF-8 text, and aiokafka raises for the whole fetch before
anybody sees a record. A batch comes from one producer, so stepping over it harms nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kafka import Record
from shared.settings import Settings

REASON: Final = "a header's name is no UTF-8 text"
_FETCH_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of a partition, from ``first`` up to but without ``after``, that nobody can read."""

    partition: TopicPartition
    first: int
    after: int

    @property
    def reason(self) -> str:
        """What a dead letter says of it."""
        return f"offsets {self.first} to {self.after - 1}: {REASON}"

    def as_record(self, settings: Settings) -> Record:
        """Return a record without content that stands for the gap in the dead letters."""
        topic = self.partition.topic.removeprefix(settings.kafka_namespace)
        return Record(topic, self.partition.partition, self.first, None, [], b"")


async def fetch(
    client: AIOKafkaConsumer, *, timeout_ms: int, limit: int
) -> tuple[list[Any], Gap | None]:
    """Return the client's next records, and the first gap that was met, behind which it stands."""
    try:
        fetched = await client.getmany(timeout_ms=timeout_ms, max_records=limit)
    except UnicodeDecodeError:  # which does not say where
        return await _one_by_one(client, limit)
    return [raw for raws in fetched.values() for raw in raws], None


async def _one_by_one(client: AIOKafkaConsumer, limit: int) -> tuple[list[Any], Gap | None]:
    found: list[Any] = []
    for partition in sorted(client.assignment()):
        while len(found) < limit:
            try:
                fetched = await client.getmany(partition, timeout_ms=_FETCH_MS, max_records=1)
            except UnicodeDecodeError:
                first = await client.position(partition)
                after = await _readable_from(client, partition, first)
                client.seek(partition, after)
                return found, Gap(partition, first, after)
            if not fetched:
                break
            found += fetched[partition]
    return found, None


async def _readable_from(client: AIOKafkaConsumer, partition: TopicPartition, failed: int) -> int:
    """Return the first offset after ``failed`` from which a fetch succeeds."""
    step = 1
    while not await _reads(client, partition, failed + step):
        failed, step = failed + step, step * 2
    good = failed + step
    while good - failed > 1:  # it lies behind ``failed``, and is ``good`` at the latest
        middle = (failed + good) // 2
        if await _reads(client, partition, middle):
            good = middle
        else:
            failed = middle
    return good


async def _reads(client: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> bool:
    end: int = (await client.end_offsets([partition]))[partition]
    if offset >= end:
        return True
    client.seek(partition, offset)
    try:
        await client.getmany(partition, timeout_ms=_FETCH_MS, max_records=1)
    except UnicodeDecodeError:
        return False
    return True
