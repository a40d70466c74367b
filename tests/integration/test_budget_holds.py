"""Holds, releases and real costs against a real database."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE
from services.budget.invariants import broken
from services.budget.workflows import calculate_costs
from shared.registry import answer
from shared.service import Runtime
from tests.conftest import Open
from topics.budget import (
    BudgetRefused,
    BudgetState,
    CommitFunds,
    CostDriver,
    CostEstimated,
    CostStructure,
    EstimateCost,
    Formula,
    FundsCommitted,
    FundsRefused,
    FundsReleased,
    FundsReserved,
    ReleaseFunds,
    ReserveFunds,
    SaveBudget,
    Volumes,
)
from topics.cloudevents import Envelope
from topics.message import Actor, Message, Via, system_actor
from topics.operators import OperatorState, Role

DAMAGES: Final = (
    "UPDATE budgets SET spent_minor = spent_minor + 1",
    "UPDATE budgets SET planned_minor = planned_minor + 1",
    "UPDATE holds SET amount_minor = amount_minor + 1 WHERE status = 'held'",
    "UPDATE expenses SET booked_planned = booked_planned + 1",
    "UPDATE expenses SET held_minor = held_minor + 1",
    "UPDATE expenses SET real = '{\"amount_minor\": 7}'",
    "UPDATE expenses SET paid_minor = 1",
    'UPDATE holds SET requested_by = \'{"id": "a"}\', decided_by = \'{"id": "a"}\'',
    "DELETE FROM cost_lines",
    "UPDATE ledger_entries SET amount_minor = 1 WHERE kind = 'allocate'",
)
M = TypeVar("M", bound=Message)
ROOM = CostStructure(
    structure_id=uuid4(), category="rooms", label="Room", formula=Formula.FIXED, amount_minor=30_000
)
MAILING = CostStructure(
    structure_id=uuid4(),
    category="mail",
    label="E-mails",
    formula=Formula.LINEAR,
    driver=CostDriver.EMAILS,
    unit_price=Decimal("0.13"),
)
CALLS = CostStructure(
    structure_id=uuid4(),
    category="calls",
    label="Calls",
    formula=Formula.LINEAR,
    driver=CostDriver.PERSONS,
    unit_price=Decimal("2.5"),
)


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    return await open_service(SERVICE, DATABASE_POOL_SIZE="12")


def only(kind: type[M], emitted: list[Message]) -> M:
    found = [one for one in emitted if isinstance(one, kind)]
    assert len(found) == 1, emitted
    return found[0]


def a_save(**changes: object) -> SaveBudget:
    fields: dict[str, object] = {
        "budget_id": uuid4(),
        "actor": system_actor("budget"),
        "label": "Spring",
        "allocated_minor": 100_000,
        "structures": (ROOM, MAILING, CALLS),
    }
    return SaveBudget.model_validate(fields | changes)


def a_hold(budget_id: UUID, *, campaign_id: UUID | None = None, **volumes: int) -> ReserveFunds:
    return ReserveFunds(
        campaign_id=campaign_id or uuid4(),
        campaign_number=7,
        campaign_label="Spring mailing",
        hold_id=uuid4(),
        budget_id=budget_id,
        volumes=Volumes(**volumes),
    )


def a_commit(hold: ReserveFunds, **volumes: int) -> CommitFunds:
    return CommitFunds(
        campaign_id=hold.campaign_id, hold_id=hold.hold_id, volumes=Volumes(**volumes)
    )


def a_release(hold: ReserveFunds) -> ReleaseFunds:
    return ReleaseFunds(campaign_id=hold.campaign_id, hold_id=hold.hold_id, reason="cancelled")


async def saved(runtime: Runtime, **changes: object) -> UUID:
    command = a_save(**changes)
    only(BudgetState, await runtime.execute(command))
    return command.budget_id


async def compute(runtime: Runtime) -> list[Message]:
    """Run budgetMgt's function until nothing is left; return what it emitted."""
    emitted: list[Message] = []
    while True:
        async with runtime.uow.begin() as work:
            step = await calculate_costs(work)
            emitted += work.emitted
        if not step.more:
            return emitted


