"""What cost lines take of stock lines."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from services.budget.domain.costs import Tariff, cost_lines
from services.budget.domain.goods import Need, needs
from services.budget.domain.structures import problem_in
from topics.budget import CostDriver, CostStructure, Formula, Volumes

PAPER, POSTERS = UUID(int=1), UUID(int=2)


def a_type(driver: CostDriver, line_id: UUID | None, pieces: int = 1) -> CostStructure:
    counts = driver is not CostDriver.NONE
    return CostStructure(
        structure_id=uuid4(),
        category="mail",
        label="Envelopes",
        formula=Formula.LINEAR if counts else Formula.FIXED,
        driver=driver,
        unit_price=Decimal(1) if counts else Decimal(0),
        stock_line_id=line_id,
        stock_quantity=pieces,
    )


def test_types_that_take_of_one_line_are_added_up_and_the_others_take_nothing() -> None:
    types = (
        a_type(CostDriver.LETTERS, PAPER, 2),
        a_type(CostDriver.LETTERS, PAPER),
        a_type(CostDriver.NONE, PAPER, 5),
        a_type(CostDriver.NONE, POSTERS),
        a_type(CostDriver.LETTERS, None),
    )
    lines = cost_lines(Tariff(types), Volumes(letters=10), "EUR")
    assert needs(lines) == (Need(PAPER, 5, 3), Need(POSTERS, 1, 0))
    assert [one.quantity(10) for one in needs(lines)] == [35, 1]


def test_what_counts_nothing_or_was_charged_before_takes_nothing() -> None:
    types = (a_type(CostDriver.LETTERS, PAPER), a_type(CostDriver.NONE, POSTERS))
    charged = frozenset({types[1].structure_id})
    assert needs(cost_lines(Tariff(types), Volumes(), "EUR", charged=charged)) == ()


def test_what_is_taken_once_has_one_cause_whatever_the_file() -> None:
    need, hold_id, first, second = Need(PAPER, 5, 3), uuid4(), uuid4(), uuid4()
    uses = need.uses(hold_id, first, 10) | need.uses(hold_id, second, 4)
    assert sorted(uses.values()) == [5, 12, 30]
    assert need.uses(hold_id, first, 10) == need.uses(hold_id, first, 10)
    assert need.reservation_id(hold_id) != Need(POSTERS, 5, 3).reservation_id(hold_id)


@pytest.mark.parametrize(
    "driver", [CostDriver.EMAILS, CostDriver.ORGANISATIONS, CostDriver.PERSONS]
)
def test_goods_leave_with_letters_so_nothing_else_can_count_them(driver: CostDriver) -> None:
    problem = problem_in(Tariff((a_type(driver, PAPER),)))
    assert problem is not None
    assert problem.field == "structures.0.stock_line_id"
    assert problem_in(Tariff((a_type(driver, None),))) is None
    assert problem_in(Tariff((a_type(CostDriver.LETTERS, PAPER),))) is None
