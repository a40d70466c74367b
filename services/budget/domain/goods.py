"""What a campaign's cost lines take of stock lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from services.budget.domain.costs import PricedLine
from topics.budget import CostDriver, GoodsNeeded, Volumes


class GoodsStatus(StrEnum):
    """How the stock answered what a hold asked of a line."""

    ASKED = "asked"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Need:
    """Pieces of a stock line: ``once`` for a campaign, and ``per_letter`` for each letter."""

    line_id: UUID
    once: int
    per_letter: int

    def quantity(self, letters: int) -> int:
        """Return the pieces that so many letters take."""
        return self.once + self.per_letter * letters

    def reservation_id(self, hold_id: UUID) -> UUID:
        """Return the reservation that a hold makes of the line: the same whenever it is asked."""
        return uuid5(hold_id, str(self.line_id))

    def uses(self, hold_id: UUID, cause_id: UUID, letters: int) -> dict[UUID, int]:
        """Return the pieces that a file takes, by what each counts once for.

        What a campaign takes once goes with its first file: its cause is the hold.
        """
        causes = {
            uuid5(hold_id, f"once {self.line_id}"): self.once,
            uuid5(cause_id, str(self.line_id)): self.per_letter * letters,
        }
        return {cause: pieces for cause, pieces in causes.items() if pieces}


def needs(lines: Iterable[PricedLine]) -> tuple[Need, ...]:
    """Return what cost lines take, one need a stock line, in the order of their ids."""
    once: dict[UUID, int] = defaultdict(int)
    per_letter: dict[UUID, int] = defaultdict(int)
    for line in lines:
        structure = line.structure
        if structure.stock_line_id is not None:
            counted = per_letter if structure.driver is CostDriver.LETTERS else once
            counted[structure.stock_line_id] += structure.stock_quantity
    return tuple(
        Need(line_id, once[line_id], per_letter[line_id])
        for line_id in sorted({*once, *per_letter})
    )


def goods_needed(lines: Iterable[PricedLine], volumes: Volumes) -> tuple[GoodsNeeded, ...]:
    """Return what the cost lines of volumes would take of the stock."""
    return tuple(
        GoodsNeeded(line_id=need.line_id, quantity=need.quantity(volumes.letters))
        for need in needs(lines)
    )
