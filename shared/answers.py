"""What commands were answered, so that a replay beyond the inbox's memory gets the same answer.

A service that uses it has the table ``answers (cause, command, ce_type, body)``.
"""

from __future__ import annotations

from uuid import UUID

from shared.database import Connection
from topics.message import Message, message_type


class AnswerStore:
    """What commands were answered, by (id, command)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, cause: UUID, command: type[Message]) -> Message | None:
        """Return what a command was answered before, or ``None``."""
        row = await self._connection.fetchrow(
            "SELECT ce_type, body FROM answers WHERE cause = $1 AND command = $2",
            cause,
            command.ce_type,
        )
        kind = message_type(row["ce_type"]) if row else None
        return kind.model_validate_json(row["body"]) if row and kind else None

    async def keep(self, cause: UUID, command: type[Message], answer: Message) -> None:
        """Keep what a command is answered."""
        await self._connection.execute(
            "INSERT INTO answers (cause, command, ce_type, body) VALUES ($1, $2, $3, $4)",
            cause,
            command.ce_type,
            answer.ce_type,
            answer.model_dump_json(),
        )
