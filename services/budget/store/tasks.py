"""Tasks and their cost lines, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.costs import PricedLine, Tariff
from services.budget.domain.tasks import Task
from shared.database import Connection
from topics.budget import CostChoice, CostStructure
from topics.expenses import CommitmentLevel, EntryStatus
from topics.tasks import TaskStatus

COLUMNS: Final = (
    "task_id, version, label, campaign_id, program_id, plan_id, starts_at, ends_at, in_charge_id,"
    " status, budget_id, entry, level, structures, choices, planned_days, done_days"
)
_SAVE: Final = f"""
INSERT INTO tasks ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (task_id) DO UPDATE
SET version = excluded.version, label = excluded.label, campaign_id = excluded.campaign_id,
    program_id = excluded.program_id, plan_id = excluded.plan_id, starts_at = excluded.starts_at,
    ends_at = excluded.ends_at, in_charge_id = excluded.in_charge_id, status = excluded.status,
    budget_id = excluded.budget_id, entry = excluded.entry, level = excluded.level,
    structures = excluded.structures, choices = excluded.choices,
    planned_days = excluded.planned_days, done_days = excluded.done_days
"""
_LINE: Final = """
INSERT INTO task_lines (task_id, structure_id, position, category, label, formula, unit_price,
    quantity, amount_minor, surcharge_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


class TaskStore:
    """Tasks in the caller's transaction; a task's row is locked before its budget's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, task_id: UUID) -> Task | None:
        """Return a task, its row free to change."""
        row = await self._connection.fetchrow(
            f"SELECT {COLUMNS} FROM tasks WHERE task_id = $1", task_id
        )
        return task_of(row) if row else None

    async def lock(self, task_id: UUID) -> Task | None:
        """Return a task, its row locked until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {COLUMNS} FROM tasks WHERE task_id = $1 FOR UPDATE", task_id
        )
        return task_of(row) if row else None

    async def save(self, task: Task) -> None:
        """Write a task."""
        await self._connection.execute(
            _SAVE,
            task.task_id,
            task.version,
            task.label,
            task.campaign_id,
            task.program_id,
            task.plan_id,
            task.starts_at,
            task.ends_at,
            task.in_charge_id,
            task.status.value,
            task.budget_id,
            task.entry.value,
            task.level.value,
            [one.model_dump(mode="json") for one in task.tariff.structures],
            [one.model_dump(mode="json") for one in task.tariff.choices],
            task.planned_days,
            task.done_days,
        )

    async def save_lines(self, task_id: UUID, lines: Sequence[PricedLine]) -> None:
        """Write what a task cost, in place of what it cost before."""
        await self._connection.execute("DELETE FROM task_lines WHERE task_id = $1", task_id)
        await self._connection.executemany(
            _LINE,
            [
                (
                    task_id,
                    line.structure.structure_id,
                    position,
                    line.structure.category,
                    line.structure.label,
                    line.structure.formula.value,
                    line.structure.unit_price,
                    line.quantity,
                    line.amount_minor,
                    line.surcharge_minor,
                )
                for position, line in enumerate(lines)
            ],
        )


def task_of(row: Record) -> Task:
    """Return the task of a row with ``COLUMNS``."""
    return Task(
        task_id=row["task_id"],
        version=row["version"],
        label=row["label"],
        campaign_id=row["campaign_id"],
        program_id=row["program_id"],
        plan_id=row["plan_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        in_charge_id=row["in_charge_id"],
        status=TaskStatus(row["status"]),
        budget_id=row["budget_id"],
        entry=EntryStatus(row["entry"]),
        level=CommitmentLevel(row["level"]),
        tariff=Tariff(
            tuple(CostStructure.model_validate(one) for one in row["structures"]),
            choices=tuple(CostChoice.model_validate(one) for one in row["choices"]),
        ),
        planned_days=row["planned_days"],
        done_days=row["done_days"],
    )
