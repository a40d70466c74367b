"""Messages put aside: the oldest of a key waits for its next try, later ones wait behind it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from shared.database import Connection
from shared.kafka import Record
from shared.producer import pack_headers, unpack_headers
from topics.cloudevents import flatten_headers

_PARK: Final = """
INSERT INTO retries (consumer, key, topic, partition, kafka_offset, headers, value, attempts,
                     next_at, dead, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 second', $10, $11)
RETURNING seq
"""
# The head of a key is its lowest sequence; only heads are tried, so a key keeps its order.
_CLAIM: Final = """
SELECT r.seq, r.key, r.topic, r.partition, r.kafka_offset, r.headers, r.value, r.attempts
FROM retries r
WHERE r.consumer = $1 AND NOT r.dead AND r.next_at <= now()
  AND NOT EXISTS (SELECT 1 FROM retries e
                  WHERE e.consumer = r.consumer AND e.key = r.key AND e.seq < r.seq)
ORDER BY r.next_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record whose turn has come."""

    seq: int
    attempts: int
    record: Record


def backoff(
    attempts: int,
    *,
    base_seconds: float,
    spread: random.Random,
    longest_seconds: float = 300.0,
) -> float:
    """Return seconds until the next try: doubled each time up to the longest, with jitter."""
    ceiling = min(base_seconds * 2.0 ** min(attempts, 500), longest_seconds)
    return ceiling * spread.uniform(0.5, 1.0)


async def park(
    connection: Connection,
    consumer: str,
    record: Record,
    *,
    attempts: int = 0,
    delay_seconds: float = 0.0,
    dead: bool = False,
    reason: str = "",
) -> int:
    """Put a record aside under its key; return its place in the order."""
    seq: int = await connection.fetchval(
        _PARK,
        consumer,
        key_of(record),
        record.topic,
        record.partition,
        record.offset,
        pack_headers(flatten_headers(record.headers)),
        record.value,
        attempts,
        delay_seconds,
        dead,
        reason,
    )
    return seq


def key_of(record: Record) -> str:
    """Return the key that order is kept for; a record without one stands alone."""
    if record.key is not None:
        return record.key
    return f"{record.topic}/{record.partition}/{record.offset}"


async def claim(connection: Connection, consumer: str) -> Waiting | None:
    """Return the next record whose turn has come, its row locked until the transaction ends."""
    row = await connection.fetchrow(_CLAIM, consumer)
    if row is None:
        return None
    headers = unpack_headers(row["headers"])
    record = Record(
        row["topic"], row["partition"], row["kafka_offset"], row["key"], headers, row["value"]
    )
    return Waiting(row["seq"], row["attempts"], record)


async def done(connection: Connection, seq: int) -> None:
    """Remove a record that was handled; the next of its key becomes the head."""
    await connection.execute("DELETE FROM retries WHERE seq = $1", seq)


async def postpone(
    connection: Connection, seq: int, *, attempts: int, delay_seconds: float, reason: str
) -> None:
    """Set the next try of a record."""
    await connection.execute(
        "UPDATE retries SET attempts = $2, next_at = now() + $3 * interval '1 second',"
        " reason = $4 WHERE seq = $1",
        seq,
        attempts,
        delay_seconds,
        reason,
    )


async def keep_dead(connection: Connection, seq: int, reason: str) -> None:
    """Leave a dead record at the head of its key, so that later ones wait (strict order)."""
    await connection.execute(
        "UPDATE retries SET dead = true, reason = $2 WHERE seq = $1", seq, reason
    )
