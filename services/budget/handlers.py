"""What the budget service does with each command; every hold is decided and answered once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.budget.domain import (
    MAX_ALLOCATION_MINOR,
    MAX_VOLUME,
    Decision,
    Hold,
    HoldStatus,
    allocation,
    cost_lines,
    lowers_too_far,
    plausible,
    problem_in,
    refuse,
    release,
    reserve,
    total,
)
from services.budget.holds import HoldStore
from services.budget.money import in_words
from services.budget.store import Budget, BudgetStore
from shared.answers import AnswerStore
from shared.errors import Permanent, Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.budget import (
    BudgetRefused,
    CommitFunds,
    CostEstimated,
    CostStructure,
    EstimateCost,
    FundsRefused,
    FundsReleased,
    FundsReserved,
    ReleaseFunds,
    ReserveFunds,
    SaveBudget,
)
from topics.message import system_actor

WORKFLOW: Final = "budgetMgt"
UNKNOWN: Final = "this budget is not known; choose one that was saved"
IMPLAUSIBLE: Final = (
    f"a volume is over {MAX_VOLUME:,}, which no audience is; count the target again"
)
registry = Registry()


def _refuse_save(command: SaveBudget, refusal: Refused) -> BudgetRefused:
    return BudgetRefused(
        budget_id=command.budget_id,
        actor=command.actor,
        reason=refusal.reason,
        field=refusal.field,
    )


@registry.on(SaveBudget, refusal=_refuse_save)
async def save_budget(command: SaveBudget, work: Work) -> None:
    """Save a budget and book the change of its allocation; an old message again changes nothing."""
    store = BudgetStore(work.connection)
    budget = await store.lock(command.budget_id)
    if work.cause is not None and not await store.first_time(_cause(work), work.now):
        if budget is not None:
            work.emit(budget.state)
        return
    await require(work, command.actor, Right.MANAGE_BUDGETS)
    _check_typed(command)
    if budget is not None:
        await _check_change(store, budget, command)
    await _save(store, command, work)


async def _save(store: BudgetStore, command: SaveBudget, work: Work) -> None:
    await store.create(command)
    budget = await store.save(command)
    entries = allocation(budget.balance, command.allocated_minor)
    work.emit((await store.book(budget, _cause(work), entries, work.now)).state)


def _cause(work: Work) -> str:
    """Return what tells this save from others: the message's identity, or an id of its own."""
    return f"{work.cause.source} {work.cause.id}" if work.cause else str(new_id())


def _check_typed(command: SaveBudget) -> None:
    problem = problem_in(command.structures)
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    if command.starts_on and command.ends_on and command.ends_on < command.starts_on:
        reason = f"the budget ends on {command.ends_on}, before it starts on {command.starts_on}"
        raise Refused(reason, field="ends_on")
    if command.allocated_minor > MAX_ALLOCATION_MINOR:
        most = in_words(MAX_ALLOCATION_MINOR, command.currency)
        raise Refused(f"a budget can hold {most} at most", field="allocated_minor")


async def _check_change(store: BudgetStore, budget: Budget, command: SaveBudget) -> None:
    if command.currency != budget.currency and await store.has_movements(budget.budget_id):
        reason = f"the currency stays {budget.currency}: amounts were held or spent in it"
        raise Refused(reason, field="currency")
    if lowers_too_far(budget.balance, command.allocated_minor):
        reason = (
            f"{in_words(budget.balance.reserved_minor, budget.currency)} are held and"
            f" {in_words(budget.balance.spent_minor, budget.currency)} are spent: allocate at least"
            " their sum"
        )
        raise Refused(reason, field="allocated_minor")


@registry.on(EstimateCost)
async def estimate_cost(command: EstimateCost, work: Work) -> None:
    """Say what volumes would cost now; nothing is written."""
    store = BudgetStore(work.connection)
    budget = await store.find(command.budget_id)
    if budget is None or not plausible(command.volumes):
        work.emit(
            BudgetRefused(
                budget_id=command.budget_id,
                actor=system_actor("campaign"),
                reason=UNKNOWN if budget is None else IMPLAUSIBLE,
                field="budget_id" if budget is None else "volumes",
            )
        )
        return
    charged = await HoldStore(work.connection).charged(command.campaign_id, budget.budget_id)
    structures = await store.structures(budget.budget_id)
    lines = cost_lines(structures, command.volumes, budget.currency, charged=charged)
    work.emit(
        CostEstimated(
            campaign_id=command.campaign_id,
            budget_id=budget.budget_id,
            amount_minor=total(lines),
            left_minor=budget.balance.left_minor,
            currency=budget.currency,
        )
    )


