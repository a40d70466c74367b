"""Contradictions in what prices a budget's campaigns, each with the field to mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.budget.domain.costs import Tariff, prices_tasks
from services.budget.domain.ledger import MAX_ALLOCATION_MINOR
from topics.budget import CostDriver, CostProcess, CostStructure, Formula


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something cannot be saved, and the field to mend."""

    reason: str
    field: str

    def under(self, where: str) -> Problem:
        """Return the problem with its field below another."""
        return Problem(self.reason, f"{where}.{self.field}")


def problem_in(tariff: Tariff, allocated_minor: int = 0) -> Problem | None:
    """Return the first contradiction in structures and categories, or ``None``."""
    return next(_problems(tariff, allocated_minor), None)


def _problems(tariff: Tariff, allocated_minor: int) -> Iterator[Problem]:
    seen: set[UUID] = set()
    for index, structure in enumerate(tariff.structures):
        where = f"structures.{index}"
        if structure.structure_id in seen:
            yield Problem("two cost structures have the same id", f"{where}.structure_id")
        seen.add(structure.structure_id)
        for problem in _CHECKS[structure.formula](structure):
            yield problem.under(where)
        for problem in _goods(structure):
            yield problem.under(where)
    yield from _category_problems(tariff, allocated_minor)


def _category_problems(tariff: Tariff, allocated_minor: int) -> Iterator[Problem]:
    labels: set[str] = set()
    category_of = {one.structure_id: one.category for one in tariff.structures}
    for index, category in enumerate(tariff.categories):
        where = f"categories.{index}"
        if category.label in labels:
            yield Problem(f"there are two categories “{category.label}”", f"{where}.label")
        labels.add(category.label)
        if category.default_id and category_of.get(category.default_id) != category.label:
            reason = f"the default cost type of “{category.label}” is none of its structures"
            yield Problem(reason, f"{where}.default_id")
    envelopes = sum(one.envelope_minor for one in tariff.categories)
    if envelopes and envelopes != allocated_minor:
        reason = f"the envelopes of the categories sum to {envelopes}, not to {allocated_minor}"
        yield Problem(reason, "categories")


def choice_problem(tariff: Tariff, *, task: bool = False) -> Problem | None:
    """Return why what was chosen for a campaign (or a task) does not fit, or ``None``."""
    known = {one.structure_id: one for one in tariff.structures}
    listed = {one.label for one in tariff.categories}
    taken: set[str] = set()
    for index, choice in enumerate(tariff.choices):
        where = f"choices.{index}"
        structure = known.get(choice.structure_id)
        if structure is None:
            return Problem("the budget has no such cost structure", f"{where}.structure_id")
        if choice.amount_minor is not None and structure.formula is not Formula.FIXED:
            reason = f"“{structure.label}” has a formula: only a fixed amount can be replaced"
            return Problem(reason, f"{where}.amount_minor")
        if task and not prices_tasks(structure):
            reason = f"“{structure.label}” counts volumes: a task has fixed and daily costs"
            return Problem(reason, f"{where}.structure_id")
        if not task and _is_for_tasks(tariff, structure):
            reason = f"“{structure.label}” is a cost of tasks, not of campaigns"
            return Problem(reason, f"{where}.structure_id")
        if structure.category in taken:
            reason = f"two cost types of “{structure.category}” are chosen; choose one"
            return Problem(reason, f"{where}.structure_id")
        if structure.category in listed:
            taken.add(structure.category)
    return None


def _is_for_tasks(tariff: Tariff, structure: CostStructure) -> bool:
    processes = [one.process for one in tariff.categories if one.label == structure.category]
    return structure.formula is Formula.DAILY or processes == [CostProcess.TASK]


def _goods(structure: CostStructure) -> Iterator[Problem]:
    counted = structure.driver is CostDriver.LETTERS or structure.formula is Formula.FIXED
    if structure.stock_line_id is not None and not counted:
        reason = (
            f"“{structure.label}” takes goods, which leave with a supplier's file:"
            " it must be fixed or count letters"
        )
        yield Problem(reason, "stock_line_id")


