"""What budgetMgt has to roll up, as rows, and what was known of campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection
from topics.campaign import CampaignState, CampaignStatus
from topics.expenses import ExpenseKind
from topics.plans import ProgramState

# An update waits for a budgetMgt that has the row in hand and asks anew after it: doing nothing
# would lose what was booked since it read.
_ASK: Final = """
INSERT INTO recalculations (kind, object_id, rank, asked_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, object_id) DO UPDATE SET asked_at = excluded.asked_at
"""
_NEXT: Final = """
DELETE FROM recalculations WHERE (kind, object_id) IN (
    SELECT kind, object_id FROM recalculations ORDER BY rank, asked_at LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING kind, object_id
"""
_SEE: Final = """
INSERT INTO campaigns (campaign_id, version, number, label, status, program_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (campaign_id) DO UPDATE
SET version = excluded.version, number = excluded.number, label = excluded.label,
    status = excluded.status, program_id = excluded.program_id
WHERE campaigns.version < excluded.version
"""
_SEE_PROGRAM: Final = """
INSERT INTO programs (program_id, version, plan_id) VALUES ($1, $2, $3)
ON CONFLICT (program_id) DO UPDATE SET version = excluded.version, plan_id = excluded.plan_id
WHERE programs.version < excluded.version
RETURNING 1
"""
RANKS: Final = {ExpenseKind.CAMPAIGN: 1, ExpenseKind.PROGRAM: 2, ExpenseKind.PLAN: 3}
ENDED: Final = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Rolled:
    """Something whose costs are rolled up from its parts."""

    kind: ExpenseKind
    object_id: UUID


@dataclass(frozen=True, slots=True)
class Change:
    """What is new in a campaign's state."""

    status: bool
    program: bool


class RecalculationStore:
    """The queue of roll-ups in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, rolled: Rolled, now: datetime) -> None:
        """Have something rolled up once more."""
        await self._connection.execute(
            _ASK, rolled.kind.value, rolled.object_id, RANKS[rolled.kind], now
        )

    async def take(self) -> Rolled | None:
        """Remove and return what is rolled up next: parts before what they belong to."""
        row = await self._connection.fetchrow(_NEXT)
        return Rolled(ExpenseKind(row["kind"]), row["object_id"]) if row else None


class CampaignStore:
    """What is known of campaigns, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def see(self, state: CampaignState) -> Change:
        """Keep a campaign's state unless a later one is known; return what is new in it."""
        before = await self._connection.fetchrow(
            "SELECT version, status, program_id FROM campaigns WHERE campaign_id = $1 FOR UPDATE",
            state.campaign_id,
        )
        if before is not None and before["version"] >= state.version:
            return Change(status=False, program=False)
        await self._connection.execute(
            _SEE,
            state.campaign_id,
            state.version,
            state.number,
            state.label,
            state.status.value,
            state.program_id,
        )
        status, program = (before["status"], before["program_id"]) if before else (None, None)
        return Change(status=status != state.status.value, program=program != state.program_id)

    async def see_program(self, state: ProgramState) -> bool:
        """Keep which plan a program belongs to; false when a later state is known."""
        newer = await self._connection.fetchval(
            _SEE_PROGRAM, state.program_id, state.version, state.plan_id
        )
        return bool(newer)

    async def program_of(self, campaign_id: UUID) -> UUID | None:
        """Return the program that a campaign's state names."""
        program_id: UUID | None = await self._connection.fetchval(
            "SELECT program_id FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        return program_id

    async def plan_of(self, program_id: UUID | None) -> UUID | None:
        """Return the plan that a program's state names."""
        plan_id: UUID | None = await self._connection.fetchval(
            "SELECT plan_id FROM programs WHERE program_id = $1", program_id
        )
        return plan_id

    async def is_finished(self, campaign_id: UUID) -> bool:
        """Whether a campaign has ended."""
        status = await self._connection.fetchval(
            "SELECT status FROM campaigns WHERE campaign_id = $1", campaign_id
        )
        return status in {one.value for one in ENDED}
