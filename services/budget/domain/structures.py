"""Contradictions in cost structures, each with the field to mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.budget.domain.ledger import MAX_ALLOCATION_MINOR
from topics.budget import CostDriver, CostStructure, Formula


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a budget cannot be saved, and the field to mend."""

    reason: str
    field: str


def problem_in(structures: Sequence[CostStructure]) -> Problem | None:
    """Return the first contradiction in cost structures, or ``None``."""
    seen: set[UUID] = set()
    for index, structure in enumerate(structures):
        where = f"structures.{index}"
        if structure.structure_id in seen:
            return Problem("two cost structures have the same id", f"{where}.structure_id")
        seen.add(structure.structure_id)
        problem = _fixed_problem(structure) or _linear_problem(structure)
        if problem is not None:
            return replace(problem, field=f"{where}.{problem.field}")
    return None


def _fixed_problem(structure: CostStructure) -> Problem | None:
    if structure.formula is not Formula.FIXED:
        return None
    if structure.driver is not CostDriver.NONE:
        reason = f"“{structure.label}” is fixed, so it counts nothing: its driver must be “none”"
        return Problem(reason, "driver")
    if structure.amount_minor > MAX_ALLOCATION_MINOR:
        reason = f"“{structure.label}” is dearer than a budget can be"
        return Problem(reason, "amount_minor")
    if structure.unit_price:
        return Problem(f"“{structure.label}” is fixed: give an amount, no unit price", "unit_price")
    return None


def _linear_problem(structure: CostStructure) -> Problem | None:
    if structure.formula is not Formula.LINEAR:
        return None
    if structure.driver is CostDriver.NONE:
        reason = (
            f"“{structure.label}” is linear: choose what it counts"
            " (emails, letters, organisations or persons)"
        )
        return Problem(reason, "driver")
    if structure.amount_minor:
        return Problem(f"“{structure.label}” is linear: give a unit price only", "amount_minor")
    return None
