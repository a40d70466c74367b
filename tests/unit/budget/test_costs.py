"""Cost structures over volumes, and how amounts read."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.budget.domain.costs import cost_lines, plausible, total
from services.budget.domain.money import in_words, to_minor
from services.budget.domain.structures import problem_in
from topics.budget import CostDriver, CostStructure, Formula, Volumes


def fixed(amount_minor: int, structure_id: UUID | None = None) -> CostStructure:
    return CostStructure(
        structure_id=structure_id or uuid4(),
        category="rooms",
        label="Room",
        formula=Formula.FIXED,
        amount_minor=amount_minor,
    )


def linear(unit_price: str, driver: CostDriver = CostDriver.EMAILS) -> CostStructure:
    return CostStructure(
        structure_id=uuid4(),
        category="mail",
        label="Mailing",
        formula=Formula.LINEAR,
        driver=driver,
        unit_price=Decimal(unit_price),
    )


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1000, 1001])
def test_a_fixed_cost_is_the_same_for_any_volume(count: int) -> None:
    assert total(cost_lines([fixed(30_000)], Volumes(emails=count), "EUR")) == 30_000


@pytest.mark.parametrize(
    ("count", "expected_minor"),
    [(0, 0), (1, 13), (99, 1287), (100, 1300), (101, 1313), (1000, 13_000), (1001, 13_013)],
)
def test_a_linear_cost_is_the_unit_price_for_each_one_counted(
    count: int, expected_minor: int
) -> None:
    assert total(cost_lines([linear("0.13")], Volumes(emails=count), "EUR")) == expected_minor


@pytest.mark.parametrize(
    ("count", "expected_minor"),
    [(1, 0), (99, 12), (100, 13), (101, 13), (1000, 125), (1001, 125)],
)
def test_a_line_is_rounded_half_up_once_and_not_for_each_unit(
    count: int, expected_minor: int
) -> None:
    assert total(cost_lines([linear("0.00125")], Volumes(emails=count), "EUR")) == expected_minor


def test_each_linear_cost_counts_its_own_driver() -> None:
    structures = [
        linear("1", CostDriver.EMAILS),
        linear("1", CostDriver.LETTERS),
        linear("1", CostDriver.ORGANISATIONS),
        linear("1", CostDriver.PERSONS),
    ]
    volumes = Volumes(emails=1, letters=20, organisations=300, persons=4000)
    lines = cost_lines(structures, volumes, "EUR")
    assert [line.quantity for line in lines] == [1, 20, 300, 4000]
    assert total(lines) == 432_100


def test_a_linear_cost_that_counts_nothing_makes_no_line_and_a_fixed_one_does() -> None:
    lines = cost_lines([linear("0.13"), fixed(500)], Volumes(), "EUR")
    assert [(line.line.label, line.line.quantity) for line in lines] == [("Room", 1)]


def test_a_fixed_cost_that_was_charged_makes_no_second_line() -> None:
    room = fixed(500)
    charged = frozenset({room.structure_id})
    assert cost_lines([room], Volumes(emails=3), "EUR", charged=charged) == ()


@pytest.mark.parametrize(("currency", "expected"), [("EUR", 1235), ("JPY", 12), ("KWD", 12_346)])
def test_minor_units_are_those_of_the_currency(currency: str, expected: int) -> None:
    assert to_minor(Decimal("12.3456"), currency) == expected


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (123_450, "EUR", "1,234.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-2000, "EUR", "-20.00 EUR"),
        (1500, "JPY", "1,500 JPY"),
        (1500, "KWD", "1.500 KWD"),
    ],
)
def test_amounts_read_in_major_units_with_their_currency(
    minor: int, currency: str, words: str
) -> None:
    assert in_words(minor, currency) == words


@given(
    price=st.decimals(min_value=0, max_value=999_999, places=6),
    count=st.integers(min_value=0, max_value=100_000_000),
)
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(price: Decimal, count: int) -> None:
    amount = total(cost_lines([linear(str(price))], Volumes(emails=count), "EUR"))
    assert abs(Decimal(amount) - price * count * 100) <= Decimal("0.5")


def test_a_volume_no_audience_has_is_not_plausible() -> None:
    assert plausible(Volumes(emails=100_000_000))
    assert not plausible(Volumes(letters=100_000_001))


def a_structure(**changes: object) -> CostStructure:
    return fixed(500).model_copy(update=changes)


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        (a_structure(driver=CostDriver.EMAILS), "structures.0.driver"),
        (a_structure(unit_price=Decimal(1)), "structures.0.unit_price"),
        (a_structure(amount_minor=10**19), "structures.0.amount_minor"),
        (linear("1", CostDriver.NONE), "structures.0.driver"),
        (
            a_structure(formula=Formula.LINEAR, driver=CostDriver.EMAILS),
            "structures.0.amount_minor",
        ),
    ],
)
def test_a_contradictory_structure_is_refused_by_its_field(
    structure: CostStructure, field: str
) -> None:
    problem = problem_in([structure])
    assert problem is not None
    assert problem.field == field


def test_two_structures_with_one_id_are_refused() -> None:
    room = fixed(500)
    problem = problem_in([room, room])
    assert problem is not None
    assert problem.field == "structures.1.structure_id"


def test_sound_structures_have_no_problem() -> None:
    assert problem_in([fixed(500), linear("0.13")]) is None
