"""Rows of the keys that pushed events came with: the first call writes, a later one compares.

The row commits before Kafka is asked, and holds what the ids of its events are made of: a call that
was lost half-way and comes again makes the same ids, and Message Center takes each once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from shared.database import Connection
from shared.ids import new_id

_BEGIN: Final = """
INSERT INTO event_keys AS k (operator_id, scope, key, part, body_sha256, base, under_way_until,
                             expires_at)
SELECT $1, $2, one.key, $3, one.sha256, one.base, $4, $5
FROM unnest($6::text[], $7::bytea[], $8::uuid[]) AS one (key, sha256, base) ORDER BY one.key
ON CONFLICT (operator_id, scope, key, part) DO UPDATE
SET body_sha256 = excluded.body_sha256, base = excluded.base,
    under_way_until = excluded.under_way_until, expires_at = excluded.expires_at
WHERE k.expires_at <= $9
RETURNING key
"""
_LATER: Final = """
SELECT key, body_sha256, base, under_way_until FROM event_keys
WHERE operator_id = $1 AND scope = $2 AND part = $3 AND key = ANY ($4::text[])
ORDER BY key FOR UPDATE
"""
_SETTLE: Final = """
UPDATE event_keys SET under_way_until = $5
WHERE operator_id = $1 AND scope = $2 AND part = $3 AND key = ANY ($4::text[])
  AND under_way_until IS NOT NULL
"""


class Scope(StrEnum):
    """What a key stands for."""

    REQUEST = "request"
    EVENT = "event"


class State(StrEnum):
    """What became of a key."""

    MINE = "mine"
    DONE = "done"
    UNDER_WAY = "under_way"
    OTHER_BODY = "other_body"


@dataclass(frozen=True, slots=True)
class Held:
    """A key: whether its events are this call's to publish, and what their ids are made of."""

    state: State
    base: UUID


class EventKeys:
    """The keys of one operator, in the caller's transaction."""

    def __init__(self, connection: Connection, operator_id: UUID, part: int) -> None:
        self._connection = connection
        self._operator_id = operator_id
        self._part = part

    async def begin(
        self,
        scope: Scope,
        bodies: Mapping[str, bytes],
        now: datetime,
        *,
        lease: timedelta,
        keep: timedelta,
    ) -> dict[str, Held]:
        """Return each key as held, given the SHA-256 of what it came with.

        Args:
            scope: what the keys stand for.
            bodies: SHA-256 by key.
            now: the time.
            lease: how long a call can be under way at most.
            keep: how long a key lives.
        """
        if not bodies:
            return {}
        bases = {key: new_id() for key in bodies}
        made = await self._connection.fetch(
            _BEGIN,
            self._operator_id,
            scope.value,
            self._part,
            now + lease,
            now + keep,
            list(bodies),
            list(bodies.values()),
            list(bases.values()),
            now,
        )
        held = {row["key"]: Held(State.MINE, bases[row["key"]]) for row in made}
        later = await self._rows(scope, bodies.keys() - held.keys())
        held |= {row["key"]: _held(row, bodies[row["key"]], now) for row in later}
        taken_over = [row["key"] for row in later if held[row["key"]].state is State.MINE]
        await self.settle(scope, taken_over, until=now + lease)
        return held

    async def _rows(self, scope: Scope, keys: Collection[str]) -> Sequence[Any]:
        if not keys:
            return []
        return await self._connection.fetch(
            _LATER, self._operator_id, scope.value, self._part, list(keys)
        )

    async def settle(
        self, scope: Scope, keys: Collection[str], *, until: datetime | None = None
    ) -> None:
        """Note that Kafka has the events of keys; or, with a time, till when a call may last."""
        if keys:
            await self._connection.execute(
                _SETTLE, self._operator_id, scope.value, self._part, list(keys), until
            )


def _held(row: Any, sha256: bytes, now: datetime) -> Held:
    if row["body_sha256"] != sha256:
        return Held(State.OTHER_BODY, row["base"])
    if row["under_way_until"] is None:
        return Held(State.DONE, row["base"])
    state = State.MINE if row["under_way_until"] <= now else State.UNDER_WAY
    return Held(state, row["base"])


async def prune(connection: Connection, now: datetime, limit: int = 5000) -> int:
    """Remove up to ``limit`` keys past their time; return how many."""
    status = await connection.execute(
        "DELETE FROM event_keys WHERE (operator_id, scope, key, part) IN (SELECT operator_id,"
        " scope, key, part FROM event_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        limit,
    )
    return int(status.rpartition(" ")[2])
