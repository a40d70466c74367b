"""Rolling up what campaigns, programs and plans cost, each after what it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.budget.domain import rollups
from services.budget.domain.expenses import Expense
from services.budget.domain.ledger import Levels
from services.budget.domain.rollups import Rollup
from services.budget.store.recalculations import CampaignStore, RecalculationStore, Rolled
from services.budget.store.rollups import Charged, RollupRow, RollupStore
from shared.uow import Work
from topics.expenses import CostsCalculated, ExpenseKind


async def roll_up_next(work: Work) -> bool:
    """Roll up the next thing that is asked for; false when there is none."""
    rolled = await RecalculationStore(work.connection).take()
    if rolled is None:
        return False
    before = await RollupStore(work.connection).of(rolled)
    if rolled.kind is ExpenseKind.CAMPAIGN:
        after = await _campaign(rolled, work)
    else:
        after = await _above(rolled, work)
    for row in after:
        await RollupStore(work.connection).save(row)
        work.emit(CostsCalculated(**row.told()))
    await _ask_for_parents(rolled, [*before, *after], work)
    return True


async def _campaign(rolled: Rolled, work: Work) -> list[RollupRow]:
    store = RollupStore(work.connection)
    charged = await store.campaign_expenses(rolled.object_id)
    held = await store.held(rolled.object_id)
    campaigns = CampaignStore(work.connection)
    finished = await campaigns.is_finished(rolled.object_id)
    # What a campaign's state says of its place beats what its expenses were saved with.
    program_id, plan_id = _place(charged)
    program_id = await campaigns.program_of(rolled.object_id) or program_id
    plan_id = await campaigns.plan_of(program_id) or plan_id
    return [
        RollupRow(
            rolled.kind,
            rolled.object_id,
            currency,
            program_id,
            plan_id,
            rollups.campaign(
                _in(charged, currency), held.get(currency, Levels()), finished=finished
            ),
            work.now,
        )
        for currency in sorted({one.currency for one in charged})
    ]


async def _above(rolled: Rolled, work: Work) -> list[RollupRow]:
    store = RollupStore(work.connection)
    own = await store.own_expenses(rolled)
    tasks = await store.task_expenses(rolled)
    below = await store.below(rolled)
    is_program = rolled.kind is ExpenseKind.PROGRAM
    known_plan = await CampaignStore(work.connection).plan_of(rolled.object_id)
    plans = (known_plan, _place(own)[1], *(row.plan_id for row in below), _place(tasks)[1])
    plan_id = next((one for one in plans if one is not None), None) if is_program else None
    # A roll-up whose parts went elsewhere stays, and says nothing.
    known = {row.currency for row in await store.of(rolled)}
    currencies = known | {one.currency for one in (*own, *tasks)}
    currencies |= {one.currency for one in below}
    return [
        RollupRow(
            rolled.kind,
            rolled.object_id,
            currency,
            None,
            plan_id,
            rollups.above(
                _in(own, currency),
                _in(tasks, currency),
                _rollups_in(below, currency),
            ),
            work.now,
        )
        for currency in sorted(currencies)
    ]


def _in(charged: Iterable[Charged], currency: str) -> list[Expense]:
    return [one.expense for one in charged if one.currency == currency]


def _rollups_in(rows: Iterable[RollupRow], currency: str) -> list[Rollup]:
    return [row.rollup for row in rows if row.currency == currency]


def _place(charged: Sequence[Charged]) -> tuple[UUID | None, UUID | None]:
    """Return the program and plan that expenses name, the latest that names one first."""
    programs = (one.expense.program_id for one in charged)
    plans = (one.expense.plan_id for one in charged)
    return (
        next((one for one in programs if one is not None), None),
        next((one for one in plans if one is not None), None),
    )


async def _ask_for_parents(rolled: Rolled, rows: Sequence[RollupRow], work: Work) -> None:
    """Have what something belongs to, or belonged to, rolled up after it."""
    parents: set[Rolled] = set()
    for row in rows:
        if row.program_id is not None and rolled.kind is ExpenseKind.CAMPAIGN:
            parents.add(Rolled(ExpenseKind.PROGRAM, row.program_id))
        elif row.plan_id is not None:
            parents.add(Rolled(ExpenseKind.PLAN, row.plan_id))
    queue = RecalculationStore(work.connection)
    for parent in sorted(parents, key=lambda one: (one.kind, one.object_id)):
        await queue.ask(parent, work.now)