async def balance(runtime: Runtime, budget_id: UUID) -> tuple[int, int, int]:
    row = await runtime.pool.fetchrow(
        "SELECT allocated_minor, reserved_minor, spent_minor FROM budgets WHERE budget_id = $1",
        budget_id,
    )
    assert row is not None
    return tuple(row.values())


async def check_invariants(runtime: Runtime) -> None:
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []


async def test_a_hold_is_the_cost_of_the_volumes_and_moves_the_balance(budget: Runtime) -> None:
    budget_id = await saved(budget)
    emitted = await budget.execute(a_hold(budget_id, emails=101, persons=10))
    assert only(FundsReserved, emitted).amount_minor == 30_000 + 1313 + 2500
    state = only(BudgetState, emitted)
    assert (state.reserved_minor, state.left_minor) == (33_813, 66_187)
    await check_invariants(budget)


async def test_a_hold_past_the_limit_is_refused_with_both_amounts(budget: Runtime) -> None:
    budget_id = await saved(budget, allocated_minor=33_812)
    emitted = await budget.execute(a_hold(budget_id, emails=101, persons=10))
    refused = only(FundsRefused, emitted)
    assert (refused.asked_minor, refused.left_minor) == (33_813, 33_812)
    assert "338.13 EUR" in refused.reason
    assert "338.12 EUR" in refused.reason
    assert len(emitted) == 1


async def test_a_hold_on_an_unknown_budget_is_refused(budget: Runtime) -> None:
    refused = only(FundsRefused, await budget.execute(a_hold(uuid4(), emails=1)))
    assert (refused.asked_minor, refused.left_minor) == (0, 0)
    assert "not known" in refused.reason


async def test_the_same_hold_again_gets_the_same_answer_and_moves_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget, allocated_minor=40_000)
    hold, refused = a_hold(budget_id, emails=100), a_hold(budget_id, emails=100_000)
    first = only(FundsReserved, await budget.execute(hold))
    no = only(FundsRefused, await budget.execute(refused))
    await budget.execute(a_save(budget_id=budget_id, allocated_minor=90_000_000))
    assert await budget.execute(hold) == [first]
    assert await budget.execute(refused) == [no]
    assert await balance(budget, budget_id) == (90_000_000, 31_300, 0)


async def test_a_hundred_parallel_holds_on_money_for_ten_make_exactly_ten(budget: Runtime) -> None:
    budget_id = await saved(budget, allocated_minor=10 * 130 + 129, structures=(MAILING,))
    holds = [a_hold(budget_id, emails=10) for _ in range(100)]
    answers = await asyncio.gather(*(budget.execute(hold) for hold in holds))
    kinds = [type(message) for emitted in answers for message in emitted]
    assert kinds.count(FundsReserved) == 10
    assert kinds.count(FundsRefused) == 90
    assert await balance(budget, budget_id) == (1429, 1300, 0)
    await check_invariants(budget)


async def test_a_release_gives_the_whole_hold_back_once(budget: Runtime) -> None:
    budget_id = await saved(budget)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    first = await budget.execute(a_release(hold))
    assert only(FundsReleased, first).amount_minor == 31_300
    again = await budget.execute(a_release(hold))
    assert again == [only(FundsReleased, first)]
    assert await balance(budget, budget_id) == (100_000, 0, 0)


async def test_a_release_that_overtakes_its_hold_keeps_it_from_being_made(budget: Runtime) -> None:
    budget_id = await saved(budget)
    hold = a_hold(budget_id, emails=100)
    assert only(FundsReleased, await budget.execute(a_release(hold))).amount_minor == 0
    assert "given back" in only(FundsRefused, await budget.execute(hold)).reason
    assert await balance(budget, budget_id) == (100_000, 0, 0)


