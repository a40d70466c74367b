"""Dead letters: what could not be handled, kept with its reason, listed, shown and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.errors import storable
from shared.ids import new_id
from shared.kafka import Record
from shared.outbox import OutboxRow
from shared.producer import pack_headers
from shared.uow import Work
from topics.cloudevents import flatten_headers

_INSERT: Final = """
INSERT INTO dead_letters (id, consumer, topic, partition, kafka_offset, key, ce_source, ce_id,
                          ce_type, headers, value, reason, retry_seq, failed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (consumer, topic, partition, kafka_offset) DO UPDATE
SET reason = excluded.reason, failed_at = excluded.failed_at, retry_seq = excluded.retry_seq,
    replayed_at = NULL
RETURNING id
"""
_LIST: Final = """
SELECT id, consumer, topic, partition, kafka_offset, key, ce_source, ce_id, ce_type, reason,
       failed_at, replayed_at
FROM dead_letters WHERE ($1 OR replayed_at IS NULL) ORDER BY failed_at DESC LIMIT $2
"""
_RETURN_NEW: Final = """
INSERT INTO retries (consumer, key, topic, partition, kafka_offset, headers, value)
SELECT consumer, coalesce(key, id::text), topic, partition, kafka_offset, headers, value
FROM dead_letters WHERE id = $1
"""
_RETURN_STRICT: Final = """
UPDATE retries SET dead = false, attempts = 0, next_at = now(), reason = '' WHERE seq = $1
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter without its body."""

    id: UUID
    consumer: str
    topic: str
    partition: int
    kafka_offset: int
    key: str | None
    ce_source: str | None
    ce_id: str | None
    ce_type: str | None
    reason: str
    failed_at: datetime
    replayed_at: datetime | None


async def bury(
    work: Work, consumer: str, record: Record, *, reason: str, retry_seq: int | None = None
) -> None:
    """Put a record into the table and onto ``<topic>.dlq``, in the caller's transaction.

    ``retry_seq`` is the row that keeps later messages of the key waiting (strict order).
    """
    reason = storable(reason)
    headers = flatten_headers(record.headers)
    found = dict(zip(headers[::2], headers[1::2], strict=True))
    await work.connection.execute(
        _INSERT,
        new_id(),
        consumer,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        found.get("ce_source"),
        found.get("ce_id"),
        found.get("ce_type"),
        pack_headers(headers),
        record.value,
        reason,
        retry_seq,
        work.now,
    )
    extra = ["muster_reason", reason, "muster_consumer", consumer]
    work.emit_raw(
        OutboxRow(f"{record.topic}.dlq", record.key, pack_headers(headers + extra), record.value)
    )


async def listed(connection: Connection, *, replayed: bool, limit: int) -> Sequence[DeadLetter]:
    """Return dead letters, newest first; those replayed already only when asked."""
    return [DeadLetter(**dict(row)) for row in await connection.fetch(_LIST, replayed, limit)]


async def replay(work: Work, letter_id: UUID) -> bool:
    """Hand a dead letter to its consumer again, with its identity; parked ones follow in order.

    Returns:
        False when there is no such letter, or it was replayed already.
    """
    row = await work.connection.fetchrow(
        "UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL"
        " RETURNING retry_seq",
        letter_id,
        work.now,
    )
    if row is None:
        return False
    if row["retry_seq"] is not None:
        await work.connection.execute(_RETURN_STRICT, row["retry_seq"])
    else:
        await work.connection.execute(_RETURN_NEW, letter_id)
    return True
