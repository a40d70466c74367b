"""Roll-ups: every amount of the parts is in the whole, once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.budget.domain.expenses import Costs, Expense, Stage
from services.budget.domain.ledger import RUNGS, Levels
from services.budget.domain.rollups import Rollup, above, campaign
from topics.expenses import ExpenseKind, TypedCost

ID = UUID(int=1)
AMOUNTS = st.integers(min_value=0, max_value=10_000)
LEVELS = st.builds(Levels, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
KNOWN = st.none() | AMOUNTS
ROLLUPS = st.builds(Rollup, st.builds(Costs, KNOWN, KNOWN, KNOWN), LEVELS)


def a_task(provisional: int, booked: Levels) -> Expense:
    cost = TypedCost(amount_minor=provisional)
    return replace(Expense(ExpenseKind.TASK, ID, ID), provisional=cost, booked=booked)


def test_a_campaign_has_its_own_levels_its_parts_and_what_its_holds_hold() -> None:
    own = replace(
        Expense(ExpenseKind.CAMPAIGN, ID, ID),
        provisional=TypedCost(amount_minor=1000),
        booked=Levels(planned_minor=300),
    )
    delivery = replace(Expense(ExpenseKind.DELIVERY, ID, ID), stage=Stage.ANALYSED, held_minor=600)
    task = a_task(100, booked=Levels(planned_minor=100))
    rolled = campaign([own, delivery, task], Levels(reserved_minor=600), finished=False)
    assert rolled.costs == Costs(1000, 1000, None)
    assert rolled.levels == Levels(planned_minor=400, reserved_minor=600)


def test_a_task_of_a_program_itself_is_part_of_it() -> None:
    task = a_task(100, booked=Levels(planned_minor=100))
    rolled = above([], [task], [Rollup(Costs(None, 900, None), Levels(spent_minor=900))])
    assert rolled == Rollup(Costs(100, 1000, None), Levels(planned_minor=100, spent_minor=900))


@given(parts=st.lists(ROLLUPS, max_size=6), split=st.integers(min_value=0, max_value=6))
def test_a_plan_is_the_same_whether_its_campaigns_are_in_one_program_or_in_two(
    parts: list[Rollup], split: int
) -> None:
    whole = above([], [], [above([], [], parts)])
    halves = above([], [], [above([], [], parts[:split]), above([], [], parts[split:])])
    assert whole == halves
    for rung in RUNGS:
        assert whole.levels.on(rung) == sum(part.levels.on(rung) for part in parts)