async def test_a_release_leaves_the_money_of_a_cost_that_waits(budget: Runtime) -> None:
    budget_id = await saved(budget)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=90))
    assert only(FundsReleased, await budget.execute(a_release(hold))).amount_minor == 0
    assert await balance(budget, budget_id) == (100_000, 31_300, 0)
    committed = only(FundsCommitted, await compute(budget))
    assert (committed.spent_minor, committed.released_minor) == (31_170, 130)


async def test_the_real_cost_is_booked_line_by_line_and_the_rest_given_back(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget)
    hold = a_hold(budget_id, emails=100, persons=10)
    await budget.execute(hold)
    assert await budget.execute(a_commit(hold, emails=90)) == []
    emitted = await compute(budget)
    committed = only(FundsCommitted, emitted)
    assert [(line.label, line.quantity, line.amount_minor) for line in committed.lines] == [
        ("Room", 1, 30_000),
        ("E-mails", 90, 1170),
    ]
    assert (committed.spent_minor, committed.released_minor) == (31_170, 2630)
    state = only(BudgetState, emitted)
    assert (state.reserved_minor, state.spent_minor, state.left_minor) == (0, 31_170, 68_830)
    assert state.calculated_at is not None
    await check_invariants(budget)


async def test_a_commit_again_is_answered_the_same_and_books_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=90))
    await budget.execute(a_commit(hold, emails=95))
    committed = only(FundsCommitted, await compute(budget))
    assert await budget.execute(a_commit(hold, emails=7)) == [committed]
    assert await compute(budget) == []
    assert await balance(budget, budget_id) == (100_000, 0, 31_170)


async def test_a_real_cost_over_its_hold_is_booked_and_shows_what_is_missing(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, allocated_minor=2000, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=200))
    emitted = await compute(budget)
    assert only(FundsCommitted, emitted).spent_minor == 2600
    assert only(BudgetState, emitted).left_minor == -600
    row = await budget.pool.fetchrow("SELECT over_hold_minor FROM commits")
    assert row is not None
    assert row["over_hold_minor"] == 1300
    await check_invariants(budget)


