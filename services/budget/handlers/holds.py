"""What campaigns ask of a budget; every hold is decided and answered once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.budget.domain.costs import MAX_VOLUME, cost_lines, plausible, total
from services.budget.domain.holds import Decision, Hold, HoldStatus, refuse, release, reserve
from services.budget.domain.money import in_words
from services.budget.store.budgets import Budget, BudgetStore
from services.budget.store.holds import HoldStore
from shared.answers import AnswerStore
from shared.errors import Permanent
from shared.registry import Registry
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
)
from topics.message import system_actor

WORKFLOW: Final = "budgetMgt"
UNKNOWN: Final = "this budget is not known; choose one that was saved"
IMPLAUSIBLE: Final = (
    f"a volume is over {MAX_VOLUME:,}, which no audience is; count the target again"
)
registry = Registry()


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
