"""Five-minute windows of the tracking log, and how log and windows are purged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from shared.database import Connection

# A row's mark and its place in a window are one statement: killed anywhere, both or neither hold.
_CONSOLIDATE: Final = """
WITH taken AS (
    SELECT event_id FROM tracking_log WHERE NOT counted
    ORDER BY event_id LIMIT $1 FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE tracking_log t SET counted = true FROM taken WHERE t.event_id = taken.event_id
    RETURNING t.event_id, t.run_id, t.url, t.kind, t.at, t.is_machine
), added AS (
    INSERT INTO tracking_windows AS w (run_id, url, kind, begins, events, machines)
    SELECT run_id, url, kind, date_bin('5 minutes', at, timestamptz 'epoch'),
           count(*), count(*) FILTER (WHERE is_machine)
    FROM marked GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (run_id, url, kind, begins) DO UPDATE
    SET events = w.events + excluded.events, machines = w.machines + excluded.machines
), told AS (
    INSERT INTO indicator_marks (run_id)
    SELECT DISTINCT m.run_id FROM marked m JOIN runs r ON r.run_id = m.run_id
    WHERE r.kind = 'campaign' AND r.delivery_id IS NOT NULL ORDER BY 1
    ON CONFLICT DO NOTHING
)
SELECT n.taken, s.* FROM (SELECT count(*)::int AS taken FROM marked) n LEFT JOIN (
    SELECT m.event_id, m.run_id, r.template_hash, m.url, m.kind, m.at, m.is_machine
    FROM marked m JOIN runs r ON r.run_id = m.run_id
    WHERE r.kind = 'transactional' AND r.template_hash IS NOT NULL) s ON true
"""
_PURGE_LOG: Final = """
DELETE FROM tracking_log WHERE event_id IN (
    SELECT event_id FROM tracking_log WHERE event_id < $1 AND counted ORDER BY event_id LIMIT $2)
"""
_PURGE_WINDOWS: Final = """
DELETE FROM tracking_windows WHERE (run_id, url, kind, begins) IN (
    SELECT run_id, url, kind, begins FROM tracking_windows WHERE begins < $1 LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Consolidated:
    """How many events were counted, and which of them are of single messages."""

    events: int
    single: list[asyncpg.Record]


class WindowStore:
    """Windows of events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def consolidate(self, limit: int) -> Consolidated:
        """Count up to ``limit`` events in their windows, each once."""
        rows = await self._connection.fetch(_CONSOLIDATE, limit)
        return Consolidated(rows[0]["taken"], [row for row in rows if row["event_id"]])

    async def purge_log(self, before: datetime, limit: int) -> int:
        """Remove counted events that were made before a time; return how many."""
        # Ids are made with their events and begin with the time (UUIDv7, milliseconds).
        first = UUID(int=int(before.timestamp() * 1000) << 80)
        return _number(await self._connection.execute(_PURGE_LOG, first, limit))

    async def purge(self, before: datetime, limit: int) -> int:
        """Remove windows that began before a time; return how many."""
        return _number(await self._connection.execute(_PURGE_WINDOWS, before, limit))


def _number(status: str) -> int:
    return int(status.rpartition(" ")[2])
