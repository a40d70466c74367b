"""Cost types that take goods: budget and stock agree over messages, and a campaign is told once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE as BUDGET
from services.budget.pages import campaign_costs
from services.stock.app import SERVICE as STOCK
from services.stock.workflows import manage_stock
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import (
    a_commit,
    a_hold,
    a_release,
    balance,
    check_invariants,
    compute,
    only,
    saved,
)
from tests.integration.test_budget_levels import BOB, a_decision
from tests.integration.test_stock_lines import check_invariants as check_stock
from topics.budget import (
    CostDriver,
    CostEstimated,
    CostStructure,
    EstimateCost,
    Formula,
    FundsRefused,
    FundsReserved,
    GoodsNeeded,
    ReserveFunds,
    Volumes,
)
from topics.funds import FundsAwaitApproval, UseGoods
from topics.message import Command, Message, State, system_actor
from topics.operators import OperatorState, Role
from topics.stock import SaveStockLine, StockReservationRefused, StockReserved

HEARD: Final = (StockReserved, StockReservationRefused)
ENVELOPES: Final = CostStructure(
    structure_id=uuid4(),
    category="mail",
    label="Envelopes",
    formula=Formula.LINEAR,
    driver=CostDriver.LETTERS,
    unit_price=Decimal("0.05"),
)
POSTER: Final = CostStructure(
    structure_id=uuid4(), category="shop", label="Posters", formula=Formula.FIXED, amount_minor=900
)


class House:
    """A budget and a stock, each with what the other says to it carried by hand."""

    def __init__(self, budget: Runtime, stock: Runtime) -> None:
        self.budget, self.stock = budget, stock

    async def tell(self, *commands: Command | State) -> list[Message]:
        """Give commands to the budget and carry what follows until nobody says more."""
        said: list[Message] = []
        for command in commands:
            said += await self._carried(await self.budget.execute(command))
        return said

    async def _carried(self, emitted: Sequence[Message]) -> list[Message]:
        said = list(emitted)
        for message in emitted:
            if message.topic.name.startswith("stock") and isinstance(message, Command):
                for answer in await self.stock.execute(message):
                    said.append(answer)
                    if isinstance(answer, HEARD):
                        said += await self._carried(await self.budget.execute(answer))
        return said

    async def book(self) -> None:
        """Run stockMgt and budgetMgt until nothing is left to do."""
        await self._carried(await compute(self.budget))
        more = True
        while more:
            async with self.stock.uow.begin() as work:
                more = (await manage_stock(work)).more

    async def check(self) -> None:
        """Check both services' invariants."""
        await check_invariants(self.budget)
        await check_stock(self.stock)

    async def levels(self, line_id: UUID) -> tuple[int, int]:
        """Return what is in stock of a line, and what is reserved of it."""
        row = await self.stock.pool.fetchrow(
            "SELECT initial + delivered - consumed, reserved FROM stock_lines WHERE line_id = $1",
            line_id,
        )
        assert row is not None
        return row[0], row[1]


@pytest.fixture
async def house(open_service: Open) -> House:
    made = House(await open_service(BUDGET), await open_service(STOCK))
    await made.budget.execute(
        OperatorState(operator_id=BOB, version=1, name="Bob", roles=(Role.REVIEWER,))
    )
    return made


async def a_line(house: House, initial: int = 100) -> UUID:
    line_id = uuid4()
    await house.stock.execute(
        SaveStockLine(
            line_id=line_id,
            actor=system_actor("stock"),
            stock="Print room",
            label="Envelopes A4",
            initial=initial,
        )
    )
    return line_id


def taking(structure: CostStructure, line_id: UUID, pieces: int = 1) -> CostStructure:
    return structure.model_copy(update={"stock_line_id": line_id, "stock_quantity": pieces})


def used(hold: ReserveFunds, letters: int, cause_id: UUID | None = None) -> UseGoods:
    return UseGoods(
        campaign_id=hold.campaign_id,
        hold_id=hold.hold_id,
        cause_id=cause_id or uuid4(),
        letters=letters,
    )


