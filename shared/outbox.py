"""The outbox: messages as rows, written in the transaction that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One record to be published: topic, key, packed headers, body."""

    topic: str
    key: str | None
    headers: bytes
    value: bytes


# COPY costs an extra round trip and wins from a few dozen rows on (`muster bench core`).
COPY_FROM: Final = 50

_INSERT: Final = "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, $2, $3, $4)"

# The first writer that finds the relay asleep sends the only NOTIFY of that sleep; others skip
# the locked row, and a notification lost with a rollback is made good by the relay's poll.
_WAKE: Final = """
WITH asleep AS (SELECT single FROM relay_wake WHERE waiting FOR UPDATE SKIP LOCKED),
     woken AS (UPDATE relay_wake w SET waiting = false FROM asleep RETURNING 1)
SELECT pg_notify('outbox_' || current_schema(), '') FROM woken
"""


async def write(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Add rows to the outbox in order, and wake the relay when it sleeps."""
    if not rows:
        return
    records = [(row.topic, row.key, row.headers, row.value) for row in rows]
    if len(records) >= COPY_FROM:
        await connection.copy_records_to_table(
            "outbox", records=records, columns=("topic", "key", "headers", "value")
        )
    else:
        await connection.executemany(_INSERT, records)
    await connection.execute(_WAKE)
