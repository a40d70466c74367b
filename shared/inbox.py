"""The inbox: which messages a consumer has handled, so that each has its effect once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.database import Connection

_TAKE: Final = """
WITH fresh AS (
    INSERT INTO inbox (consumer, source, id)
    SELECT $1, * FROM unnest($2::text[], $3::text[])
    ON CONFLICT DO NOTHING
    RETURNING source, id
)
SELECT source, id, NULL AS key FROM fresh
UNION ALL
SELECT DISTINCT NULL, NULL, key FROM retries WHERE consumer = $1 AND key = ANY ($4::text[])
"""
_PRUNE: Final = """
DELETE FROM inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE handled_at < now() - $1::interval LIMIT $2))
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What may be handled now: new identities, and keys with a message put aside before them."""

    fresh: set[tuple[str, str]]
    parked_keys: set[str]


async def take(
    connection: Connection,
    consumer: str,
    identities: Iterable[tuple[str, str]],
    keys: Iterable[str],
) -> Taken:
    """Note identities (source, id) as handled; return those that were new, and parked keys.

    They are inserted in sorted order, so that two workers with the same batch wait for each
    other instead of deadlocking.
    """
    ordered = sorted(set(identities))
    rows = await connection.fetch(
        _TAKE,
        consumer,
        [source for source, _ in ordered],
        [id_ for _, id_ in ordered],
        list(set(keys)),
    )
    fresh = {(row["source"], row["id"]) for row in rows if row["id"] is not None}
    return Taken(fresh, {row["key"] for row in rows if row["id"] is None})


async def prune(connection: Connection, *, keep: timedelta, limit: int = 20_000) -> int:
    """Delete up to ``limit`` entries older than ``keep``; return how many went."""
    status = await connection.execute(_PRUNE, keep, limit)
    return int(status.rpartition(" ")[2])
