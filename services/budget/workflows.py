"""budgetMgt: computes what campaigns really cost, books it, and rolls costs up to plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.budget.books import WORKFLOW, Books
from services.budget.domain.costs import PricedLine, Tariff, cost_lines, total
from services.budget.domain.expenses import Stage
from services.budget.domain.holds import Decision, spend
from services.budget.domain.ledger import EntryKind
from services.budget.rolling_up import roll_up_next
from services.budget.stocking import give_goods_back
from services.budget.store.holds import CommitRequest, HoldRow, HoldStore
from services.budget.working import START_TIMER, start_due_tasks
from shared import faults
from shared.answers import AnswerStore
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow
from topics.budget import CommitFunds, FundsCommitted

# ISO 4217: "no currency", for a hold whose budget never existed.
_NO_CURRENCY: Final = "XXX"


async def calculate_costs(work: Work) -> Step:
    """Start tasks that are due, book the oldest cost, or roll up one thing: one a transaction."""
    started = await start_due_tasks(work)
    if started:
        return Step(rows_in=started, rows_out=started, more=True)
    request = await HoldStore(work.connection).next_commit()
    if request is not None:
        return await _spend(request, work)
    return Step(rows_in=1, rows_out=1, more=True) if await roll_up_next(work) else Step()


async def _spend(request: CommitRequest, work: Work) -> Step:
    holds = HoldStore(work.connection)
    row = await holds.lock(request.hold_id)
    books = await Books.open(work, request.budget_id, str(request.hold_id))
    currency = books.budget.currency if books else _NO_CURRENCY
    charged = await holds.charged(request.campaign_id, request.budget_id)
    tariff = row.tariff if books else Tariff(())
    lines = cost_lines(tariff, request.volumes, currency, charged=charged)
    decision = spend(row.hold, total(lines))
    await holds.save_lines(request, lines)
    await holds.decide(request.hold_id, decision.hold)
    await holds.close_commit(request.hold_id, decision.over_hold_minor, work.now)
    if books is not None:
        await _book(books, row, decision, total(lines))
        faults.reach("budget.spent")
    await give_goods_back(row, "its campaign ended", work)
    await _answer(request, lines, decision.released_minor, currency, work)
    return Step(rows_in=1, rows_out=len(lines), more=True)


async def _book(books: Books, row: HoldRow, decision: Decision, cost_minor: int) -> None:
    books.add(decision.entries)
    expense = await books.delivery(row.campaign_id)
    finished = replace(
        expense,
        stage=Stage.FINISHED,
        held_minor=expense.held_minor - row.hold.amount_minor,
        computed_minor=(expense.computed_minor or 0) + cost_minor,
    )
    await books.change(finished, EntryKind.SPEND)
    await books.close(calculated=True)


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
        timers=(START_TIMER,),
    ),
)
