"""Provisional, calculated and real costs: what counts when, and on which level of a budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.budget.domain.expenses import (
    Costs,
    Expense,
    Stage,
    of_campaign,
    position,
    rolled_up,
    typed,
)
from services.budget.domain.ledger import Levels
from topics.expenses import CommitmentLevel, EntryStatus, ExpenseKind, TypedCost

BUDGET = uuid4()


def cost(amount: int) -> TypedCost:
    return TypedCost(amount_minor=amount)


def an_expense(kind: ExpenseKind = ExpenseKind.DELIVERY, **fields: Any) -> Expense:
    return replace(Expense(kind, UUID(int=1), BUDGET), **fields)


@pytest.mark.parametrize(
    ("fields", "calculated"),
    [
        ({}, None),
        ({"provisional": cost(100)}, 100),
        ({"provisional": cost(100), "estimated_minor": 80, "stage": Stage.ANALYSED}, 80),
        ({"provisional": cost(100), "held_minor": 90, "stage": Stage.ANALYSED}, 90),
        ({"provisional": cost(100), "computed_minor": 70, "stage": Stage.FINISHED}, 70),
        ({"computed_minor": 70, "real": cost(65), "stage": Stage.FINISHED}, 65),
        ({"provisional": cost(100), "real": cost(65)}, 65),
        ({"computed_minor": 70, "held_minor": 30, "stage": Stage.ANALYSED}, 100),
    ],
    ids=[
        "nothing known",
        "not analysed",
        "analysed",
        "held",
        "finished",
        "finished, real",
        "real beats provisional",
        "a second run after the first",
    ],
)
def test_what_a_delivery_costs(fields: dict[str, Any], calculated: int | None) -> None:
    assert an_expense(**fields).calculated_minor == calculated


@pytest.mark.parametrize(
    ("fields", "calculated"),
    [
        ({"provisional": cost(100)}, 100),
        ({"provisional": cost(100), "computed_minor": 1500, "stage": Stage.FINISHED}, 1500),
        ({"provisional": cost(100), "stage": Stage.FINISHED}, 0),
        ({"computed_minor": 1500, "real": cost(1400), "stage": Stage.FINISHED}, 1400),
        ({"provisional": cost(100), "stage": Stage.CANCELLED}, 0),
    ],
    ids=["in progress", "finished", "finished without cost lines", "real", "cancelled"],
)
def test_what_a_task_costs(fields: dict[str, Any], calculated: int) -> None:
    assert an_expense(ExpenseKind.TASK, **fields).calculated_minor == calculated


@pytest.mark.parametrize("kind", list(ExpenseKind))
def test_what_is_being_edited_counts_nowhere(kind: ExpenseKind) -> None:
    edited = an_expense(kind, provisional=cost(100), status=EntryStatus.EDITING)
    assert edited.provisional_minor is None
    assert position(edited) == Levels()
    assert typed([edited]) == Costs()
    specified = replace(edited, status=EntryStatus.SPECIFIED)
    assert specified.provisional_minor == 100


@pytest.mark.parametrize(
    ("fields", "levels"),
    [
        ({"provisional": cost(100)}, Levels(planned_minor=100)),
        ({"estimated_minor": 80, "stage": Stage.ANALYSED}, Levels(planned_minor=80)),
        (
            {"provisional": cost(100), "held_minor": 90, "stage": Stage.ANALYSED},
            Levels(),
        ),
        ({"computed_minor": 70, "stage": Stage.FINISHED}, Levels(spent_minor=70)),
        (
            {"computed_minor": 70, "real": cost(65), "stage": Stage.FINISHED},
            Levels(spent_minor=65),
        ),
        ({"computed_minor": 70, "real": cost(65)}, Levels(spent_minor=70)),
        (
            {"computed_minor": 70, "paid_minor": 50, "stage": Stage.FINISHED},
            Levels(spent_minor=20, invoiced_minor=50),
        ),
        (
            {"computed_minor": 70, "paid_minor": 90, "stage": Stage.FINISHED},
            Levels(invoiced_minor=90),
        ),
    ],
    ids=[
        "typed",
        "analysed",
        "held: its holds book it",
        "finished",
        "real cost",
        "real cost before the end",
        "partly paid",
        "paid beyond its cost",
    ],
)
def test_where_a_delivery_stands_in_its_budget(fields: dict[str, Any], levels: Levels) -> None:
    assert position(an_expense(**fields)) == levels


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        (CommitmentLevel.PLANNED, Levels(planned_minor=100)),
        (CommitmentLevel.RESERVED, Levels(reserved_minor=100)),
        (CommitmentLevel.COMMITTED, Levels(committed_minor=100)),
    ],
)
def test_a_task_stands_on_its_level_until_it_is_finished(
    level: CommitmentLevel, levels: Levels
) -> None:
    task = an_expense(ExpenseKind.TASK, provisional=cost(100), level=level)
    assert position(task) == levels
    done = replace(task, stage=Stage.FINISHED, computed_minor=150)
    assert position(done) == Levels(spent_minor=150)
    assert position(replace(task, stage=Stage.CANCELLED)) == Levels()


def test_a_campaigns_own_cost_is_an_envelope_that_its_parts_use_up() -> None:
    own = an_expense(ExpenseKind.CAMPAIGN, provisional=cost(1000))
    assert position(own) == Levels(planned_minor=1000)
    assert position(own, 400) == Levels(planned_minor=600)
    assert position(own, 1200) == Levels()
    ended = replace(own, stage=Stage.FINISHED)
    assert position(ended, 400) == Levels()
    assert position(replace(ended, real=cost(1100)), 400) == Levels(spent_minor=700)


@pytest.mark.parametrize("kind", [ExpenseKind.PROGRAM, ExpenseKind.PLAN])
def test_plans_and_programs_book_nothing_their_campaigns_do(kind: ExpenseKind) -> None:
    assert position(an_expense(kind, provisional=cost(100), real=cost(50))) == Levels()


DELIVERY = an_expense(provisional=cost(100), estimated_minor=80, stage=Stage.ANALYSED)
TASK = an_expense(ExpenseKind.TASK, provisional=cost(30))


@pytest.mark.parametrize(
    ("own", "finished", "calculated"),
    [
        (Costs(provisional_minor=500), False, 500),
        (Costs(), False, 130),
        (Costs(provisional_minor=500), True, 110),
        (Costs(provisional_minor=500, real_minor=95), False, 95),
        (Costs(provisional_minor=500, real_minor=95), True, 95),
    ],
    ids=["own", "sum of the parts' provisional", "finished", "real", "finished, real"],
)
def test_what_a_campaign_costs(own: Costs, finished: bool, calculated: int) -> None:
    costs = of_campaign(own, [DELIVERY, TASK], finished=finished)
    assert costs.calculated_minor == calculated
    assert costs.provisional_minor == (own.provisional_minor or 130)


def test_an_analysed_part_without_a_typed_cost_counts_with_its_calculated_one() -> None:
    parts = [replace(DELIVERY, provisional=None), TASK]
    assert of_campaign(Costs(), parts, finished=False) == Costs(30, 110, None)


def test_a_campaign_nobody_priced_has_no_costs_rather_than_costs_of_nothing() -> None:
    assert of_campaign(Costs(), [], finished=True) == Costs()


def test_a_program_is_the_sum_of_its_campaigns_where_missing_of_what_was_typed() -> None:
    campaigns = [Costs(100, 90, 80), Costs(50, None, None), Costs()]
    assert rolled_up(Costs(), campaigns) == Costs(150, 140, 80)
    assert rolled_up(Costs(provisional_minor=1000), campaigns) == Costs(1000, 140, 80)
    assert rolled_up(Costs(provisional_minor=1000), []) == Costs(1000, 1000, None)
    assert rolled_up(Costs(real_minor=7), campaigns) == Costs(150, 7, 7)
