"""The rows of events that wait to be enriched, or were."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.events_status.domain import processing_of
from services.events_status.enrichment.connector import MOST_CALL_BYTES, Asked
from shared.database import Connection
from topics.outside import Queue

_SET_ASIDE: Final = """
WITH aside AS (
    INSERT INTO event_enrichments (event_id, queue, asked_at)
    SELECT unnest($1::uuid[]), $2, $3 ON CONFLICT DO NOTHING)
UPDATE events SET waits_until = 'infinity' WHERE event_id = ANY ($1::uuid[])
"""
# Calls of another process that died are made again; real-time events are always first.
_FREE: Final = """
SELECT n.event_id, n.calls, v.errors + n.calls AS level, pg_column_size(v.ctx) AS bytes
FROM event_enrichments n JOIN events v USING (event_id)
WHERE n.done_at IS NULL AND n.queue = ANY ($1::text[])
  AND (n.lease_until IS NULL OR n.lease_until < clock_timestamp())
ORDER BY n.queue DESC, n.asked_at, n.event_id LIMIT $2
FOR UPDATE OF n SKIP LOCKED
"""
_CLAIM: Final = """
WITH mine AS (
    UPDATE event_enrichments SET claim = $2, calls = calls + 1,
        lease_until = clock_timestamp() + $3 * interval '1 second'
    WHERE event_id = ANY ($1::uuid[]) RETURNING event_id, queue)
SELECT event_id, event_type, mine.queue, channel, address, language, external_id, origin, country,
       received_at, ctx
FROM mine JOIN events v USING (event_id)
"""
_RELEASE: Final = """
UPDATE event_enrichments SET claim = NULL, lease_until = NULL, calls = greatest(calls - 1, 0)
WHERE claim = $1 AND done_at IS NULL
"""
_DONE: Final = """
WITH done AS (
    UPDATE event_enrichments SET done_at = $3, claim = NULL, lease_until = NULL
    WHERE event_id = ANY ($1::uuid[]))
UPDATE events e SET ctx = m.ctx, waits_until = NULL
FROM unnest($1::uuid[], $2::jsonb[]) AS m (event_id, ctx) WHERE e.event_id = m.event_id
"""
_GIVE_BACK: Final = """
WITH gone AS (DELETE FROM event_enrichments WHERE event_id = ANY ($1::uuid[]))
UPDATE events SET waits_until = NULL
WHERE event_id = ANY ($1::uuid[]) AND waits_until = 'infinity'
"""
MOST_CALLS: Final = 5
"""Calls of which nothing came, not even a failure: whoever makes them dies of it."""


class EnrichmentStore:
    """Enrichments of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set_aside(self, events: Collection[UUID], queue: Queue, now: datetime) -> None:
        """Have pending events enriched before they are routed; their rows are locked."""
        await self._connection.execute(_SET_ASIDE, list(events), queue.value, now)

    async def enriched(self, events: Collection[UUID]) -> frozenset[UUID]:
        """Return which of some events were enriched already: each is once."""
        rows = await self._connection.fetch(
            "SELECT event_id FROM event_enrichments"
            " WHERE event_id = ANY ($1::uuid[]) AND done_at IS NOT NULL",
            list(events),
        )
        return frozenset(row["event_id"] for row in rows)

    async def claim(self, claim: UUID, most: int, seconds: float) -> list[Asked]:
        """Claim events for one call, for a time; none of a queue whose workflow is stopped.

        What went wrong before goes in smaller calls, in the end alone, so that whatever makes
        calls fail is found.
        """
        queues = [one.value for one in Queue if await self._is_started(processing_of(one))]
        free = await self._connection.fetch(_FREE, queues, most)
        if not free:
            return []
        level = free[0]["level"]
        taken: list[UUID] = []
        room = MOST_CALL_BYTES
        for row in free:
            if row["level"] == level and (not taken or row["bytes"] <= room):
                taken.append(row["event_id"])
                room -= row["bytes"]
        taken = taken[: max(1, most // 8**level)]
        rows = await self._connection.fetch(_CLAIM, taken, claim, seconds)
        calls = {row["event_id"]: row["calls"] for row in free}
        asked = [Asked(**dict(row), level=calls[row["event_id"]]) for row in rows]
        return sorted(asked, key=lambda one: taken.index(one.event_id))

    async def _is_started(self, workflow: str) -> bool:
        return bool(
            await self._connection.fetchval(
                "SELECT 1 FROM technical_workflows WHERE name = $1 AND status = 'started'", workflow
            )
        )

    async def release(self, claim: UUID) -> None:
        """Give back what was claimed and not asked about."""
        await self._connection.execute(_RELEASE, claim)

    async def held(self, claim: UUID) -> set[UUID]:
        """Return what a claim still holds, locked; nothing of what another has taken over."""
        rows = await self._connection.fetch(
            "SELECT event_id FROM event_enrichments WHERE claim = $1 AND done_at IS NULL"
            " ORDER BY event_id FOR UPDATE",
            claim,
        )
        return {row["event_id"] for row in rows}

    async def done(self, ctxs: Mapping[UUID, dict[str, Any]], now: datetime) -> None:
        """Write enriched contexts; their events may be routed."""
        await self._connection.execute(_DONE, list(ctxs), list(ctxs.values()), now)

    async def give_back(self, events: Sequence[UUID]) -> None:
        """Forget that events were to be enriched: routing asks for it anew."""
        await self._connection.execute(_GIVE_BACK, list(events))
