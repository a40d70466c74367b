"""The outbox: messages as rows, written in the transaction that caused them.

A transaction that emits many packs them: a row, its index entry, its deletion and its headers cost
the server more than the message in it. One row then holds up to ``PACK`` records in their order,
compressed: what messages say over and over is most of what they say.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One record to be published: topic, key, packed headers, body."""

    topic: str
    key: str | None
    headers: bytes
    value: bytes

    @property
    def size(self) -> int:
        """Its bytes, nearly."""
        return len(self.headers) + len(self.value)


PACK_FROM: Final = 20
"""Fewer rows are written one by one: people read those, and packing saves nothing."""
PACK: Final = 200
PACK_BYTES: Final = 262_144
PACKED: Final = ""
"""The topic of a row that holds several records: ``value`` has them, behind an index."""
FORM: Final = b"2"
"""The headers of such a row: no relay of another form takes them for its own (ADR 2)."""
_LEVEL: Final = 1
_LENGTH: Final = 4

_INSERT: Final = """
INSERT INTO outbox (topic, key, headers, value, records) VALUES ($1, $2, $3, $4, $5)
"""

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
    parts: Iterable[Sequence[OutboxRow]]
    parts = [[row] for row in rows] if len(rows) < PACK_FROM else _parts(rows)
    records = [
        (one.topic, one.key, one.headers, one.value, len(part))
        for part in parts
        for one in [pack(part)]
    ]
    await connection.executemany(_INSERT, records)
    await connection.execute(_WAKE)


def _parts(rows: Sequence[OutboxRow]) -> Iterator[Sequence[OutboxRow]]:
    """Yield rows in order, as many together as a row may hold."""
    first, size = 0, 0
    for i, row in enumerate(rows):
        if i > first and (i - first == PACK or size + row.size > PACK_BYTES):
            yield rows[first:i]
            first, size = i, 0
        size += row.size
    yield rows[first:]


def pack(rows: Sequence[OutboxRow]) -> OutboxRow:
    """Return one row that holds all; a single one is itself."""
    if len(rows) == 1:
        return rows[0]
    index = orjson.dumps([(row.topic, row.key, len(row.headers), len(row.value)) for row in rows])
    parts = [part for row in rows for part in (row.headers, row.value)]
    value = b"".join((len(index).to_bytes(_LENGTH), index, *parts))
    return OutboxRow(PACKED, None, FORM, zlib.compress(value, _LEVEL))


def unpack(row: OutboxRow) -> list[OutboxRow]:
    """Return what a row holds, in order; one that is not packed holds itself."""
    if row.topic != PACKED:
        return [row]
    if row.headers != FORM:
        message = "a packed row of another release: let its own relay publish it"
        raise ValueError(message)
    whole = zlib.decompress(row.value)
    at = _LENGTH + int.from_bytes(whole[:_LENGTH])
    found = []
    for topic, key, headers, value in orjson.loads(whole[_LENGTH:at]):
        middle, end = at + headers, at + headers + value
        found.append(OutboxRow(topic, key, whole[at:middle], whole[middle:end]))
        at = end
    return found
