"""The money of the direct mail at a moment: its three costs, and the levels of its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.cli.demo.stage import Stage

LEVELS: Final = ("planned", "reserved", "committed", "spent", "invoiced")
_MONEY: Final = f"""
SELECT {", ".join(f"b.{level}_minor" for level in LEVELS)}, b.allocated_minor,
       r.provisional_minor, r.calculated_minor, r.real_minor
FROM budget.budgets b LEFT JOIN budget.rollups r
  ON r.kind = 'campaign' AND r.object_id = $2
WHERE b.budget_id = $1
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """The money of the campaign at a moment; amounts in minor units.

    Attributes:
        on: what its budget has on each level.
        costs: provisional, calculated, real; ``None`` where not known yet.
    """

    what: str
    on: dict[str, int]
    costs: tuple[int | None, int | None, int | None]
    allocated: int

    @property
    def left(self) -> int:
        """What the budget has left; what is only planned takes nothing."""
        return self.allocated - sum(self.on.values()) + self.on["planned"]


class Money:
    """Reads how the money of one budget's only campaign stands."""

    def __init__(self, stage: Stage, budget_id: UUID) -> None:
        self._stage = stage
        self._budget_id = budget_id

    async def now(self, campaign_id: UUID, what: str) -> Moment:
        """Return how it stands now; ``what`` names the moment."""
        [row] = await self._stage.rows(_MONEY, self._budget_id, campaign_id)
        return Moment(
            what,
            {level: row[f"{level}_minor"] for level in LEVELS},
            (row["provisional_minor"], row["calculated_minor"], row["real_minor"]),
            row["allocated_minor"],
        )
