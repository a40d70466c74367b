"""The worked example of "Controlling costs": a mailing, a room and a training, to the last cent."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from services.budget.app import SERVICE
from services.budget.pages_spending import rollup_detail
from services.budget.store.recalculations import Rolled
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import a_commit, a_hold, check_invariants, compute, saved
from tests.integration.test_budget_invoices import a_line, a_move, an_invoice
from tests.integration.test_budget_levels import a_state, levels
from tests.integration.test_budget_tasks import ADA, a_priced_task, actor
from topics.budget import Band, CostChoice, CostDriver, CostStructure, Formula
from topics.campaign import CampaignStatus
from topics.expenses import CommitmentLevel, ExpenseKind
from topics.operators import OperatorState, Role
from topics.tasks import MoveTask, TaskStatus


def a_cost(label: str, formula: Formula, **fields: object) -> CostStructure:
    driver = CostDriver.NONE if formula in {Formula.FIXED, Formula.DAILY} else CostDriver.LETTERS
    base = {"structure_id": uuid4(), "category": label, "label": label, "driver": driver}
    return CostStructure.model_validate(base | {"formula": formula} | fields)


ENVELOPES = a_cost("Envelopes", Formula.LINEAR, unit_price=5, per=100, whole_batches=True)
POSTAGE = a_cost(
    "Postage",
    Formula.LINEAR_BANDS,
    bands=(
        Band(up_to=100, unit_price=Decimal("0.13")),
        Band(up_to=1000, unit_price=Decimal("0.12")),
        Band(unit_price=Decimal("0.11")),
    ),
)
PRINT = a_cost(
    "Print",
    Formula.CONSTANT_BANDS,
    bands=(
        Band(up_to=100, amount_minor=1200),
        Band(up_to=1000, amount_minor=10_000),
        Band(amount_minor=50_000),
    ),
)
SETUP = a_cost("Set-up", Formula.FIXED, amount_minor=30_000)
ROOM = a_cost("Room", Formula.FIXED, amount_minor=50_000)
TRAINER = a_cost("Trainer", Formula.DAILY, unit_price=300)


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    runtime = await open_service(SERVICE)
    await runtime.execute(
        OperatorState(operator_id=ADA, version=1, name="Ada", roles=(Role.MANAGER,))
    )
    return runtime


async def test_a_mailing_a_room_and_a_training_cost_what_the_example_says(
    budget: Runtime,
) -> None:
    campaign_id, program_id = uuid4(), uuid4()
    budget_id = await saved(
        budget,
        allocated_minor=1_000_000,
        structures=(ENVELOPES, POSTAGE, PRINT, SETUP, TRAINER),
    )
    # The room is a cost of tasks alone: it has no place in what prices campaigns.
    tasks_budget = await saved(
        budget, allocated_minor=1_000_000, structures=(ROOM, TRAINER), main_budget_id=budget_id
    )
    hold = a_hold(budget_id, campaign_id=campaign_id, letters=1000)
    await budget.execute(hold.model_copy(update={"program_id": program_id}))
    assert await levels(budget, budget_id) == {"reserved": 5000 + 12_000 + 10_000 + 30_000}
    for structure, days in ((ROOM, "1"), (TRAINER, "5")):
        task = a_priced_task(
            tasks_budget,
            campaign_id=campaign_id,
            choices=(CostChoice(structure_id=structure.structure_id),),
            planned_days=Decimal(days),
            level=CommitmentLevel.RESERVED,
        )
        await budget.execute(task)
        await compute(budget)
        done = MoveTask(task_id=task.task_id, to=TaskStatus.FINISHED, actor=actor(ADA))
        await budget.execute(done)
    assert await levels(budget, tasks_budget) == {"spent": 50_000 + 150_000}
    await budget.execute(a_state(campaign_id, CampaignStatus.RUNNING))
    await budget.execute(a_commit(hold, letters=950))
    await budget.execute(a_state(campaign_id, CampaignStatus.FINISHED, version=2))
    await compute(budget)
    mailing = 5000 + 11_400 + 10_000 + 30_000
    assert await levels(budget, budget_id) == {"spent": mailing}
    invoice = an_invoice(budget_id, a_line(50_000, campaign_id))
    for command in (invoice, a_move(invoice)):
        await budget.execute(command)
    await compute(budget)
    assert await levels(budget, budget_id) == {"spent": mailing - 50_000, "invoiced": 50_000}
    async with budget.pool.acquire() as connection:
        for kind, object_id in (
            (ExpenseKind.CAMPAIGN, campaign_id),
            (ExpenseKind.PROGRAM, program_id),
        ):
            (rolled,) = (await rollup_detail(connection, Rolled(kind, object_id))).items
            assert rolled.calculated_minor == mailing + 200_000
            assert rolled.spent_minor + rolled.invoiced_minor == mailing + 200_000
    await check_invariants(budget)