def _fixed(structure: CostStructure) -> Iterator[Problem]:
    if structure.driver is not CostDriver.NONE:
        reason = f"“{structure.label}” is fixed, so it counts nothing: its driver must be “none”"
        yield Problem(reason, "driver")
    if structure.amount_minor > MAX_ALLOCATION_MINOR:
        reason = f"“{structure.label}” is dearer than a budget can be"
        yield Problem(reason, "amount_minor")
    if structure.unit_price:
        yield Problem(f"“{structure.label}” is fixed: give an amount, no unit price", "unit_price")
    yield from _no_bands(structure)
    yield from _no_batches(structure)


def _linear(structure: CostStructure) -> Iterator[Problem]:
    yield from _counts(structure, "linear")
    if structure.amount_minor:
        yield Problem(f"“{structure.label}” is linear: give a unit price only", "amount_minor")
    yield from _no_bands(structure)


def _linear_bands(structure: CostStructure) -> Iterator[Problem]:
    yield from _counts(structure, "linear by threshold")
    yield from _bands(structure)
    yield from _no_batches(structure)
    for index, band in enumerate(structure.bands):
        if band.amount_minor:
            reason = f"“{structure.label}” is linear by threshold: give a unit price a band"
            yield Problem(reason, f"bands.{index}.amount_minor")


def _constant_bands(structure: CostStructure) -> Iterator[Problem]:
    yield from _counts(structure, "constant by threshold")
    yield from _bands(structure)
    yield from _no_batches(structure)
    for index, band in enumerate(structure.bands):
        if band.unit_price:
            reason = f"“{structure.label}” is constant by threshold: give an amount a band"
            yield Problem(reason, f"bands.{index}.unit_price")
        if band.amount_minor > MAX_ALLOCATION_MINOR:
            reason = f"“{structure.label}” is dearer than a budget can be"
            yield Problem(reason, f"bands.{index}.amount_minor")


def _daily(structure: CostStructure) -> Iterator[Problem]:
    if structure.driver is not CostDriver.NONE:
        reason = f"“{structure.label}” counts days of tasks: its driver must be “none”"
        yield Problem(reason, "driver")
    if structure.amount_minor:
        reason = f"“{structure.label}” is daily: give what a day costs as unit price"
        yield Problem(reason, "amount_minor")
    yield from _no_bands(structure)
    yield from _no_batches(structure)


def _counts(structure: CostStructure, how: str) -> Iterator[Problem]:
    if structure.driver is CostDriver.NONE:
        reason = (
            f"“{structure.label}” is {how}: choose what it counts"
            " (emails, letters, organisations or persons)"
        )
        yield Problem(reason, "driver")


def _bands(structure: CostStructure) -> Iterator[Problem]:
    if structure.unit_price or structure.amount_minor:
        reason = f"“{structure.label}” has bands: its prices are theirs"
        yield Problem(reason, "unit_price" if structure.unit_price else "amount_minor")
    if not structure.bands or structure.bands[-1].up_to is not None:
        reason = f"“{structure.label}” needs a last band without bound, for whatever is above"
        yield Problem(reason, "bands")
    bounds = [one.up_to for one in structure.bands[:-1]]
    for index, bound in enumerate(bounds):
        before = bounds[index - 1] if index else 0
        if bound is None or (before is not None and bound <= before):
            reason = f"the bands of “{structure.label}” must rise: {bound} follows {before}"
            yield Problem(reason, f"bands.{index}.up_to")


def _no_bands(structure: CostStructure) -> Iterator[Problem]:
    if structure.bands:
        yield Problem(f"“{structure.label}” has no thresholds: leave its bands out", "bands")


def _no_batches(structure: CostStructure) -> Iterator[Problem]:
    if structure.per != 1 or structure.whole_batches:
        reason = f"“{structure.label}” is not linear: only a linear cost is for batches"
        yield Problem(reason, "per" if structure.per != 1 else "whole_batches")


_CHECKS: Final[dict[Formula, Callable[[CostStructure], Iterator[Problem]]]] = {
    Formula.FIXED: _fixed,
    Formula.LINEAR: _linear,
    Formula.LINEAR_BANDS: _linear_bands,
    Formula.CONSTANT_BANDS: _constant_bands,
    Formula.DAILY: _daily,
}
