"""What prices a budget's campaigns and tasks, as rows: structures, categories, choices."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.budget.domain.costs import Tariff
from shared.database import Connection
from topics.budget import (
    Band,
    CostCategory,
    CostChoice,
    CostDriver,
    CostProcess,
    CostStructure,
    Formula,
    SaveBudget,
)

_STRUCTURE: Final = """
INSERT INTO cost_structures (budget_id, structure_id, position, category, label, formula, driver,
    amount_minor, unit_price, per, whole_batches, bands, stock_line_id, stock_quantity)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
_CATEGORY: Final = """
INSERT INTO cost_categories (budget_id, label, position, process, default_id, must_choose,
    envelope_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_CHOOSE: Final = """
INSERT INTO campaign_choices (campaign_id, budget_id, choices) VALUES ($1, $2, $3)
ON CONFLICT (campaign_id, budget_id) DO UPDATE SET choices = excluded.choices
"""


class TariffStore:
    """Tariffs in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, command: SaveBudget) -> None:
        """Write a budget's structures and categories in place of those it had."""
        for table in ("cost_structures", "cost_categories"):
            await self._connection.execute(
                f"DELETE FROM {table} WHERE budget_id = $1", command.budget_id
            )
        await self._connection.executemany(
            _STRUCTURE,
            [
                (
                    command.budget_id,
                    one.structure_id,
                    position,
                    one.category,
                    one.label,
                    one.formula.value,
                    one.driver.value,
                    one.amount_minor,
                    one.unit_price,
                    one.per,
                    one.whole_batches,
                    [band.model_dump(mode="json") for band in one.bands],
                    one.stock_line_id,
                    one.stock_quantity,
                )
                for position, one in enumerate(command.structures)
            ],
        )
        await self._connection.executemany(
            _CATEGORY,
            [
                (
                    command.budget_id,
                    one.label,
                    position,
                    one.process.value,
                    one.default_id,
                    one.must_choose,
                    one.envelope_minor,
                )
                for position, one in enumerate(command.categories)
            ],
        )

    async def of_budget(self, budget_id: UUID) -> Tariff:
        """Return a budget's structures and categories in the order they were saved."""
        structures = await self._connection.fetch(
            "SELECT structure_id, category, label, formula, driver, amount_minor, unit_price, per,"
            " whole_batches, bands, stock_line_id, stock_quantity FROM cost_structures"
            " WHERE budget_id = $1 ORDER BY position",
            budget_id,
        )
        categories = await self._connection.fetch(
            "SELECT label, process, default_id, must_choose, envelope_minor FROM cost_categories"
            " WHERE budget_id = $1 ORDER BY position",
            budget_id,
        )
        return Tariff(
            tuple(_structure(row) for row in structures),
            tuple(
                CostCategory(**dict(row) | {"process": CostProcess(row["process"])})
                for row in categories
            ),
        )

    async def of_campaign(self, budget_id: UUID, campaign_id: UUID) -> Tariff:
        """Return a budget's tariff with what was chosen for a campaign.

        What was chosen and is no longer a structure of the budget chooses nothing.
        """
        tariff = await self.of_budget(budget_id)
        chosen = await self._connection.fetchval(
            "SELECT choices FROM campaign_choices WHERE campaign_id = $1 AND budget_id = $2",
            campaign_id,
            budget_id,
        )
        choices = tuple(CostChoice.model_validate(one) for one in chosen or ())
        return Tariff(tariff.structures, tariff.categories, choices)

    async def choose(
        self, campaign_id: UUID, budget_id: UUID, choices: Sequence[CostChoice]
    ) -> None:
        """Write what was chosen for a campaign."""
        values = [one.model_dump(mode="json") for one in choices]
        await self._connection.execute(_CHOOSE, campaign_id, budget_id, values)


def _structure(row: Record) -> CostStructure:
    return CostStructure(
        structure_id=row["structure_id"],
        category=row["category"],
        label=row["label"],
        formula=Formula(row["formula"]),
        driver=CostDriver(row["driver"]),
        amount_minor=row["amount_minor"],
        unit_price=_plain(row["unit_price"]),
        per=row["per"],
        whole_batches=row["whole_batches"],
        bands=tuple(Band.model_validate(one) for one in row["bands"]),
        stock_line_id=row["stock_line_id"],
        stock_quantity=row["stock_quantity"],
    )


def _plain(price: Decimal) -> Decimal:
    """Return a price without trailing zeros and without an exponent, as people typed it."""
    return Decimal(f"{price.normalize():f}")
