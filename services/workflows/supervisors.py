"""Who is told of a workflow's troubles: operators and groups, or whoever may control workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field

from shared.database import Connection
from shared.rights import Right, roles_with

MOST: Final = 100
"""How many operators, and how many groups, may supervise one workflow."""
Group = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]

_SET: Final = """
INSERT INTO supervisors (name, operators, groups) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET operators = excluded.operators, groups = excluded.groups
"""
_NAMED: Final = """
SELECT DISTINCT o.operator_id FROM operators o JOIN supervisors s
    ON o.operator_id = ANY (s.operators::text[]) OR o.groups && s.groups
WHERE o.active AND s.name = ANY ($1::text[])
"""
_UNWATCHED: Final = """
SELECT EXISTS (
    SELECT 1 FROM unnest($1::text[]) AS n (name)
    WHERE NOT EXISTS (
        SELECT 1 FROM supervisors s JOIN operators o
            ON o.operator_id = ANY (s.operators::text[]) OR o.groups && s.groups
        WHERE s.name = n.name AND o.active))
"""
_USUAL: Final = "SELECT operator_id FROM operators WHERE active AND roles && $1::text[]"
_UNKNOWN: Final = """
SELECT given FROM unnest($1::text[]) AS given
WHERE NOT EXISTS (SELECT 1 FROM operators WHERE operator_id = given AND active) LIMIT 1
"""


class Supervisors(BaseModel):
    """Operators by id, and groups; both empty: whoever may control workflows."""

    operators: list[UUID] = Field(default_factory=list, max_length=MOST)
    groups: list[Group] = Field(default_factory=list, max_length=MOST)


class SupervisorStore:
    """Supervisors within one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def unknown(self, operators: Sequence[UUID]) -> str | None:
        """Return one that is no active operator, if there is."""
        found: str | None = await self._connection.fetchval(
            _UNKNOWN, [str(one) for one in operators]
        )
        return found

    async def set(self, name: str, operators: Sequence[UUID], groups: Sequence[str]) -> None:
        """Keep who supervises a workflow; nobody: whoever may control workflows."""
        if operators or groups:
            await self._connection.execute(_SET, name, list(operators), list(groups))
        else:
            await self._connection.execute("DELETE FROM supervisors WHERE name = $1", name)

    async def of(self, name: str) -> Supervisors:
        """Return who was set to supervise a workflow."""
        row = await self._connection.fetchrow(
            "SELECT operators, groups FROM supervisors WHERE name = $1", name
        )
        return Supervisors(**dict(row)) if row else Supervisors()

    async def told(self, names: Sequence[str]) -> tuple[UUID, ...]:
        """Return the operators who are told of what befell some workflows.

        Where one of them has no active supervisor, whoever may control workflows is told too.
        """
        rows = await self._connection.fetch(_NAMED, list(names))
        if not names or await self._connection.fetchval(_UNWATCHED, list(names)):
            rows += await self._connection.fetch(_USUAL, roles_with(Right.CONTROL_WORKFLOWS))
        return tuple(sorted({UUID(row["operator_id"]) for row in rows}))
