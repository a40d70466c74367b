"""Levels of a budget against a real database: planned, approved, committed, overrun, typed."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from services.budget.app import SERVICE
from shared.errors import INFRASTRUCTURE
from shared.registry import answer
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.test_budget_holds import (
    MAILING,
    ROOM,
    a_commit,
    a_hold,
    a_release,
    a_save,
    check_invariants,
    compute,
    only,
    saved,
)
from topics.budget import (
    BudgetRefused,
    BudgetState,
    CostCategory,
    CostChoice,
    CostEstimated,
    CostProcess,
    EstimateCost,
    FundsCommitted,
    FundsRefused,
    FundsReleased,
    FundsReserved,
    ReserveFunds,
    Volumes,
)
from topics.campaign import CampaignState, CampaignStatus
from topics.cloudevents import Envelope
from topics.expenses import (
    EntryStatus,
    ExpenseKind,
    ExpenseRefused,
    ExpenseSaved,
    SaveExpense,
    TypedCost,
)
from topics.funds import (
    ChooseCosts,
    CostsChosen,
    CostsRefused,
    DecideFunds,
    FundsAwaitApproval,
    FundsUndecided,
)
from topics.message import Actor, Message, Via, system_actor
from topics.operators import OperatorState, Role

ADA, BOB, EVE = uuid4(), uuid4(), uuid4()
LEVELS = ("planned", "reserved", "committed", "spent", "invoiced")
NOW = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)


@pytest.fixture
async def budget(open_service: Open) -> Runtime:
    runtime = await open_service(SERVICE, DATABASE_POOL_SIZE="12")
    people = ((ADA, Role.REVIEWER), (BOB, Role.REVIEWER), (EVE, Role.MANAGER))
    for operator_id, role in people:
        await runtime.execute(
            OperatorState(operator_id=operator_id, version=1, name=role.value, roles=(role,))
        )
    return runtime


def actor(operator_id: UUID) -> Actor:
    return Actor(id=str(operator_id), via=Via.WEB)


async def levels(runtime: Runtime, budget_id: UUID) -> dict[str, int]:
    row = await runtime.pool.fetchrow("SELECT * FROM budgets WHERE budget_id = $1", budget_id)
    assert row is not None
    return {level: row[f"{level}_minor"] for level in LEVELS if row[f"{level}_minor"]}


def an_estimate(hold: ReserveFunds, **volumes: int) -> EstimateCost:
    return EstimateCost(
        campaign_id=hold.campaign_id, budget_id=hold.budget_id, volumes=Volumes(**volumes)
    )


def a_state(campaign_id: UUID, status: CampaignStatus, version: int = 1) -> CampaignState:
    return CampaignState(
        campaign_id=campaign_id,
        version=version,
        number=7,
        label="Spring mailing",
        status=status,
        start_at=NOW,
        end_at=NOW,
        zone="Europe/Paris",
        manager_id=str(ADA),
        created_at=NOW,
        modified_at=NOW,
    )


def a_decision(hold: ReserveFunds, *, by: UUID = BOB, yes: bool = True) -> DecideFunds:
    return DecideFunds(
        campaign_id=hold.campaign_id,
        hold_id=hold.hold_id,
        approve=yes,
        reason="" if yes else "too dear",
        actor=actor(by),
    )


async def as_message(runtime: Runtime, command: Message, message_id: str) -> list[Message]:
    """Handle a command as if it came from a topic under an id."""
    async with runtime.uow.begin() as work:
        work.cause = Envelope("/muster/budget", message_id, command.ce_type, None, b"")
        entry = runtime.registry.entry(type(command))
        assert entry is not None
        await answer(entry, command, work)
        return list(work.emitted)


async def patiently(runtime: Runtime, command: Message, message_id: str) -> None:
    """Handle a command as a consumer does: what waited too long for a lock is tried again."""
    for _ in range(20):
        with suppress(*INFRASTRUCTURE):
            await as_message(runtime, command, message_id)
            return
    raise AssertionError(command)


async def test_money_climbs_from_planned_to_spent_and_is_on_one_level_at_a_time(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    seen = [await levels(budget, budget_id)]
    commands: list[Message] = [
        an_estimate(hold, emails=100),
        hold,
        a_state(hold.campaign_id, CampaignStatus.RUNNING),
        a_commit(hold, emails=90),
    ]
    for command in commands:
        await budget.execute(command)
        await compute(budget)
        seen.append(await levels(budget, budget_id))
        await check_invariants(budget)
    assert seen == [{}, {"planned": 1300}, {"reserved": 1300}, {"committed": 1300}, {"spent": 1170}]


async def test_an_old_estimate_read_again_plans_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    old = an_estimate(hold, emails=500)
    await as_message(budget, old, "old")
    await as_message(budget, an_estimate(hold, emails=100), "new")
    again = await as_message(budget, old, "old")
    assert only(CostEstimated, again).amount_minor == 6500
    assert await levels(budget, budget_id) == {"planned": 1300}


async def test_a_draft_is_told_its_cost_and_plans_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    estimate = an_estimate(a_hold(budget_id, emails=100), emails=100)
    draft = estimate.model_copy(update={"draft": True})
    told = only(CostEstimated, await budget.execute(draft))
    assert (told.amount_minor, await levels(budget, budget_id)) == (1300, {})
    await budget.execute(estimate)
    await budget.execute(draft)
    assert await levels(budget, budget_id) == {"planned": 1300}


async def test_a_campaign_that_ends_before_it_holds_plans_nothing_more(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(an_estimate(hold, emails=100))
    await budget.execute(a_state(hold.campaign_id, CampaignStatus.CANCELLED))
    assert await levels(budget, budget_id) == {}
    await check_invariants(budget)


async def test_money_that_needs_approval_is_kept_and_the_campaign_waits_for_a_person(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100).model_copy(update={"requested_by": actor(ADA)})
    emitted = await budget.execute(hold)
    asked = only(FundsAwaitApproval, emitted)
    assert (asked.amount_minor, asked.requested_by) == (1300, actor(ADA))
    assert not any(isinstance(one, FundsReserved) for one in emitted)
    assert await budget.execute(hold) == [asked]
    await budget.execute(a_state(hold.campaign_id, CampaignStatus.RUNNING))
    assert await levels(budget, budget_id) == {"reserved": 1300}
    approved = only(FundsReserved, await budget.execute(a_decision(hold)))
    assert approved.amount_minor == 1300
    assert await levels(budget, budget_id) == {"committed": 1300}
    assert await budget.execute(hold) == [approved]
    assert await budget.execute(a_decision(hold)) == [approved]
    other = only(FundsUndecided, await budget.execute(a_decision(hold, yes=False)))
    assert "decided" in other.reason
    await check_invariants(budget)


async def test_money_that_is_not_approved_goes_back_with_the_reason(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    refused = only(FundsRefused, await budget.execute(a_decision(hold, yes=False)))
    assert refused.reason == "the budget was not approved: too dear"
    assert refused.left_minor == 100_000
    assert await levels(budget, budget_id) == {}
    assert await budget.execute(hold) == [refused]
    await check_invariants(budget)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (ADA, "whoever asked for money may not approve it; ask another reviewer"),
        (EVE, "manager may not approve"),
        (uuid4(), "this operator is not known here"),
    ],
    ids=["who asked", "no right", "a stranger"],
)
async def test_only_another_person_with_the_right_approves(
    budget: Runtime, by: UUID, reason: str
) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100).model_copy(update={"requested_by": actor(ADA)})
    await budget.execute(hold)
    assert only(FundsUndecided, await budget.execute(a_decision(hold, by=by))).reason == reason
    assert await levels(budget, budget_id) == {"reserved": 1300}


async def test_the_first_answer_closes_an_approval(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    decisions = [a_decision(hold, by=ADA), a_decision(hold, by=BOB, yes=False)]
    answers = await asyncio.gather(*(budget.execute(one) for one in decisions))
    kinds = [type(one) for emitted in answers for one in emitted]
    assert kinds.count(FundsUndecided) == 1
    assert kinds.count(FundsReserved) + kinds.count(FundsRefused) == 1
    await check_invariants(budget)


async def test_money_given_back_while_it_waits_can_no_longer_be_approved(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    assert only(FundsReleased, await budget.execute(a_release(hold))).amount_minor == 1300
    late = only(FundsUndecided, await budget.execute(a_decision(hold)))
    assert "given back already" in late.reason
    assert await levels(budget, budget_id) == {}


async def test_a_cost_waits_for_the_approval_of_its_money(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,), needs_approval=True)
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=90))
    assert not any(isinstance(one, FundsCommitted) for one in await compute(budget))
    await budget.execute(a_decision(hold))
    assert only(FundsCommitted, await compute(budget)).spent_minor == 1170
    assert await levels(budget, budget_id) == {"spent": 1170}


async def test_a_budget_that_warns_is_overrun_and_says_by_how_much(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,), allocated_minor=1000, overrun="warn")
    hold = only(FundsReserved, await budget.execute(a_hold(budget_id, emails=100)))
    assert (hold.over_minor, hold.left_minor) == (300, -300)
    more = only(FundsReserved, await budget.execute(a_hold(budget_id, emails=100)))
    assert more.over_minor == 1300
    await check_invariants(budget)


async def test_cost_types_and_surcharges_chosen_for_a_campaign_count_in_its_next_hold(
    budget: Runtime,
) -> None:
    mail = CostCategory(label="mail", process=CostProcess.EMAIL, must_choose=True)
    budget_id = await saved(budget, structures=(MAILING, ROOM), categories=(mail,))
    hold = a_hold(budget_id, emails=100)
    refused = only(FundsRefused, await budget.execute(hold))
    assert refused.reason == "choose a cost type of “mail” for this campaign"
    choice = CostChoice(structure_id=MAILING.structure_id, surcharge_minor=50)
    command = ChooseCosts(
        campaign_id=hold.campaign_id, budget_id=budget_id, choices=(choice,), actor=actor(EVE)
    )
    only(CostsChosen, await budget.execute(command))
    again = hold.model_copy(update={"hold_id": uuid4()})
    assert only(FundsReserved, await budget.execute(again)).amount_minor == 30_000 + 1350
    unknown = command.model_copy(update={"choices": (CostChoice(structure_id=uuid4()),)})
    assert only(CostsRefused, await budget.execute(unknown)).field == "choices.0.structure_id"
    await budget.execute(a_commit(again, emails=100))
    committed = only(FundsCommitted, await compute(budget))
    assert [(one.label, one.surcharge_minor) for one in committed.lines] == [
        ("E-mails", 50),
        ("Room", 0),
    ]


def an_expense(kind: ExpenseKind, object_id: UUID, budget_id: UUID, **fields: object) -> Message:
    base: dict[str, object] = {
        "kind": kind,
        "object_id": object_id,
        "budget_id": budget_id,
        "status": EntryStatus.SPECIFIED,
        "actor": system_actor("budget"),
    }
    return SaveExpense.model_validate(base | fields)


def cost(amount: int, **by_category: int) -> TypedCost:
    return TypedCost(amount_minor=amount, by_category=by_category)


async def test_a_campaigns_provisional_cost_is_planned_until_its_parts_use_it_up(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    edited = an_expense(
        ExpenseKind.CAMPAIGN,
        hold.campaign_id,
        budget_id,
        provisional=cost(5000, mail=3000, rooms=2000),
        status=EntryStatus.EDITING,
    )
    await budget.execute(edited)
    assert await levels(budget, budget_id) == {}
    specified = edited.model_copy(update={"status": EntryStatus.SPECIFIED})
    assert only(ExpenseSaved, await budget.execute(specified)).calculated_minor == 5000
    assert await levels(budget, budget_id) == {"planned": 5000}
    await budget.execute(hold)
    assert await levels(budget, budget_id) == {"planned": 3700, "reserved": 1300}
    await budget.execute(a_release(hold))
    assert await levels(budget, budget_id) == {"planned": 5000}
    await check_invariants(budget)


async def test_a_real_cost_replaces_the_calculated_one_once_the_campaign_is_finished(
    budget: Runtime,
) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(hold)
    await budget.execute(a_commit(hold, emails=90))
    await compute(budget)
    real = an_expense(ExpenseKind.DELIVERY, hold.campaign_id, budget_id, real=cost(1234))
    assert only(ExpenseRefused, await budget.execute(real)).field == "real"
    await budget.execute(a_state(hold.campaign_id, CampaignStatus.FINISHED))
    assert only(ExpenseSaved, await budget.execute(real)).calculated_minor == 1234
    assert await levels(budget, budget_id) == {"spent": 1234}
    await check_invariants(budget)


async def test_parts_that_do_not_sum_are_refused_by_their_field(budget: Runtime) -> None:
    budget_id = await saved(budget)
    wrong = an_expense(ExpenseKind.PLAN, uuid4(), budget_id, provisional=cost(10, a=4, b=5))
    refused = only(ExpenseRefused, await budget.execute(wrong))
    assert refused.field == "provisional.by_category"


async def test_a_budget_belongs_to_a_known_one_and_never_to_itself(budget: Runtime) -> None:
    main = await saved(budget)
    below = await saved(budget, main_budget_id=main)
    for command in (
        a_save(main_budget_id=uuid4()),
        a_save(budget_id=main, main_budget_id=main),
        a_save(budget_id=main, main_budget_id=below),
    ):
        refused = only(BudgetRefused, await budget.execute(command))
        assert refused.field == "main_budget_id"


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_and_repeated_commands_of_all_kinds_keep_the_ledger_true(
    budget: Runtime, seed: int
) -> None:
    draw = random.Random(seed)
    budget_id = await saved(
        budget,
        structures=(MAILING,),
        allocated_minor=10_000,
        needs_approval=draw.random() < 0.5,
        overrun=draw.choice(["refuse", "warn"]),
    )
    campaigns = [uuid4() for _ in range(3)]
    commands: list[Message] = []
    for campaign_id in campaigns:
        states = (CampaignStatus.RUNNING, CampaignStatus.FINISHED)
        commands += [a_state(campaign_id, one, n) for n, one in enumerate(states, 1)]
        commands += [
            an_expense(kind, campaign_id, budget_id, provisional=cost(draw.randint(0, 5000)))
            for kind in (ExpenseKind.CAMPAIGN, ExpenseKind.DELIVERY)
        ]
        for _ in range(2):
            hold = a_hold(budget_id, campaign_id=campaign_id, emails=draw.randint(0, 300))
            commands += [hold, hold, an_estimate(hold, emails=draw.randint(0, 300))]
            commands += [a_decision(hold, yes=draw.random() < 0.7)] * draw.randint(0, 2)
            commands += [a_release(hold)] * draw.randint(0, 1)
            commands += [a_commit(hold, emails=draw.randint(0, 300))] * draw.randint(0, 2)
    draw.shuffle(commands)
    for batch in (commands[::2], commands[1::2], commands):
        named = [(one, str(commands.index(one))) for one in batch]
        await asyncio.gather(*(patiently(budget, one, name) for one, name in named))
        await compute(budget)
        await check_invariants(budget)
    before = await levels(budget, budget_id)
    entries = await budget.pool.fetchval("SELECT count(*) FROM ledger_entries")
    for command in commands:
        await as_message(budget, command, str(commands.index(command)))
    assert await compute(budget) == []
    assert await levels(budget, budget_id) == before
    assert await budget.pool.fetchval("SELECT count(*) FROM ledger_entries") == entries


async def test_the_state_of_a_budget_has_all_its_levels(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    state = only(BudgetState, await budget.execute(an_estimate(hold, emails=100)))
    assert (state.planned_minor, state.left_minor) == (1300, 100_000)


async def test_an_estimate_that_comes_after_the_end_plans_nothing(budget: Runtime) -> None:
    budget_id = await saved(budget, structures=(MAILING,))
    hold = a_hold(budget_id, emails=100)
    await budget.execute(a_state(hold.campaign_id, CampaignStatus.FINISHED))
    late = only(CostEstimated, await budget.execute(an_estimate(hold, emails=100)))
    assert late.amount_minor == 1300
    assert await levels(budget, budget_id) == {}
