"""What volumes cost: cost structures applied, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.budget.domain.money import to_minor
from topics.budget import CostDriver, CostLine, CostStructure, Formula, Volumes

MAX_VOLUME: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A structure applied to a volume: what one cost line says."""

    structure: CostStructure
    quantity: int
    amount_minor: int

    @property
    def line(self) -> CostLine:
        """The line as messages carry it."""
        return CostLine(
            category=self.structure.category,
            label=self.structure.label,
            quantity=self.quantity,
            amount_minor=self.amount_minor,
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
    structures: Iterable[CostStructure],
    volumes: Volumes,
    currency: str,
    *,
    charged: frozenset[UUID] = frozenset(),
) -> tuple[PricedLine, ...]:
    """Return the cost lines of volumes, each rounded half up once to minor units.

    A linear structure that counts nothing makes no line. A fixed one is charged once per campaign:
    those in ``charged`` have been.
    """
    lines = []
    for structure in structures:
        if structure.formula is Formula.FIXED:
            if structure.structure_id not in charged:
                lines.append(PricedLine(structure, 1, structure.amount_minor))
        elif (quantity := volume(volumes, structure.driver)) > 0:
            amount = to_minor(structure.unit_price * quantity, currency)
            lines.append(PricedLine(structure, quantity, amount))
    return tuple(lines)


def total(lines: Iterable[PricedLine]) -> int:
    """Return the sum of lines (minor units)."""
    return sum(line.amount_minor for line in lines)


def plausible(volumes: Volumes) -> bool:
    """Whether no count is beyond what an audience can be."""
    counts = (volumes.emails, volumes.letters, volumes.organisations, volumes.persons)
    return max(counts) <= MAX_VOLUME