async def test_a_commit_that_overtakes_its_hold_waits_for_it(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(a_commit(hold, emails=100))
    assert await compute(budget) == []
    await budget.execute(hold)
    assert only(FundsCommitted, await compute(budget)).spent_minor == 1300


async def test_the_prices_of_the_hold_stay_those_of_its_campaign(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    dearer = MAILING.model_copy(update={"unit_price": Decimal(9)})
    await budget.execute(a_save(budget_id=budget_id, structures=(dearer,)))
    await budget.execute(a_commit(hold, emails=100))
    assert only(FundsCommitted, await compute(budget)).spent_minor == 1300


async def test_a_fixed_cost_is_charged_once_for_a_campaign(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(ROOM, MAILING))
    first = a_hold(budget_id, emails=100)
    await budget.execute(first)
    await budget.execute(a_commit(first, emails=100))
    assert only(FundsCommitted, await compute(budget)).spent_minor == 31_300
    second = a_hold(budget_id, campaign_id=first.campaign_id, emails=100)
    assert only(FundsReserved, await budget.execute(second)).amount_minor == 1300
    await budget.execute(a_commit(second, emails=100))
    assert only(FundsCommitted, await compute(budget)).spent_minor == 1300
    await check_invariants(budget)


async def test_an_estimate_holds_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget)
    command = EstimateCost(
        campaign_id=uuid4(), budget_id=budget_id, volumes=Volumes(emails=1, persons=2)
    )
    estimated = only(CostEstimated, await budget.execute(command))
    assert (estimated.amount_minor, estimated.left_minor) == (30_513, 100_000)
    unknown = command.model_copy(update={"budget_id": uuid4()})
    assert "not known" in only(BudgetRefused, await budget.execute(unknown)).reason


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_and_repeated_commands_keep_the_ledger_true(
    budget: Runtime, seed: int
) -> None:
    draw = random.Random(seed)
    budget_id = await saved(budget, allocated_minor=100_000)
    holds = [a_hold(budget_id, emails=draw.randint(0, 300)) for _ in range(8)]
    commands: list[Message] = []
    for hold in holds:
        commands += [hold] * draw.randint(1, 3)
        commands += [a_release(hold)] * draw.randint(0, 2)
        commands += [a_commit(hold, emails=draw.randint(0, 300))] * draw.randint(0, 2)
    draw.shuffle(commands)
    await asyncio.gather(*(budget.execute(command) for command in commands))
    await asyncio.gather(*(budget.execute(command) for command in commands))
    await compute(budget)
    await check_invariants(budget)


async def test_each_invariant_is_seen_to_break(budget: Runtime) -> None:
    budget_id = await saved(budget)
    spent, held = a_hold(budget_id, emails=100), a_hold(budget_id, emails=100)
    for command in (spent, held, a_commit(spent, emails=100)):
        await budget.execute(command)
    await compute(budget)
    await check_invariants(budget)
    async with budget.pool.acquire() as connection:
        for damage in DAMAGES:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(damage)
            found = await broken(connection)
            await transaction.rollback()
            assert found, damage
            assert found[0].startswith("I7 ")


async def test_only_who_manages_budgets_saves_one(budget: Runtime) -> None:
    reviewer, manager = uuid4(), uuid4()
    for operator_id, role in ((reviewer, Role.REVIEWER), (manager, Role.MANAGER)):
        await budget.execute(
            OperatorState(operator_id=operator_id, version=1, name=role.value, roles=(role,))
        )
    refused = await budget.execute(a_save(actor=Actor(id=str(reviewer), via=Via.WEB)))
    assert only(BudgetRefused, refused).reason == "reviewer may not manage budgets"
    await saved(budget, actor=Actor(id=str(manager), via=Via.WEB))


async def test_an_allocation_under_what_is_held_is_refused(budget: Runtime) -> None:
    budget_id = await saved(budget)
    await budget.execute(a_hold(budget_id, emails=100))
    refused = only(
        BudgetRefused, await budget.execute(a_save(budget_id=budget_id, allocated_minor=31_299))
    )
    assert refused.field == "allocated_minor"
    assert "313.00 EUR are held" in refused.reason
    await budget.execute(a_save(budget_id=budget_id, allocated_minor=31_300))
    assert await balance(budget, budget_id) == (31_300, 31_300, 0)


async def test_a_currency_stays_once_money_moved(budget: Runtime) -> None:
    budget_id = await saved(budget)
    await saved(budget, budget_id=budget_id, currency="CHF")
    await budget.execute(a_hold(budget_id, emails=1))
    refused = await budget.execute(a_save(budget_id=budget_id, currency="EUR"))
    assert only(BudgetRefused, refused).field == "currency"


async def as_message(runtime: Runtime, command: SaveBudget, message_id: str) -> list[Message]:
    """Handle a command as if it came from a topic under an id."""
    async with runtime.uow.begin() as work:
        work.cause = Envelope("/muster/budget", message_id, command.ce_type, None, b"")
        entry = runtime.registry.entry(SaveBudget)
        assert entry is not None
        await answer(entry, command, work)
        return list(work.emitted)


async def test_an_old_save_read_again_does_not_undo_a_later_one(budget: Runtime) -> None:
    old = a_save(allocated_minor=100)
    await as_message(budget, old, "old")
    await as_message(budget, a_save(budget_id=old.budget_id, allocated_minor=900), "new")
    again = only(BudgetState, await as_message(budget, old, "old"))
    assert again.allocated_minor == 900
    assert await balance(budget, old.budget_id) == (900, 0, 0)
    await check_invariants(budget)
