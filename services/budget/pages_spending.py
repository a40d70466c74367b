"""What the API shows of spending: holds that wait for a person, expenses, roll-ups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from services.budget.domain.expenses import Stage
from services.budget.domain.rates import converted, rate_on
from services.budget.store.expenses import COLUMNS, expense_of
from services.budget.store.invoices import InvoiceStore
from services.budget.store.recalculations import Rolled
from services.budget.store.rollups import RollupRow, RollupStore
from shared.database import Connection
from shared.errors import Refused
from topics.expenses import CommitmentLevel, EntryStatus, ExpenseKind, TypedCost

_PENDING: Final = """
SELECT h.hold_id, h.campaign_id, h.campaign_number, h.campaign_label, h.budget_id,
       b.label AS budget_label, b.currency, h.amount_minor, h.over_minor,
       b.allocated_minor - b.reserved_minor - b.committed_minor - b.spent_minor
           - b.invoiced_minor AS left_minor, h.asked_at
FROM holds h JOIN budgets b USING (budget_id)
WHERE h.status = 'pending' ORDER BY h.asked_at, h.hold_id LIMIT $1
"""


class PendingHold(BaseModel):
    """Money that is held and waits for a person's approval; amounts in minor units."""

    hold_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    budget_id: UUID
    budget_label: str
    currency: str
    amount_minor: int
    over_minor: int
    left_minor: int
    asked_at: datetime


class ExpenseView(BaseModel):
    """What something costs on a budget, and where that stands; amounts in minor units."""

    kind: ExpenseKind
    object_id: UUID
    label: str
    campaign_id: UUID | None
    program_id: UUID | None
    plan_id: UUID | None
    status: EntryStatus
    level: CommitmentLevel
    stage: Stage
    provisional: TypedCost | None
    calculated_minor: int | None
    real: TypedCost | None
    held_minor: int
    planned_minor: int
    reserved_minor: int
    committed_minor: int
    spent_minor: int
    invoiced_minor: int
    changed_at: datetime


class ExpensePage(BaseModel):
    """Expenses of a budget, and the key of the next page when there may be one."""

    items: tuple[ExpenseView, ...]
    next: str | None


class RollupView(BaseModel):
    """What a campaign, program or plan costs in one currency, and as of when; minor units."""

    kind: ExpenseKind
    object_id: UUID
    currency: str
    provisional_minor: int | None
    calculated_minor: int | None
    real_minor: int | None
    planned_minor: int
    reserved_minor: int
    committed_minor: int
    spent_minor: int
    invoiced_minor: int
    calculated_at: datetime


class RollupDetail(BaseModel):
    """The roll-ups of one thing by currency, and those of its parts: its breakdown."""

    items: tuple[RollupView, ...]
    parts: tuple[RollupView, ...]


async def pending_holds(connection: Connection, limit: int) -> tuple[PendingHold, ...]:
    """Return the holds that wait for an approval, the oldest first."""
    return tuple(PendingHold(**dict(row)) for row in await connection.fetch(_PENDING, limit))


async def expense_page(
    connection: Connection, budget_id: UUID, after: str, limit: int
) -> ExpensePage:
    """Return a budget's expenses after a key."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS}, changed_at, kind || ':' || object_id AS key FROM expenses"
        " WHERE budget_id = $1 AND kind || ':' || object_id > $2"
        " ORDER BY kind || ':' || object_id LIMIT $3",
        budget_id,
        after,
        limit,
    )
    items = []
    for row in rows:
        expense = expense_of(row)
        items.append(
            ExpenseView(
                kind=expense.kind,
                object_id=expense.object_id,
                label=expense.label,
                campaign_id=expense.campaign_id,
                program_id=expense.program_id,
                plan_id=expense.plan_id,
                status=expense.status,
                level=expense.level,
                stage=expense.stage,
                provisional=expense.provisional,
                calculated_minor=expense.calculated_minor,
                real=expense.real,
                held_minor=expense.held_minor,
                planned_minor=expense.booked.planned_minor,
                reserved_minor=expense.booked.reserved_minor,
                committed_minor=expense.booked.committed_minor,
                spent_minor=expense.booked.spent_minor,
                invoiced_minor=expense.booked.invoiced_minor,
                changed_at=row["changed_at"],
            )
        )
    return ExpensePage(items=tuple(items), next=rows[-1]["key"] if len(rows) == limit else None)


async def rollup_detail(connection: Connection, rolled: Rolled) -> RollupDetail:
    """Return what something costs, and what its parts do."""
    store = RollupStore(connection)
    parts: Sequence[RollupRow] = ()
    if rolled.kind is not ExpenseKind.CAMPAIGN:
        parts = await store.below(rolled)
    return RollupDetail(
        items=tuple(RollupView(**row.told()) for row in await store.of(rolled)),
        parts=tuple(RollupView(**row.told()) for row in parts),
    )


_AMOUNTS: Final = (
    *("provisional_minor", "calculated_minor", "real_minor", "planned_minor", "reserved_minor"),
    *("committed_minor", "spent_minor", "invoiced_minor"),
)


async def in_one_currency(
    connection: Connection, detail: RollupDetail, currency: str, on: date
) -> RollupDetail:
    """Return roll-ups added up in one currency, at the rates of a day; each sum is converted once.

    Raises:
        Refused: a rate is not known.
    """
    rates = {}
    for base in {one.currency for one in (*detail.items, *detail.parts)}:
        known = await InvoiceStore(connection).rates(base, currency)
        rate = rate_on(known, base, currency, on)
        if rate is None:
            raise Refused(f"no rate from {base} to {currency} is known on {on}", field="currency")
        rates[base] = rate

    def one_currency(views: Sequence[RollupView]) -> tuple[RollupView, ...]:
        merged: dict[UUID, RollupView] = {}
        for view in views:
            amounts = {
                name: None
                if (amount := getattr(view, name)) is None
                else converted(amount, view.currency, currency, rates[view.currency])
                for name in _AMOUNTS
            }
            there = view.model_copy(update={"currency": currency} | amounts)
            before = merged.get(view.object_id)
            merged[view.object_id] = _plus(before, there) if before else there
        return tuple(merged.values())

    return RollupDetail(items=one_currency(detail.items), parts=one_currency(detail.parts))


def _plus(one: RollupView, other: RollupView) -> RollupView:
    sums: dict[str, int | None] = {}
    for name in _AMOUNTS:
        known = [a for a in (getattr(one, name), getattr(other, name)) if a is not None]
        sums[name] = sum(known) if known else None
    oldest = min(one.calculated_at, other.calculated_at)
    return one.model_copy(update=sums | {"calculated_at": oldest})
