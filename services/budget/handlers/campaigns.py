"""What campaigns' states mean to a budget: a run commits its money, an end closes its plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

from services.budget.books import WORKFLOW, Books
from services.budget.domain.expenses import Stage
from services.budget.domain.holds import run
from services.budget.domain.ledger import EntryKind
from services.budget.store.causes import cause_of
from services.budget.store.expenses import ExpenseStore
from services.budget.store.holds import HoldStore
from services.budget.store.recalculations import CampaignStore, RecalculationStore, Rolled
from shared.registry import Registry
from shared.uow import Work
from shared.workflows import wake
from topics.campaign import CampaignState, CampaignStatus
from topics.expenses import ExpenseKind
from topics.plans import ProgramState

STAGES: Final = {
    CampaignStatus.FINISHED: Stage.FINISHED,
    CampaignStatus.CANCELLED: Stage.CANCELLED,
}
registry = Registry()


@registry.on(CampaignState)
async def campaign_seen(state: CampaignState, work: Work) -> None:
    """Keep a campaign's state; commit what it holds when it runs, end its plans with it.

    A run begins after its hold was answered, so its status comes after the hold.
    """
    change = await CampaignStore(work.connection).see(state)
    if change.program:
        await _roll_up(Rolled(ExpenseKind.CAMPAIGN, state.campaign_id), work)
    if not change.status:
        return
    if state.status is CampaignStatus.RUNNING:
        for hold_id in await HoldStore(work.connection).lock_held(state.campaign_id):
            await _commit(hold_id, work)
    elif state.status in STAGES:
        for budget_id in await ExpenseStore(work.connection).budgets_of(state.campaign_id):
            await _end(state, budget_id, work)


@registry.on(ProgramState)
async def program_seen(state: ProgramState, work: Work) -> None:
    """Keep which plan a program belongs to; its costs go there with it."""
    if await CampaignStore(work.connection).see_program(state):
        await _roll_up(Rolled(ExpenseKind.PROGRAM, state.program_id), work)


async def _roll_up(rolled: Rolled, work: Work) -> None:
    await RecalculationStore(work.connection).ask(rolled, work.now)
    await wake(work, WORKFLOW)


async def _commit(hold_id: UUID, work: Work) -> None:
    holds = HoldStore(work.connection)
    row = await holds.lock(hold_id)
    decision = run(row.hold)
    books = await Books.open(work, row.budget_id, str(hold_id)) if row.budget_id else None
    if books is not None:
        await holds.decide(hold_id, decision.hold)
        books.add(decision.entries)
        books.touch(await books.delivery(row.campaign_id))
        await books.close()


async def _end(state: CampaignState, budget_id: UUID, work: Work) -> None:
    """Take back what an ended campaign planned on a budget; what it holds is its holds' matter."""
    books = await Books.open(work, budget_id, cause_of(work))
    if books is None:
        return
    books.touch(await books.delivery(state.campaign_id))
    delivery = await books.expense(ExpenseKind.DELIVERY, state.campaign_id)
    if delivery is not None:
        closed = replace(delivery, estimated_minor=None)
        if closed.computed_minor is None and not closed.held_minor:
            closed = replace(closed, stage=STAGES[state.status])
        await books.change(closed, EntryKind.RELEASE)
    own = await books.expense(ExpenseKind.CAMPAIGN, state.campaign_id)
    if own is not None:
        await books.change(replace(own, stage=STAGES[state.status]), EntryKind.RELEASE)
    await books.close()
