"""budgetMgt: computes what finished campaigns really cost, and books it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.budget.domain.costs import PricedLine, cost_lines, total
from services.budget.domain.holds import Decision, commit
from services.budget.handlers.holds import WORKFLOW
from services.budget.store.budgets import Budget, BudgetStore
from services.budget.store.holds import CommitRequest, HoldStore
from shared.answers import AnswerStore
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.budget import CommitFunds, FundsCommitted

# ISO 4217: "no currency", for a hold whose budget never existed.
_NO_CURRENCY: Final = "XXX"


async def calculate_costs(work: Work) -> Step:
    """Compute and book the oldest request; one a transaction, so that no two budgets are locked."""
    holds = HoldStore(work.connection)
    request = await holds.next_commit()
    if request is None:
        return Step()
    row = await holds.lock(request.hold_id)
    budget = await BudgetStore(work.connection).lock(request.budget_id)
    currency = budget.currency if budget else _NO_CURRENCY
    charged = await holds.charged(request.campaign_id, request.budget_id)
    structures = row.structures if budget else ()
    lines = cost_lines(structures, request.volumes, currency, charged=charged)
    decision = commit(row.hold, total(lines))
    await holds.save_lines(request, lines)
    await holds.decide(request.hold_id, decision.hold)
    await holds.close_commit(request.hold_id, decision.over_hold_minor, work.now)
    if budget is not None:
        await _book(request, budget, decision, work)
    await _answer(request, lines, decision.released_minor, currency, work)
    return Step(rows_in=1, rows_out=len(lines), more=True)


async def _book(request: CommitRequest, budget: Budget, decision: Decision, work: Work) -> None:
    store = BudgetStore(work.connection)
    booked = await store.book(budget, str(request.hold_id), decision.entries, work.now)
    work.emit((await store.calculated(booked, work.now)).state)


async def _answer(
    request: CommitRequest,
    lines: Sequence[PricedLine],
    released_minor: int,
    currency: str,
    work: Work,
) -> None:
    answer = FundsCommitted(
        campaign_id=request.campaign_id,
        hold_id=request.hold_id,
        budget_id=request.budget_id,
        spent_minor=total(lines),
        released_minor=released_minor,
        currency=currency,
        lines=tuple(line.line for line in lines),
    )
    await AnswerStore(work.connection).keep(request.hold_id, CommitFunds, answer)
    work.emit(answer)


WORKFLOWS: Final = (
    TechnicalWorkflow(
        name=WORKFLOW,
        label="Cost calculation",
        label_fr="Calcul des coûts",
        package="Campaign",
        run=calculate_costs,
    ),
)