async def test_goods_are_held_with_the_money_used_by_files_and_the_rest_goes_back(
    house: House,
) -> None:
    envelopes, posters = await a_line(house), await a_line(house)
    budget_id = await saved(
        house.budget, structures=(taking(ENVELOPES, envelopes, 2), taking(POSTER, posters, 5))
    )
    hold = a_hold(budget_id, letters=30)
    stands = only(FundsReserved, await house.tell(hold))
    assert stands.amount_minor == 150 + 900
    assert (await house.levels(envelopes), await house.levels(posters)) == ((100, 60), (100, 5))
    first, second = used(hold, 10), used(hold, 15)
    # Each file is told twice; the posters go with the first of them alone.
    await house.tell(first, first, second, hold, second)
    await house.book()
    assert (await house.levels(envelopes), await house.levels(posters)) == ((50, 10), (95, 0))
    await house.tell(a_commit(hold, letters=25))
    await house.book()
    await house.tell(hold, first, a_commit(hold, letters=25))
    await house.book()
    assert (await house.levels(envelopes), await house.levels(posters)) == ((50, 0), (95, 0))
    await house.check()


async def test_a_hold_whose_goods_are_not_there_is_refused_and_gives_everything_back(
    house: House,
) -> None:
    envelopes, posters = await a_line(house, initial=10), await a_line(house)
    budget_id = await saved(
        house.budget, structures=(taking(ENVELOPES, envelopes), taking(POSTER, posters))
    )
    hold = a_hold(budget_id, letters=11)
    refused = only(FundsRefused, await house.tell(hold))
    assert "11 of “Envelopes A4” are needed, but 10 are available" in refused.reason
    assert (await house.levels(envelopes), await house.levels(posters)) == ((10, 0), (100, 0))
    assert await balance(house.budget, budget_id) == (100_000, 0, 0)
    assert only(FundsRefused, await house.tell(hold)) == refused
    await house.check()


async def test_what_a_campaign_no_longer_wants_goes_back_and_is_not_held_late(
    house: House,
) -> None:
    line_id = await a_line(house)
    budget_id = await saved(house.budget, structures=(taking(ENVELOPES, line_id),))
    hold, late = a_hold(budget_id, letters=40), a_hold(budget_id, letters=40)
    await house.tell(hold, a_release(hold))
    assert await house.levels(line_id) == (100, 0)
    asked = await house.budget.execute(late)
    assert not any(isinstance(one, FundsReserved) for one in asked)
    given_back = await house.budget.execute(a_release(late))
    for command in (*asked, *given_back):
        if isinstance(command, Command):
            for answer in await house.stock.execute(command):
                if isinstance(answer, HEARD):
                    assert not await house.budget.execute(answer)
    assert await house.levels(line_id) == (100, 0)
    await house.check()


async def test_goods_are_asked_after_a_persons_yes_and_asked_again_when_the_yes_comes_again(
    house: House,
) -> None:
    line_id = await a_line(house)
    structures = (taking(ENVELOPES, line_id),)
    budget_id = await saved(house.budget, structures=structures, needs_approval=True)
    hold = a_hold(budget_id, letters=40)
    only(FundsAwaitApproval, await house.tell(hold))
    assert await house.levels(line_id) == (100, 0)
    yes = a_decision(hold)
    lost = await house.budget.execute(yes)
    assert not any(isinstance(one, FundsReserved) for one in lost)
    stands = only(FundsReserved, await house.tell(yes))
    assert stands.decided_by == yes.actor
    assert await house.levels(line_id) == (100, 40)
    declined = a_hold(budget_id, letters=40)
    await house.tell(declined, a_decision(declined, yes=False))
    assert await house.levels(line_id) == (100, 40)
    await house.check()


async def test_an_estimate_says_what_of_the_stock_it_would_take(house: House) -> None:
    line_id = await a_line(house)
    budget_id = await saved(house.budget, structures=(taking(ENVELOPES, line_id, 3),))
    said = await house.tell(
        EstimateCost(campaign_id=uuid4(), budget_id=budget_id, volumes=Volumes(letters=50))
    )
    seen = only(CostEstimated, said)
    assert seen.goods == (GoodsNeeded(line_id=line_id, quantity=150),)
    assert await house.levels(line_id) == (100, 0)


async def test_a_campaigns_goods_stand_beside_its_money(house: House) -> None:
    line_id = await a_line(house)
    budget_id = await saved(house.budget, structures=(taking(ENVELOPES, line_id),))
    hold = a_hold(budget_id, letters=7)
    await house.tell(hold)
    async with house.budget.pool.acquire() as connection:
        costs = await campaign_costs(connection, hold.campaign_id)
    assert [(one.line_id, one.quantity, one.status) for one in costs.goods] == [
        (line_id, 7, "held")
    ]
