"""Money that waits for a person's approval, as the bot keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from shared.database import Connection
from topics.funds import FundsAwaitApproval

MINE: Final = """
outcome = 'pending' AND $3 AND coalesce(asked->'requested_by'->>'id', '') <> $2
"""
"""What $2 may decide, if $3: whoever asked for money may not approve it."""
_NAMES: Final = "asked, asked_at, outcome, decided_by, reason, ended_at"


class FundsOutcome(StrEnum):
    """How a budget approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    GIVEN_BACK = "given_back"
    """The campaign no longer wants the money."""


@dataclass(frozen=True, slots=True)
class Funds:
    """Money that was asked for, and what became of it; ``decided_by`` is an operator's id."""

    asked: FundsAwaitApproval
    asked_at: datetime
    outcome: FundsOutcome = FundsOutcome.PENDING
    decided_by: str = ""
    reason: str = ""
    ended_at: datetime | None = None

    @property
    def named(self) -> list[str]:
        """The operators whom its card names, by id."""
        return [*askers([self.asked]), self.decided_by]


def askers(asked: Iterable[FundsAwaitApproval]) -> list[str]:
    """Return who asked for money, by id, where that is known."""
    return [one.requested_by.id for one in asked if one.requested_by]


class FundStore:
    """Budget approvals in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, asked: FundsAwaitApproval, at: datetime) -> Funds | None:
        """Keep what was asked; return it, or ``None`` when it is known already."""
        row = await self._connection.fetchrow(
            "INSERT INTO funds (hold_id, asked, asked_at) VALUES ($1, $2, $3)"
            f" ON CONFLICT DO NOTHING RETURNING {_NAMES}",
            asked.hold_id,
            asked.model_dump(mode="json"),
            at,
        )
        return _funds(row) if row else None

    async def find(self, hold_id: UUID) -> Funds | None:
        """Return what is known of a hold."""
        row = await self._connection.fetchrow(
            f"SELECT {_NAMES} FROM funds WHERE hold_id = $1", hold_id
        )
        return _funds(row) if row else None

    async def end(
        self,
        hold_id: UUID,
        outcome: FundsOutcome,
        *,
        decided_by: str = "",
        reason: str = "",
        at: datetime,
    ) -> Funds | None:
        """Write how a budget approval ended; return it, or ``None`` when none was open."""
        row = await self._connection.fetchrow(
            "UPDATE funds SET outcome = $2, decided_by = $3, reason = $4, ended_at = $5"
            f" WHERE hold_id = $1 AND outcome = 'pending' RETURNING {_NAMES}",
            hold_id,
            outcome.value,
            decided_by,
            reason,
            at,
        )
        return _funds(row) if row else None

    async def pending(
        self, limit: int, operator_id: str, *, may_approve: bool
    ) -> list[FundsAwaitApproval]:
        """Return what waits for somebody's approval, the oldest first."""
        rows = await self._connection.fetch(
            f"SELECT asked FROM funds WHERE {MINE} ORDER BY asked_at, hold_id LIMIT $1",
            limit,
            operator_id,
            may_approve,
        )
        return [FundsAwaitApproval.model_validate(row["asked"]) for row in rows]


def _funds(row: Any) -> Funds:
    return Funds(
        FundsAwaitApproval.model_validate(row["asked"]),
        row["asked_at"],
        FundsOutcome(row["outcome"]),
        row["decided_by"],
        row["reason"],
        row["ended_at"],
    )