@registry.on(ReserveFunds)
async def reserve_funds(command: ReserveFunds, work: Work) -> None:
    """Hold what the volumes may cost, or refuse with both amounts."""
    holds = HoldStore(work.connection)
    row = await holds.claim(command.hold_id, command.campaign_id, work.now)
    answers = AnswerStore(work.connection)
    answer = await answers.find(command.hold_id, ReserveFunds)
    if answer is None:
        answer = await _decide_hold(command, row.hold, work)
        await answers.keep(command.hold_id, ReserveFunds, answer)
    work.emit(answer)
    if await holds.commit_waits(command.hold_id):
        await wake(work, WORKFLOW)


async def _decide_hold(
    command: ReserveFunds, hold: Hold, work: Work
) -> FundsReserved | FundsRefused:
    store, holds = BudgetStore(work.connection), HoldStore(work.connection)
    budget = await store.lock(command.budget_id)
    structures = await store.structures(command.budget_id)
    await holds.describe(command, structures)
    if budget is None:
        reason = UNKNOWN
    elif hold.status is not HoldStatus.ASKED:
        reason = "this hold was given back before it was made; ask for a new one"
    elif not plausible(command.volumes):
        reason = IMPLAUSIBLE
    else:
        return await _hold(command, budget, structures, work)
    await holds.decide(command.hold_id, refuse(hold))
    return _refusal(command, budget, reason=reason)


async def _hold(
    command: ReserveFunds, budget: Budget, structures: Sequence[CostStructure], work: Work
) -> FundsReserved | FundsRefused:
    store, holds = BudgetStore(work.connection), HoldStore(work.connection)
    charged = await holds.charged(command.campaign_id, budget.budget_id)
    asked = total(cost_lines(structures, command.volumes, budget.currency, charged=charged))
    decision = reserve(budget.balance, Hold(), asked)
    await holds.decide(command.hold_id, decision.hold)
    if decision.hold.status is HoldStatus.REFUSED:
        return _refusal(command, budget, asked_minor=asked, reason=_over_limit(budget, asked))
    booked = await store.book(budget, str(command.hold_id), decision.entries, work.now)
    work.emit(booked.state)
    return FundsReserved(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        budget_id=budget.budget_id,
        amount_minor=asked,
        left_minor=booked.balance.left_minor,
        currency=budget.currency,
    )


def _over_limit(budget: Budget, asked: int) -> str:
    left = in_words(budget.balance.left_minor, budget.currency)
    return (
        f"the campaign may cost {in_words(asked, budget.currency)}, but the budget"
        f" “{budget.label}” has {left} left; raise the budget or narrow the target"
    )


def _refusal(
    command: ReserveFunds, budget: Budget | None, *, asked_minor: int = 0, reason: str
) -> FundsRefused:
    return FundsRefused(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        budget_id=command.budget_id,
        asked_minor=asked_minor,
        left_minor=budget.balance.left_minor if budget else 0,
        reason=reason,
    )


@registry.on(ReleaseFunds)
async def release_funds(command: ReleaseFunds, work: Work) -> None:
    """Give a hold back whole; one that was spent or given back has nothing left to give."""
    holds, answers = HoldStore(work.connection), AnswerStore(work.connection)
    row = await holds.claim(command.hold_id, command.campaign_id, work.now)
    answer = await answers.find(command.hold_id, ReleaseFunds)
    if answer is not None:
        work.emit(answer)
        return
    # A cost that waits for budgetMgt keeps its money: others must not be promised it meanwhile.
    waits = await holds.commit_waits(command.hold_id)
    decision = Decision(row.hold) if waits else release(row.hold)
    await holds.decide(command.hold_id, decision.hold)
    budget = await BudgetStore(work.connection).lock(row.budget_id) if row.budget_id else None
    if budget is not None and decision.entries:
        cause = str(command.hold_id)
        store = BudgetStore(work.connection)
        work.emit((await store.book(budget, cause, decision.entries, work.now)).state)
    released = FundsReleased(
        campaign_id=command.campaign_id,
        hold_id=command.hold_id,
        amount_minor=decision.released_minor,
    )
    await answers.keep(command.hold_id, ReleaseFunds, released)
    work.emit(released)


@registry.on(CommitFunds)
async def commit_funds(command: CommitFunds, work: Work) -> None:
    """Keep the request for budgetMgt; asked again once it is booked, answer the same again."""
    if not plausible(command.volumes):
        raise Permanent(IMPLAUSIBLE)
    answer = await AnswerStore(work.connection).find(command.hold_id, CommitFunds)
    if answer is not None:
        work.emit(answer)
        return
    if await HoldStore(work.connection).request_commit(command, work.now):
        await wake(work, WORKFLOW)
