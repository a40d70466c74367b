"""Plans and programs: what may be saved. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final
from uuid import UUID

from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Plan:
    """A period under which programs hang; ``budget_id`` names the money meant for it."""

    plan_id: UUID
    label: str
    start_on: date
    end_on: date
    description: str
    budget_id: UUID | None
    created_at: datetime
    modified_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Program:
    """What campaigns hang under, in one plan; its budget is proposed to new ones."""

    program_id: UUID
    plan_id: UUID
    label: str
    start_on: date
    end_on: date
    description: str
    budget_id: UUID | None
    created_at: datetime
    modified_at: datetime
    version: int = 1


PLAN_COLUMNS: Final = tuple(one.name for one in fields(Plan))
PROGRAM_COLUMNS: Final = tuple(one.name for one in fields(Program))


def checked_label(label: str) -> str:
    """Return a label without the blanks around it.

    Raises:
        Refused: nothing is left.
    """
    if not label.strip():
        raise Refused("a label is needed", field="label", code="label_missing")
    return label.strip()


def check_period(start_on: date, end_on: date) -> None:
    """Let a period pass whose end is not before its start.

    Raises:
        Refused: it is.
    """
    if end_on < start_on:
        reason = f"the end ({end_on}) comes before the start ({start_on})"
        raise Refused(reason, field="end_on", code="period_wrong")


def check_program_in(plan: Plan, start_on: date, end_on: date) -> None:
    """Let a program's period pass that meets its plan's.

    Raises:
        Refused: no day is in both.
    """
    if end_on < plan.start_on or start_on > plan.end_on:
        reason = f"no day of it lies in its plan ({plan.start_on} to {plan.end_on})"
        raise Refused(reason, field="start_on", code="outside_plan", plan=plan.label)
