"""Cost structures over volumes, and how amounts read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.budget.domain.costs import PricedLine, Tariff, plausible, task_lines, total
from services.budget.domain.costs import cost_lines as lines_of
from services.budget.domain.money import in_words, to_minor
from services.budget.domain.structures import choice_problem, problem_in
from topics.budget import (
    Band,
    CostCategory,
    CostChoice,
    CostDriver,
    CostProcess,
    CostStructure,
    Formula,
    Volumes,
)


def fixed(amount_minor: int, structure_id: UUID | None = None) -> CostStructure:
    return CostStructure(
        structure_id=structure_id or uuid4(),
        category="rooms",
        label="Room",
        formula=Formula.FIXED,
        amount_minor=amount_minor,
    )


def cost_lines(
    structures: Sequence[CostStructure],
    volumes: Volumes,
    currency: str,
    *,
    charged: frozenset[UUID] = frozenset(),
    categories: Sequence[CostCategory] = (),
    choices: Sequence[CostChoice] = (),
) -> tuple[PricedLine, ...]:
    tariff = Tariff(tuple(structures), tuple(categories), tuple(choices))
    return lines_of(tariff, volumes, currency, charged=charged)


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
    problem = problem_in(Tariff((structure,)))
    assert problem is not None
    assert problem.field == field


def test_two_structures_with_one_id_are_refused() -> None:
    room = fixed(500)
    problem = problem_in(Tariff((room, room)))
    assert problem is not None
    assert problem.field == "structures.1.structure_id"


def test_sound_structures_have_no_problem() -> None:
    assert problem_in(Tariff((fixed(500), linear("0.13")))) is None


VOLUMES = (0, 1, 99, 100, 101, 1000, 1001)
# The documented examples: 0.13 to 100, 0.12 to 1,000, 0.11 above; 12.00, 100.00 and 500.00.
UNIT_BANDS = (
    Band(up_to=100, unit_price=Decimal("0.13")),
    Band(up_to=1000, unit_price=Decimal("0.12")),
    Band(unit_price=Decimal("0.11")),
)
AMOUNT_BANDS = (
    Band(up_to=100, amount_minor=1200),
    Band(up_to=1000, amount_minor=10_000),
    Band(amount_minor=50_000),
)


def a_cost(formula: Formula, **fields: object) -> CostStructure:
    driver = CostDriver.NONE if formula in {Formula.FIXED, Formula.DAILY} else CostDriver.EMAILS
    return CostStructure.model_validate(
        {
            "structure_id": uuid4(),
            "category": "mail",
            "label": "Mailing",
            "formula": formula,
            "driver": driver,
        }
        | fields
    )


# What each structure costs in cents at n = 0, 1, 99, 100, 101, 1000, 1001 messages.
COST_TABLE: tuple[tuple[str, CostStructure, tuple[int, ...]], ...] = (
    (
        "fixed 300.00",
        a_cost(Formula.FIXED, amount_minor=30_000),
        (30_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000),
    ),
    (
        "linear 0.13",
        a_cost(Formula.LINEAR, unit_price="0.13"),
        (0, 13, 1287, 1300, 1313, 13_000, 13_013),
    ),
    (
        "linear 5.00 for 100, pro rata",
        a_cost(Formula.LINEAR, unit_price="5", per=100),
        (0, 5, 495, 500, 505, 5000, 5005),
    ),
    (
        "linear 5.00 for 100, whole batches",
        a_cost(Formula.LINEAR, unit_price="5", per=100, whole_batches=True),
        (0, 500, 500, 500, 1000, 5000, 5500),
    ),
    (
        "linear 1.00 for 3, pro rata, rounded half up",
        a_cost(Formula.LINEAR, unit_price="1", per=3),
        (0, 33, 3300, 3333, 3367, 33_333, 33_367),
    ),
    (
        "linear by threshold, the whole volume at its band's price",
        a_cost(Formula.LINEAR_BANDS, bands=UNIT_BANDS),
        (0, 13, 1287, 1300, 1212, 12_000, 11_011),
    ),
    (
        "constant by threshold",
        a_cost(Formula.CONSTANT_BANDS, bands=AMOUNT_BANDS),
        (0, 1200, 1200, 1200, 10_000, 10_000, 50_000),
    ),
)


@pytest.mark.parametrize(
    ("structure", "count", "expected_minor"),
    [
        pytest.param(structure, count, expected, id=f"{name}: {count}")
        for name, structure, row in COST_TABLE
        for count, expected in zip(VOLUMES, row, strict=True)
    ],
)
def test_the_cost_table(structure: CostStructure, count: int, expected_minor: int) -> None:
    assert problem_in(Tariff((structure,))) is None
    assert total(cost_lines([structure], Volumes(emails=count), "EUR")) == expected_minor


@pytest.mark.parametrize(
    ("days", "expected_minor"),
    [
        ("0", 0),
        ("1", 30_000),
        ("5", 150_000),
        ("0.5", 15_000),
        ("99", 2_970_000),
        ("100", 3_000_000),
        ("101", 3_030_000),
        ("1000", 30_000_000),
        ("1001", 30_030_000),
    ],
)
def test_a_daily_cost_is_the_days_of_a_task_at_its_price(days: str, expected_minor: int) -> None:
    daily = a_cost(Formula.DAILY, unit_price="300")
    tariff = Tariff((daily,), choices=(CostChoice(structure_id=daily.structure_id),))
    assert total(task_lines(tariff, Decimal(days), "EUR")) == expected_minor
    assert cost_lines([daily], Volumes(emails=5), "EUR") == ()


def test_a_task_has_the_costs_chosen_for_it_alone() -> None:
    daily, room, other = a_cost(Formula.DAILY, unit_price="300"), fixed(50_000), fixed(7)
    choices = (
        CostChoice(structure_id=daily.structure_id, surcharge_minor=100),
        CostChoice(structure_id=room.structure_id, amount_minor=30_000),
    )
    lines = task_lines(Tariff((daily, room, other), (), choices), Decimal(5), "EUR")
    assert [(line.quantity, line.amount_minor) for line in lines] == [
        (Decimal(5), 150_100),
        (Decimal(1), 30_000),
    ]


@given(
    price=st.decimals(min_value=0, max_value=999_999, places=6),
    count=st.integers(min_value=0, max_value=100_000_000),
    per=st.integers(min_value=1, max_value=1_000_000),
)
def test_whole_batches_are_never_cheaper_and_at_most_one_batch_dearer(
    price: Decimal, count: int, per: int
) -> None:
    pro_rata, whole = (
        total(cost_lines([structure], Volumes(emails=count), "EUR"))
        for structure in (
            a_cost(Formula.LINEAR, unit_price=price, per=per),
            a_cost(Formula.LINEAR, unit_price=price, per=per, whole_batches=True),
        )
    )
    assert pro_rata <= whole <= pro_rata + to_minor(price, "EUR") + 1


def test_a_surcharge_is_added_to_its_line_and_to_nothing_where_there_is_no_line() -> None:
    mail = linear("0.13")
    choice = CostChoice(structure_id=mail.structure_id, surcharge_minor=250)
    (line,) = cost_lines([mail], Volumes(emails=100), "EUR", choices=[choice])
    assert (line.amount_minor, line.surcharge_minor) == (1550, 250)
    assert cost_lines([mail], Volumes(), "EUR", choices=[choice]) == ()


def test_a_fixed_amount_may_be_entered_for_one_campaign() -> None:
    room = fixed(0)
    choice = CostChoice(structure_id=room.structure_id, amount_minor=50_000)
    assert total(cost_lines([room], Volumes(), "EUR", choices=[choice])) == 50_000


PAPER = linear("1").model_copy(update={"category": "paper", "driver": CostDriver.LETTERS})
CARD = linear("2").model_copy(update={"category": "paper", "driver": CostDriver.LETTERS})
LETTERS = Volumes(letters=10, emails=10)


def of_paper(**fields: object) -> CostCategory:
    return CostCategory.model_validate(
        {"label": "paper", "process": CostProcess.DIRECT_MAIL} | fields
    )


@pytest.mark.parametrize(
    ("category", "choices", "expected_minor"),
    [
        (None, (), 3000),
        (of_paper(), (), 0),
        (of_paper(default_id=CARD.structure_id), (), 2000),
        (of_paper(default_id=CARD.structure_id), (PAPER,), 1000),
        (of_paper(must_choose=True), (CARD,), 2000),
    ],
    ids=["not listed", "unused", "default", "chosen", "must be chosen"],
)
def test_of_a_listed_category_one_cost_type_counts(
    category: CostCategory | None, choices: tuple[CostStructure, ...], expected_minor: int
) -> None:
    lines = cost_lines(
        [PAPER, CARD],
        LETTERS,
        "EUR",
        categories=[category] if category else [],
        choices=[CostChoice(structure_id=one.structure_id) for one in choices],
    )
    assert total(lines) == expected_minor


@pytest.mark.parametrize(
    ("process", "volumes", "expected_minor"),
    [
        (CostProcess.DIRECT_MAIL, Volumes(letters=1), 500),
        (CostProcess.DIRECT_MAIL, Volumes(emails=1), 0),
        (CostProcess.EMAIL, Volumes(emails=1), 500),
        (CostProcess.TELEPHONE, Volumes(persons=1), 500),
        (CostProcess.TASK, Volumes(emails=1, letters=1, persons=1), 0),
    ],
)
def test_a_category_concerns_campaigns_that_have_its_process(
    process: CostProcess, volumes: Volumes, expected_minor: int
) -> None:
    room = fixed(500)
    category = CostCategory(label="rooms", process=process, default_id=room.structure_id)
    assert total(cost_lines([room], volumes, "EUR", categories=[category])) == expected_minor


def test_a_category_whose_type_must_be_chosen_says_so_where_it_concerns() -> None:
    tariff = Tariff((PAPER, CARD), (of_paper(must_choose=True),))
    assert tariff.unchosen(LETTERS) == "paper"
    assert tariff.unchosen(Volumes(emails=1)) is None
    with_default = Tariff(
        (PAPER, CARD), (of_paper(must_choose=True, default_id=CARD.structure_id),)
    )
    assert with_default.unchosen(LETTERS) is None


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        (a_cost(Formula.LINEAR_BANDS, bands=UNIT_BANDS[:2]), "bands"),
        (a_cost(Formula.LINEAR_BANDS), "bands"),
        (a_cost(Formula.CONSTANT_BANDS, bands=AMOUNT_BANDS[1::-1] + AMOUNT_BANDS[2:]), "bands.1"),
        (a_cost(Formula.CONSTANT_BANDS, bands=(Band(), Band())), "bands.0.up_to"),
        (a_cost(Formula.CONSTANT_BANDS, bands=UNIT_BANDS), "bands.0.unit_price"),
        (a_cost(Formula.LINEAR_BANDS, bands=AMOUNT_BANDS), "bands.0.amount_minor"),
        (a_cost(Formula.LINEAR_BANDS, bands=UNIT_BANDS, unit_price=1), "unit_price"),
        (a_cost(Formula.LINEAR_BANDS, bands=UNIT_BANDS, driver=CostDriver.NONE), "driver"),
        (a_cost(Formula.LINEAR, bands=UNIT_BANDS), "bands"),
        (a_cost(Formula.FIXED, per=2), "per"),
        (a_cost(Formula.DAILY, driver=CostDriver.EMAILS), "driver"),
        (a_cost(Formula.DAILY, amount_minor=5), "amount_minor"),
        (a_cost(Formula.DAILY, whole_batches=True), "whole_batches"),
    ],
)
def test_a_structure_with_thresholds_that_cannot_price_is_refused_by_its_field(
    structure: CostStructure, field: str
) -> None:
    problem = problem_in(Tariff((structure,)))
    assert problem is not None
    assert problem.field.startswith(f"structures.0.{field}")


@pytest.mark.parametrize(
    ("categories", "field"),
    [
        ((of_paper(), of_paper()), "categories.1.label"),
        ((of_paper(default_id=uuid4()),), "categories.0.default_id"),
        ((of_paper(envelope_minor=999),), "categories"),
    ],
)
def test_contradictory_categories_are_refused_by_their_field(
    categories: tuple[CostCategory, ...], field: str
) -> None:
    problem = problem_in(Tariff((PAPER, CARD), categories), 1000)
    assert problem is not None
    assert problem.field == field


def test_envelopes_that_sum_to_the_allocation_are_sound() -> None:
    other = CostCategory(label="rooms", process=CostProcess.TASK, envelope_minor=400)
    assert problem_in(Tariff((PAPER,), (of_paper(envelope_minor=600), other)), 1000) is None


@pytest.mark.parametrize(
    ("structure", "choice", "task", "reason"),
    [
        (PAPER, CostChoice(structure_id=uuid4()), False, "no such"),
        (PAPER, {"amount_minor": 5}, False, "has a formula"),
        (PAPER, {}, True, "counts volumes"),
        (a_cost(Formula.DAILY, unit_price=1), {}, False, "a cost of tasks"),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(
    structure: CostStructure, choice: CostChoice | dict[str, int], task: bool, reason: str
) -> None:
    if isinstance(choice, dict):
        choice = CostChoice(structure_id=structure.structure_id, **choice)
    problem = choice_problem(Tariff((structure,), (), (choice,)), task=task)
    assert problem is not None
    assert reason in problem.reason


def test_two_types_of_a_listed_category_cannot_both_be_chosen() -> None:
    both = tuple(CostChoice(structure_id=one.structure_id) for one in (PAPER, CARD))
    problem = choice_problem(Tariff((PAPER, CARD), (of_paper(),), both))
    assert problem is not None
    assert problem.field == "choices.1.structure_id"
    assert choice_problem(Tariff((PAPER, CARD), (), both)) is None
