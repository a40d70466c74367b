"""Ledger rows of letters that cannot be set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection

_FAIL: Final = """
UPDATE ledger SET outcome = 'failed', reason = $3, outcome_at = $4, merge = '{}'
WHERE run_id = $1 AND member_id = ANY ($2::uuid[]) AND channel = 'direct_mail'
  AND outcome = 'pending'
"""


class LetterStore:
    """Letters of runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fail(
        self, run_id: UUID, member_ids: Sequence[UUID], reason: str, at: datetime
    ) -> int:
        """End pending letters of a run; return how many."""
        done = await self._connection.execute(_FAIL, run_id, list(member_ids), reason, at)
        return int(done.rpartition(" ")[2])
