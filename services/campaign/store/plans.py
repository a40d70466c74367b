"""The rows of plans and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Final
from uuid import UUID

from services.campaign.domain.campaigns import Campaign
from services.campaign.domain.plans import PLAN_COLUMNS, PROGRAM_COLUMNS, Plan, Program
from shared.database import Connection
from shared.errors import Refused

_PLAN: Final = ", ".join(PLAN_COLUMNS)
_PROGRAM: Final = ", ".join(PROGRAM_COLUMNS)


def _upsert(table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join(f"${place + 1}" for place in range(len(columns)))
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        f" ON CONFLICT ({columns[0]}) DO UPDATE SET {sets}"
    )


_SAVE_PLAN: Final = _upsert("plans", PLAN_COLUMNS)
_SAVE_PROGRAM: Final = _upsert("programs", PROGRAM_COLUMNS)


class PlanStore:
    """Plans and programs in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def plan(self, plan_id: UUID, *, lock: bool = False) -> Plan | None:
        """Return a plan."""
        end = " FOR UPDATE" if lock else ""
        row = await self._connection.fetchrow(
            f"SELECT {_PLAN} FROM plans WHERE plan_id = $1{end}", plan_id
        )
        return Plan(**dict(row)) if row else None

    async def program(self, program_id: UUID, *, lock: bool = False) -> Program | None:
        """Return a program."""
        end = " FOR UPDATE" if lock else ""
        row = await self._connection.fetchrow(
            f"SELECT {_PROGRAM} FROM programs WHERE program_id = $1{end}", program_id
        )
        return Program(**dict(row)) if row else None

    async def save_plan(self, plan: Plan) -> None:
        """Write a plan.

        Raises:
            Refused: another plan has its label.
        """
        taken = await self._connection.fetchval(
            "SELECT 1 FROM plans WHERE lower(label) = lower($1) AND plan_id <> $2",
            plan.label,
            plan.plan_id,
        )
        if taken:
            raise _taken("plan", plan.label)
        await self._connection.execute(_SAVE_PLAN, *astuple(plan))

    async def save_program(self, program: Program) -> None:
        """Write a program, whose plan the caller holds locked.

        Raises:
            Refused: another program of the plan has its label.
        """
        taken = await self._connection.fetchval(
            "SELECT 1 FROM programs"
            " WHERE plan_id = $1 AND lower(label) = lower($2) AND program_id <> $3",
            program.plan_id,
            program.label,
            program.program_id,
        )
        if taken:
            raise _taken("program", program.label)
        await self._connection.execute(_SAVE_PROGRAM, *astuple(program))

    async def plans(self, limit: int) -> Sequence[Plan]:
        """Return plans, latest start first."""
        rows = await self._connection.fetch(
            f"SELECT {_PLAN} FROM plans ORDER BY start_on DESC, label LIMIT $1", limit
        )
        return [Plan(**dict(row)) for row in rows]

    async def programs(self, plan_id: UUID | None, limit: int) -> Sequence[Program]:
        """Return programs, of one plan or of all, latest start first."""
        rows = await self._connection.fetch(
            f"SELECT {_PROGRAM} FROM programs WHERE $1::uuid IS NULL OR plan_id = $1"
            " ORDER BY start_on DESC, label LIMIT $2",
            plan_id,
            limit,
        )
        return [Program(**dict(row)) for row in rows]

    async def check_program(self, program_id: UUID | None) -> Program | None:
        """Return the program a campaign is to hang under.

        Raises:
            Refused: there is none with that id.
        """
        if program_id is None:
            return None
        program = await self.program(program_id)
        if program is None:
            reason = "there is no such program"
            raise Refused(reason, field="program_id", code="unknown_program")
        return program

    async def under_program(self, campaign: Campaign) -> Campaign:
        """Return a new campaign with its program's budget, where it has none of its own.

        Raises:
            Refused: there is no such program.
        """
        program = await self.check_program(campaign.program_id)
        if program is None or campaign.budget_id is not None:
            return campaign
        return replace(campaign, budget_id=program.budget_id)


def _taken(kind: str, label: str) -> Refused:
    return Refused(f"there is a {kind} {label!r} already", field="label", code="label_taken")
