"""Rows that got nothing, put back into the queue by a person's word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.delivery.domain.runs import Reason
from services.delivery.store.runs import Run
from services.delivery.store.slices import EMAIL
from shared.database import Connection

# Only what ended before the word was given: what fails again meanwhile is not taken twice. A row
# whose message had left before it bounced has no data to compose it from, and no mailbox to go to.
_TAKE: Final = f"""
WITH chosen AS (
    SELECT run_id, member_id, position FROM ledger l
    WHERE run_id = $1 AND position > $2 AND {EMAIL} AND outcome_at <= $3
      AND merge <> '{{}}'
      AND (outcome = 'failed'
           OR $4 = 'missed' AND outcome = 'ignored' AND reason LIKE '{Reason.STOPPED}%')
    ORDER BY position LIMIT $5 FOR UPDATE
), changed AS (
    UPDATE ledger l SET outcome = 'pending', reason = '', code = '', outcome_at = NULL
    FROM chosen c WHERE l.run_id = c.run_id AND l.member_id = c.member_id
), queued AS (
    INSERT INTO queue (run_id, member_id, urgent, next_at)
    SELECT run_id, member_id, false, $6 FROM chosen ON CONFLICT DO NOTHING
)
SELECT count(*)::int AS rows, max(position) AS last FROM chosen
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many rows go again, and the position of the last of them."""

    rows: int
    last: int | None


class AgainStore:
    """Runs of which something is sent again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take(self, run: Run, limit: int, now: datetime) -> Taken:
        """Put the next rows of a locked run into the queue."""
        row = await self._connection.fetchrow(
            _TAKE,
            run.run_id,
            run.again_after if run.again_after is not None else -1,
            run.again_asked_at,
            run.again_scope,
            limit,
            now,
        )
        assert row is not None, "an aggregate has a row"
        return Taken(**dict(row))

    async def approved(self, run_id: UUID) -> bool:
        """Whether the approval that a run started on is in force, and its rows are still here."""
        return bool(
            await self._connection.fetchval(
                "SELECT a.outcome = 'approved' AND r.purged_at IS NULL"
                " FROM runs r JOIN approvals a USING (approval_id)"
                " WHERE r.run_id = $1",
                run_id,
            )
        )
