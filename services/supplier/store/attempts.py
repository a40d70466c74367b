"""Attempts to mail a router as rows, and what people decided about them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.supplier.domain.jobs import Decision
from shared.database import Connection
from shared.mail.outcome import Outcome


class AttemptStore:
    """Mail attempts; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, attempt_id: UUID, file_id: UUID, now: datetime) -> None:
        """Note that a server is about to be called."""
        await self._connection.execute(
            "INSERT INTO mail_attempts (attempt_id, file_id, started_at) VALUES ($1, $2, $3)",
            *(attempt_id, file_id, now),
        )

    async def end(self, attempt_id: UUID, outcome: Outcome, answer: str, now: datetime) -> bool:
        """Note what came of an attempt; False when its outcome was known before.

        What was taken for unknown may be known after all, when a slow call ends late.
        """
        done: bool | None = await self._connection.fetchval(
            "UPDATE mail_attempts SET outcome = $2, answer = $3, ended_at = $4"
            " WHERE attempt_id = $1 AND (outcome IS NULL OR outcome = 'ambiguous') RETURNING true",
            *(attempt_id, outcome.value, answer, now),
        )
        return done is True

    async def give_up(self, file_id: UUID, now: datetime) -> None:
        """Note that nobody will learn what came of the open attempts of a file."""
        await self._connection.execute(
            "UPDATE mail_attempts SET outcome = 'ambiguous', ended_at = $2"
            " WHERE file_id = $1 AND outcome IS NULL",
            *(file_id, now),
        )

    async def is_latest(self, attempt_id: UUID, file_id: UUID) -> bool:
        """Whether no later attempt was made for the file."""
        latest: UUID | None = await self._connection.fetchval(
            "SELECT attempt_id FROM mail_attempts WHERE file_id = $1"
            " ORDER BY started_at DESC, attempt_id DESC LIMIT 1",
            file_id,
        )
        return latest == attempt_id

    async def decide(self, file_id: UUID, decision: Decision, actor_id: str, now: datetime) -> None:
        """Note what a person decided."""
        await self._connection.execute(
            "INSERT INTO decisions (file_id, decision, actor_id, at) VALUES ($1, $2, $3, $4)",
            *(file_id, decision.value, actor_id, now),
        )
