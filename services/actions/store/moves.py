"""Moves as rows: who asked for what, and the statements that carry one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.actions.domain import ActionStatus, sources, target
from shared.database import Connection
from topics.actions import ActionMove, MoveActions

_ADD: Final = """
INSERT INTO moves (cause, campaign_id, move, action_ids, report, actor_id, asked_at, status, moved)
VALUES ($1, $2, $3, $4::uuid[], $5, $6, $7, $8, $9)
"""
_CLAIM: Final = """
SELECT seq, campaign_id, move, action_ids, report, after_id, moved
FROM moves m
WHERE status = 'queued'
  AND NOT EXISTS (SELECT 1 FROM moves e WHERE e.campaign_id = m.campaign_id
                  AND e.status = 'queued' AND e.seq < m.seq)
  AND NOT EXISTS (SELECT 1 FROM generation_jobs j
                  WHERE j.campaign_id = m.campaign_id AND j.status <> 'done')
ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# A report that is left empty keeps the one that was written before.
_CHANGE: Final = """
UPDATE actions a
SET status = $2,
    report = CASE WHEN $3 = '' THEN a.report ELSE $3 END,
    executed_at = CASE WHEN $2 = 'executed' THEN $4 ELSE a.executed_at END,
    finished_at = CASE WHEN $2 = 'finished' THEN $4 ELSE a.finished_at END,
    cancelled_at = CASE WHEN $2 = 'cancelled' THEN $4 ELSE a.cancelled_at END
FROM chosen c
WHERE a.campaign_id = $1 AND a.action_id = c.action_id
RETURNING c.action_id, c.status
"""
_BY_ID: Final = f"""
WITH chosen AS MATERIALIZED (
    SELECT action_id, status FROM actions
    WHERE campaign_id = $1 AND action_id = ANY ($6::uuid[]) AND status = ANY ($5::text[])
    ORDER BY action_id FOR UPDATE),
changed AS ({_CHANGE})
SELECT status, count(*) AS number FROM changed GROUP BY status
"""
_ALL: Final = f"""
WITH chosen AS MATERIALIZED (
    SELECT action_id, status FROM actions
    WHERE campaign_id = $1 AND action_id > $6 AND status = ANY ($5::text[])
    ORDER BY action_id LIMIT $7 FOR UPDATE),
changed AS ({_CHANGE})
SELECT status, count(*) AS number,
       (SELECT action_id FROM chosen ORDER BY action_id DESC LIMIT 1) AS last
FROM changed GROUP BY status
"""


@dataclass(frozen=True, slots=True)
class QueuedMove:
    """A move that waits for its turn, or is being carried out."""

    seq: int
    campaign_id: UUID
    move: ActionMove
    action_ids: tuple[UUID, ...] | None
    report: str
    after_id: UUID
    moved: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What one statement moved: how many from each state, and the last id it reached."""

    by_state: Mapping[ActionStatus, int]
    last: UUID | None = None

    @property
    def number(self) -> int:
        """How many actions were moved."""
        return sum(self.by_state.values())


class MoveStore:
    """Moves; the caller owns the transaction and has locked the campaign's totals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def known(self, cause: str | None) -> bool:
        """Whether the message that asks for a move was handled before."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM moves WHERE cause = $1)", cause
        )
        return found

    async def add(
        self, command: MoveActions, cause: str | None, *, queued: bool, moved: int, now: datetime
    ) -> None:
        """Note who asked for what; a queued move is carried out later."""
        ids = list(command.action_ids) if command.action_ids is not None else None
        await self._connection.execute(
            _ADD,
            *(cause, command.campaign_id, command.move.value, ids, command.report),
            *(command.actor.id, now, "queued" if queued else "done", moved),
        )

    async def queue_is_open(self, campaign_id: UUID) -> bool:
        """Whether a campaign has moves that wait."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM moves WHERE campaign_id = $1 AND status = 'queued')",
            campaign_id,
        )
        return found

    async def claim(self) -> QueuedMove | None:
        """Return the next move whose turn it is, its row locked."""
        row = await self._connection.fetchrow(_CLAIM)
        if row is None:
            return None
        ids = tuple(row["action_ids"]) if row["action_ids"] is not None else None
        return QueuedMove(**dict(row) | {"move": ActionMove(row["move"]), "action_ids": ids})

    async def known_actions(self, campaign_id: UUID, action_ids: Sequence[UUID]) -> int:
        """Return how many of some ids are actions of a campaign."""
        number: int = await self._connection.fetchval(
            "SELECT count(*) FROM actions WHERE campaign_id = $1 AND action_id = ANY ($2::uuid[])",
            campaign_id,
            list(action_ids),
        )
        return number

    async def by_id(self, move: QueuedMove, action_ids: Sequence[UUID], *, now: datetime) -> Taken:
        """Move those of some actions that can."""
        rows = await self._connection.fetch(_BY_ID, *_common(move, now), list(action_ids))
        return Taken({ActionStatus(row["status"]): row["number"] for row in rows})

    async def all(self, move: QueuedMove, *, limit: int, now: datetime) -> Taken:
        """Move at most ``limit`` actions of those that can, after the last one reached."""
        rows = await self._connection.fetch(_ALL, *_common(move, now), move.after_id, limit)
        taken = {ActionStatus(row["status"]): row["number"] for row in rows}
        return Taken(taken, rows[0]["last"] if rows else None)

    async def advance(self, seq: int, taken: Taken, *, done: bool) -> None:
        """Note how far a queued move has come."""
        await self._connection.execute(
            "UPDATE moves SET moved = moved + $2, after_id = coalesce($3, after_id),"
            " status = CASE WHEN $4 THEN 'done' ELSE status END WHERE seq = $1",
            *(seq, taken.number, taken.last, done),
        )


def _common(move: QueuedMove, now: datetime) -> tuple[object, ...]:
    states = [status.value for status in sources(move.move)]
    return move.campaign_id, target(move.move).value, move.report, now, states
