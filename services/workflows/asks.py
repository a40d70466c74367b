"""The rows of what was asked of workflows, until the executing service's answer is back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.database import Connection
from topics.workflows import ControlWorkflow

_ASK: Final = """
INSERT INTO asks (ask_id, name, control, actor, via, asked_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (ask_id) DO UPDATE
SET control = excluded.control, actor = excluded.actor, via = excluded.via,
    asked_at = coalesce(asks.asked_at, excluded.asked_at)
"""
_ANSWER: Final = """
INSERT INTO asks (ask_id, name, answered_at, refusal) VALUES ($1, $2, $3, $4)
ON CONFLICT (ask_id) DO UPDATE
SET answered_at = coalesce(asks.answered_at, excluded.answered_at),
    refusal = CASE WHEN asks.answered_at IS NULL THEN excluded.refusal ELSE asks.refusal END
"""
# A workflow's commands are handled in order: whatever was asked of it earlier was answered too.
_ANSWER_EARLIER: Final = """
UPDATE asks SET answered_at = $3
WHERE name = $2 AND answered_at IS NULL
  AND asked_at < (SELECT asked_at FROM asks WHERE ask_id = $1)
"""


class AskStore:
    """Asks within one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, ask_id: str, command: ControlWorkflow, now: datetime) -> None:
        """Note that a control was asked; its answer may have come before."""
        await self._connection.execute(
            _ASK,
            ask_id,
            command.name,
            command.control.value,
            command.actor.id,
            command.actor.via.value,
            now,
        )

    async def answer(self, ask_id: str, name: str, now: datetime, *, refusal: str = "") -> None:
        """Note that the executing service carried a control out, or refused it."""
        await self._connection.execute(_ANSWER, ask_id, name, now, refusal)
        await self._connection.execute(_ANSWER_EARLIER, ask_id, name, now)
