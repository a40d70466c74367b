"""What a campaign's volumes and a task's days cost: a tariff applied, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from services.budget.domain.money import to_minor
from topics.budget import (
    Band,
    CostCategory,
    CostChoice,
    CostDriver,
    CostLine,
    CostProcess,
    CostStructure,
    Formula,
    Volumes,
)

MAX_VOLUME: Final = 100_000_000
ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What prices a campaign or task: structures, categories, and what was chosen among them.

    A category lists structures that exclude each other: the chosen one counts, else its default,
    else none. Of a category that is not listed every structure counts.
    """

    structures: tuple[CostStructure, ...]
    categories: tuple[CostCategory, ...] = ()
    choices: tuple[CostChoice, ...] = ()

    def applied(self, volumes: Volumes) -> Iterator[tuple[CostStructure, CostChoice]]:
        """Yield the structures that price a campaign, each with what was chosen for it."""
        for structure in self.structures:
            category = self._category(structure.category)
            if structure.formula is Formula.DAILY:
                continue
            if category is None or (
                _concerns(category.process, volumes)
                and self._type_of(category) == structure.structure_id
            ):
                yield structure, self._choice(structure.structure_id)

    def unchosen(self, volumes: Volumes) -> str | None:
        """Return the first category whose cost type must be chosen and is not."""
        for category in self.categories:
            wanted = category.must_choose and _concerns(category.process, volumes)
            if wanted and self._type_of(category) is None:
                return category.label
        return None

    def _type_of(self, category: CostCategory) -> UUID | None:
        chosen = {one.structure_id for one in self.choices}
        for structure in self.structures:
            if structure.category == category.label and structure.structure_id in chosen:
                return structure.structure_id
        return category.default_id

    def _category(self, label: str) -> CostCategory | None:
        return next((one for one in self.categories if one.label == label), None)

    def _choice(self, structure_id: UUID) -> CostChoice:
        chosen = (one for one in self.choices if one.structure_id == structure_id)
        return next(chosen, CostChoice(structure_id=structure_id))


def _concerns(process: CostProcess, volumes: Volumes) -> bool:
    """Whether a campaign of these volumes has a category's process; it never has tasks."""
    counted = {
        CostProcess.EMAIL: volumes.emails,
        CostProcess.DIRECT_MAIL: volumes.letters,
        CostProcess.TELEPHONE: volumes.persons,
    }
    return counted.get(process, 0) > 0


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A structure applied to a quantity (things counted, or days): what one cost line says."""

    structure: CostStructure
    quantity: Decimal
    amount_minor: int
    surcharge_minor: int = 0

    @property
    def line(self) -> CostLine:
        """The line as a campaign's messages carry it, whose quantities are whole."""
        return CostLine(
            category=self.structure.category,
            label=self.structure.label,
            quantity=int(self.quantity),
            amount_minor=self.amount_minor,
            surcharge_minor=self.surcharge_minor,
        )


def volume(volumes: Volumes, driver: CostDriver) -> int:
    """Return what a driver counts; a structure without a driver counts one."""
    counted = {
        CostDriver.EMAILS: volumes.emails,
        CostDriver.LETTERS: volumes.letters,
        CostDriver.ORGANISATIONS: volumes.organisations,
        CostDriver.PERSONS: volumes.persons,
    }
    return counted.get(driver, 1)


def cost_lines(
    tariff: Tariff, volumes: Volumes, currency: str, *, charged: frozenset[UUID] = frozenset()
) -> tuple[PricedLine, ...]:
    """Return a campaign's cost lines, each rounded half up once to minor units.

    What counts nothing makes no line, so no surcharge either. A fixed structure is charged once per
    campaign, whatever its volumes: those in ``charged`` have been.
    """
    lines = []
    for structure, choice in tariff.applied(volumes):
        if structure.formula is Formula.FIXED and structure.structure_id in charged:
            continue
        quantity = Decimal(volume(volumes, structure.driver))
        if quantity:
            lines.append(_line(structure, choice, quantity, currency))
    return tuple(lines)


def task_lines(tariff: Tariff, days: Decimal, currency: str) -> tuple[PricedLine, ...]:
    """Return a task's cost lines: of what was chosen for it, what is fixed or daily."""
    lines = []
    for structure in tariff.structures:
        choice = next((c for c in tariff.choices if c.structure_id == structure.structure_id), None)
        quantity = days if structure.formula is Formula.DAILY else ONE
        if choice is not None and prices_tasks(structure) and quantity:
            lines.append(_line(structure, choice, quantity, currency))
    return tuple(lines)


def prices_tasks(structure: CostStructure) -> bool:
    """Whether a structure can price a task, which has days and no volumes."""
    return structure.formula in {Formula.FIXED, Formula.DAILY}


def _line(
    structure: CostStructure, choice: CostChoice, quantity: Decimal, currency: str
) -> PricedLine:
    if structure.formula is Formula.FIXED and choice.amount_minor is not None:
        cost = choice.amount_minor
    else:
        cost = COSTS[structure.formula](structure, quantity, currency)
    surcharge = choice.surcharge_minor
    return PricedLine(structure, quantity, cost + surcharge, surcharge)


def _fixed(structure: CostStructure, _quantity: Decimal, _currency: str) -> int:
    return structure.amount_minor


def _linear(structure: CostStructure, quantity: Decimal, currency: str) -> int:
    batches = Fraction(quantity) / structure.per
    if structure.whole_batches:
        batches = Fraction(-(-batches.numerator // batches.denominator))
    return to_minor(batches * Fraction(structure.unit_price), currency)


def _linear_bands(structure: CostStructure, quantity: Decimal, currency: str) -> int:
    return to_minor(quantity * _band(structure, quantity).unit_price, currency)


def _constant_bands(structure: CostStructure, quantity: Decimal, _currency: str) -> int:
    return _band(structure, quantity).amount_minor


def _daily(structure: CostStructure, quantity: Decimal, currency: str) -> int:
    return to_minor(quantity * structure.unit_price, currency)


def _band(structure: CostStructure, quantity: Decimal) -> Band:
    """Return the band that a whole volume is in; a bound belongs to the band it ends."""
    inside = (one for one in structure.bands if one.up_to is None or quantity <= one.up_to)
    return next(inside)


COSTS: Final[dict[Formula, Callable[[CostStructure, Decimal, str], int]]] = {
    Formula.FIXED: _fixed,
    Formula.LINEAR: _linear,
    Formula.LINEAR_BANDS: _linear_bands,
    Formula.CONSTANT_BANDS: _constant_bands,
    Formula.DAILY: _daily,
}


def total(lines: Iterable[PricedLine]) -> int:
    """Return the sum of lines (minor units)."""
    return sum(line.amount_minor for line in lines)


def plausible(volumes: Volumes) -> bool:
    """Whether no count is beyond what an audience can be."""
    counts = (volumes.emails, volumes.letters, volumes.organisations, volumes.persons)
    return max(counts) <= MAX_VOLUME
