"""Ledger rows of letters: those that cannot be set, and what routers report of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection
from topics.delivery import Outcome

_FAIL: Final = """
UPDATE ledger SET outcome = 'failed', reason = $3, outcome_at = $4, merge = '{}'
WHERE run_id = $1 AND member_id = ANY ($2::uuid[]) AND channel = 'direct_mail'
  AND outcome = 'pending'
"""
_REPORT: Final = """
UPDATE ledger SET outcome = said.outcome, reason = said.reason, outcome_at = $5
FROM unnest($2::uuid[], $3::text[], $4::text[]) AS said (member_id, outcome, reason)
WHERE run_id = $1 AND ledger.member_id = said.member_id AND channel = 'direct_mail'
  AND ledger.outcome = 'pending'
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

    async def report(
        self,
        run_id: UUID,
        sent: Sequence[UUID],
        failed: Mapping[UUID, str],
        at: datetime,
    ) -> int:
        """End pending letters as their router reported them; return how many."""
        ids = [*sent, *failed]
        outcomes = [Outcome.SENT.value] * len(sent) + [Outcome.FAILED.value] * len(failed)
        reasons = [""] * len(sent) + list(failed.values())
        done = await self._connection.execute(_REPORT, run_id, ids, outcomes, reasons, at)
        return int(done.rpartition(" ")[2])
