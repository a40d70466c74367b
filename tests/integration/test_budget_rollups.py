"""Roll-ups by budgetMgt: delivery and tasks to campaign, to program, to plan."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE
from services.budget.pages_spending import RollupView, in_one_currency, rollup_detail
from services.budget.store.recalculations import Rolled
from shared.errors import Refused
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import (
    MAILING,
    a_commit,
    a_hold,
    check_invariants,
    compute,
    saved,
)
from tests.integration.test_budget_levels import NOW, a_state, an_expense, cost
from tests.integration.test_budget_tasks import a_task
from topics.campaign import CampaignStatus
from topics.expenses import CostsCalculated, ExpenseKind
from topics.invoices import SaveRate
from topics.message import system_actor
from topics.plans import ProgramState

PROGRAM, PLAN = uuid4(), uuid4()


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    return await open_service(SERVICE)


async def costs(runtime: Runtime, kind: ExpenseKind, object_id: UUID) -> list[RollupView]:
    async with runtime.pool.acquire() as connection:
        return list((await rollup_detail(connection, Rolled(kind, object_id))).items)


def three(view: RollupView) -> tuple[int | None, int | None, int | None]:
    return view.provisional_minor, view.calculated_minor, view.real_minor


async def test_costs_roll_up_from_deliveries_and_tasks_to_the_plan(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    places = {"program_id": PROGRAM, "plan_id": PLAN}
    holds = [a_hold(budget_id, emails=count).model_copy(update=places) for count in (100, 200)]
    for hold in holds:
        await budget.execute(hold)
    done = holds[0]
    await budget.execute(a_commit(done, emails=90))
    await budget.execute(a_state(done.campaign_id, CampaignStatus.FINISHED))
    await budget.execute(
        a_task(budget_id, campaign_id=None, program_id=PROGRAM, plan_id=PLAN, provisional=cost(500))
    )
    told = [one for one in await compute(budget) if isinstance(one, CostsCalculated)]
    assert {one.kind for one in told} == {
        ExpenseKind.CAMPAIGN,
        ExpenseKind.PROGRAM,
        ExpenseKind.PLAN,
    }
    (finished,) = await costs(budget, ExpenseKind.CAMPAIGN, done.campaign_id)
    assert (three(finished), finished.spent_minor) == ((None, 1170, None), 1170)
    (open_,) = await costs(budget, ExpenseKind.CAMPAIGN, holds[1].campaign_id)
    assert (three(open_), open_.reserved_minor) == ((None, 2600, None), 2600)
    for kind, object_id in ((ExpenseKind.PROGRAM, PROGRAM), (ExpenseKind.PLAN, PLAN)):
        (rolled,) = await costs(budget, kind, object_id)
        assert three(rolled) == (500, 1170 + 2600 + 500, None)
        assert (rolled.planned_minor, rolled.reserved_minor, rolled.spent_minor) == (
            500,
            2600,
            1170,
        )
        assert rolled.calculated_at is not None
    assert await compute(budget) == []
    await check_invariants(budget)


async def test_a_campaign_that_moves_leaves_its_old_program(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    other, campaign_id = uuid4(), uuid4()
    for program_id in (PROGRAM, other):
        await budget.execute(
            an_expense(
                ExpenseKind.CAMPAIGN,
                campaign_id,
                budget_id,
                provisional=cost(700),
                program_id=program_id,
            )
        )
        await compute(budget)
    (left,) = await costs(budget, ExpenseKind.PROGRAM, PROGRAM)
    (joined,) = await costs(budget, ExpenseKind.PROGRAM, other)
    assert (three(left), three(joined)) == ((None, None, None), (700, 700, None))


async def test_a_program_without_campaigns_has_what_was_typed_for_it(budget: Runtime) -> None:
    budget_id = await saved(budget)
    await budget.execute(
        an_expense(ExpenseKind.PROGRAM, PROGRAM, budget_id, provisional=cost(10_000), plan_id=PLAN)
    )
    await compute(budget)
    (plan,) = await costs(budget, ExpenseKind.PLAN, PLAN)
    assert three(plan) == (10_000, 10_000, None)


async def test_budgets_in_two_currencies_roll_up_apart_and_in_one_at_a_days_rate(
    budget: Runtime,
) -> None:
    for currency in ("EUR", "JPY"):
        budget_id = await saved(budget, structures=(MAILING,), currency=currency)
        hold = a_hold(budget_id, emails=100).model_copy(update={"program_id": PROGRAM})
        await budget.execute(hold)
    await compute(budget)
    rows = await costs(budget, ExpenseKind.PROGRAM, PROGRAM)
    assert [(one.currency, one.calculated_minor) for one in rows] == [("EUR", 1300), ("JPY", 13)]
    today = date(2026, 3, 14)
    async with budget.pool.acquire() as connection:
        detail = await rollup_detail(connection, Rolled(ExpenseKind.PROGRAM, PROGRAM))
        with pytest.raises(Refused, match="no rate from JPY to EUR"):
            await in_one_currency(connection, detail, "EUR", today)
    rate = SaveRate(
        base="EUR",
        quote="JPY",
        valid_from=today - timedelta(days=1),
        rate=Decimal(130),
        actor=system_actor("budget"),
    )
    await budget.execute(rate)
    async with budget.pool.acquire() as connection:
        one = await in_one_currency(connection, detail, "EUR", today)
    assert [(view.currency, view.calculated_minor) for view in one.items] == [("EUR", 1310)]


def a_program(plan_id: UUID, version: int) -> ProgramState:
    return ProgramState(
        program_id=PROGRAM,
        plan_id=plan_id,
        version=version,
        label="Spring",
        start_on=date(2026, 1, 1),
        end_on=date(2026, 6, 30),
        created_at=NOW,
        modified_at=NOW,
    )


async def test_costs_go_where_a_campaigns_and_a_programs_state_say_they_belong(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    state = a_state(hold.campaign_id, CampaignStatus.NEW)
    await budget.execute(state.model_copy(update={"program_id": PROGRAM}))
    other = uuid4()
    for version, plan_id in enumerate((PLAN, other), 1):
        await budget.execute(a_program(plan_id, version))
        await compute(budget)
        (plan,) = await costs(budget, ExpenseKind.PLAN, plan_id)
        assert plan.calculated_minor == 1300
    (left,) = await costs(budget, ExpenseKind.PLAN, PLAN)
    assert left.calculated_minor is None
    await budget.execute(a_program(PLAN, 1))
    assert await compute(budget) == []
