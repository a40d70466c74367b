"""The pointers of a synchronisation: how far each step has come, and which comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.database import Connection


class Stage(StrEnum):
    """The steps of a synchronisation, in their order: none names what an earlier one brings."""

    EVENTS = "events"
    QUALIFICATIONS = "qualifications"
    DELIVERY_LOGS = "delivery_logs"
    URLS = "urls"
    TRACKING_LOGS = "tracking_logs"
    QUARANTINE = "quarantine"


FIRST: Final = next(iter(Stage))
NOBODY: Final = UUID(int=0)
_READ: Final = """
SELECT step, reached_at, reached_id, due_at FROM archive_pointers
WHERE account = $1 ORDER BY is_next DESC FOR UPDATE
"""
_MAKE: Final = """
INSERT INTO archive_pointers (account, step, is_next)
SELECT $1, step, step = $3 FROM unnest($2::text[]) AS step ON CONFLICT DO NOTHING
"""
_NEXT: Final = "UPDATE archive_pointers SET is_next = (step = $2) WHERE account = $1"
_MOVE: Final = """
UPDATE archive_pointers SET reached_at = coalesce($3, reached_at), reached_id = $4, rows = rows + $5
WHERE account = $1 AND step = $2
"""
_DUE: Final = """
UPDATE archive_pointers SET due_at = coalesce(due_at, $3) WHERE account = $1 AND step = $2
"""
_DONE: Final = "UPDATE archive_pointers SET due_at = NULL WHERE account = $1 AND step = $2"


@dataclass(frozen=True, slots=True)
class Pointer:
    """How far a step has come; ``due_at`` is when one that waits for its time is to be done."""

    stage: Stage
    reached_at: datetime | None
    reached_id: UUID
    due_at: datetime | None


class PointerStore:
    """The pointers of one account; whoever reads them holds them until the transaction ends."""

    def __init__(self, connection: Connection, account: str) -> None:
        self._connection = connection
        self._account = account

    async def take(self) -> Pointer:
        """Return the pointer of the step that comes next; the account's are locked."""
        rows = await self._connection.fetch(_READ, self._account)
        if len(rows) < len(Stage):
            steps = [stage.value for stage in Stage]
            await self._connection.execute(_MAKE, self._account, steps, FIRST.value)
            rows = await self._connection.fetch(_READ, self._account)
        row = rows[0]
        return Pointer(Stage(row["step"]), row["reached_at"], row["reached_id"], row["due_at"])

    async def move(self, stage: Stage, at: datetime | None, rows: int, last: UUID = NOBODY) -> None:
        """Note that what was known at a time is in the archive, and how many rows that were.

        ``None`` leaves the time as it is: there is more.
        """
        await self._connection.execute(_MOVE, self._account, stage.value, at, last, rows)

    async def await_quarantine(self, at: datetime) -> None:
        """Have quarantined addresses taken over at a time, unless they are to be sooner."""
        await self._connection.execute(_DUE, self._account, Stage.QUARANTINE.value, at)

    async def done(self, stage: Stage) -> None:
        """Note that a step that waited for its time was done."""
        await self._connection.execute(_DONE, self._account, stage.value)

    async def go_on(self, stage: Stage) -> bool:
        """Have the step after ``stage`` come next; return False after the last: then the first."""
        stages = list(Stage)
        after = stages.index(stage) + 1
        last = after == len(stages)
        following = FIRST if last else stages[after]
        await self._connection.execute(_NEXT, self._account, following.value)
        return not last
