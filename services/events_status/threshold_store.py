"""The rows of thresholds: their values, how each level stands, and every crossing there was."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.events_status.thresholds import Kept, Standing, Threshold, Waiting
from shared.database import Connection
from topics.levels import Grade, Indicator, SetThreshold, Window

_COLUMNS: Final = (
    "indicator, channel, event_type, time_window, below, warning, alert, minimum_events, minutes,"
    " changed_by, changed_at, grade, since, value, candidate, candidate_since, crossing_id"
)
_REMEMBER: Final = """
INSERT INTO threshold_changes
    (source, command_id, indicator, channel, event_type, warning, alert, actor, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING 1
"""
_SAVE: Final = """
INSERT INTO level_thresholds (indicator, channel, event_type, time_window, below, warning, alert,
                              minimum_events, minutes, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (indicator, channel, event_type) DO UPDATE
SET time_window = excluded.time_window, below = excluded.below, warning = excluded.warning,
    alert = excluded.alert, minimum_events = excluded.minimum_events, minutes = excluded.minutes,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at,
    candidate = NULL, candidate_since = NULL
"""
_STAND: Final = """
UPDATE level_thresholds
SET grade = $4, candidate = $5, candidate_since = $6, since = $7, value = $8, crossing_id = $9
WHERE (indicator, channel, event_type) = ($1, $2, $3)
"""
_CROSSED: Final = """
INSERT INTO level_crossings
    (crossing_id, at, indicator, channel, event_type, before, after, value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# What is scheduled for later, or waits for its next try, is in nobody's way.
_WAITING: Final = """
SELECT channel, event_type, count(*) AS events,
       min(greatest(changed_at, scheduled_at)) AS oldest
FROM events WHERE status = 'pending' AND waits_until IS NULL GROUP BY channel, event_type
"""


class ThresholdStore:
    """Thresholds of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def remember(
        self, command: SetThreshold, identity: tuple[str, str], now: datetime
    ) -> bool:
        """Note a command by its identity (source, id); return False when it was noted before."""
        noted = await self._connection.fetchval(
            _REMEMBER,
            *identity,
            command.indicator.value,
            command.channel,
            command.event_type,
            command.warning,
            command.alert,
            command.actor.id,
            now,
        )
        return noted is not None

    async def save(self, threshold: Threshold, by: str, now: datetime) -> None:
        """Write a threshold; how its level stands remains until it is looked at next."""
        await self._connection.execute(
            _SAVE,
            *_key(threshold),
            threshold.window.value,
            threshold.below,
            threshold.warning,
            threshold.alert,
            threshold.minimum_events,
            threshold.minutes,
            by,
            now,
        )

    async def remove(self, threshold: Threshold) -> None:
        """Remove a threshold."""
        await self._connection.execute(
            "DELETE FROM level_thresholds WHERE (indicator, channel, event_type) = ($1, $2, $3)",
            *_key(threshold),
        )

    async def listed(self) -> list[Kept]:
        """Return all thresholds."""
        return await self._all("")

    async def locked(self) -> list[Kept]:
        """Return all thresholds, their rows locked."""
        return await self._all("FOR UPDATE")

    async def find(self, threshold: Threshold) -> Kept | None:
        """Return what is kept of the same indicator, channel and type, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM level_thresholds"
            " WHERE (indicator, channel, event_type) = ($1, $2, $3) FOR UPDATE",
            *_key(threshold),
        )
        return None if row is None else _kept(row)

    async def _all(self, lock: str) -> list[Kept]:
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM level_thresholds"
            f" ORDER BY indicator, channel, event_type {lock}"
        )
        return [_kept(row) for row in rows]

    async def stand(self, kept: Kept) -> None:
        """Write how a level stands."""
        standing = kept.standing
        await self._connection.execute(
            _STAND,
            *_key(kept.threshold),
            standing.grade.value,
            standing.candidate,
            standing.candidate_since,
            kept.since,
            kept.value,
            kept.crossing_id,
        )

    async def crossed(self, kept: Kept, crossing_id: UUID, before: Grade, at: datetime) -> None:
        """Note a crossing."""
        after = kept.standing.grade.value
        await self._connection.execute(
            _CROSSED, crossing_id, at, *_key(kept.threshold), before.value, after, kept.value
        )

    async def waiting(self) -> list[Waiting]:
        """Count the events that wait to be processed, by channel and type."""
        return [Waiting(**dict(row)) for row in await self._connection.fetch(_WAITING)]


def _key(threshold: Threshold) -> tuple[str, str, str]:
    return threshold.indicator.value, threshold.channel, threshold.event_type


def _kept(row: Any) -> Kept:
    threshold = Threshold(
        Indicator(row["indicator"]),
        row["channel"],
        row["event_type"],
        Window(row["time_window"]),
        row["below"],
        row["warning"],
        row["alert"],
        row["minimum_events"],
        row["minutes"],
    )
    candidate = Grade(row["candidate"]) if row["candidate"] else None
    return Kept(
        threshold,
        Standing(Grade(row["grade"]), candidate, row["candidate_since"]),
        row["since"],
        row["value"],
        row["crossing_id"],
        row["changed_by"],
        row["changed_at"],
    )
