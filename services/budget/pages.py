"""What the API shows: budgets, ledgers and campaigns' costs, read by key."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, computed_field

from services.budget.domain.costs import Tariff
from services.budget.domain.goods import GoodsStatus
from services.budget.domain.holds import HoldStatus
from services.budget.domain.ledger import Account, EntryKind
from services.budget.domain.money import in_words
from services.budget.store.budgets import Budget
from shared import movements
from shared.database import Connection
from topics.budget import CostCategory, CostLine, CostStructure, Overrun

_LIST: Final = """
SELECT budget_id, label, currency, allocated_minor, planned_minor, reserved_minor, committed_minor,
       spent_minor, invoiced_minor, allocated_minor - reserved_minor - committed_minor - spent_minor
           - invoiced_minor AS left_minor,
       overrun, needs_approval, main_budget_id, calculated_at
FROM budgets WHERE ($1::uuid IS NULL OR main_budget_id = $1)
  AND ($2::uuid IS NULL OR budget_id > $2)
ORDER BY budget_id LIMIT $3
"""
# What was left after an entry is the sum up to it: counted from the rows, kept nowhere.
_LEDGER: Final = """
SELECT seq, cause, kind, account, amount_minor, left_minor, booked_at FROM (
    SELECT seq, cause, kind, account, amount_minor, booked_at, sum(
        CASE account WHEN 'allocated' THEN amount_minor WHEN 'planned' THEN 0
                     ELSE -amount_minor END
    ) OVER (ORDER BY seq)::bigint AS left_minor
    FROM ledger_entries WHERE budget_id = $1) entry
WHERE seq > $2 ORDER BY seq LIMIT $3
"""
_CATEGORIES: Final = """
SELECT label, coalesce(envelope_minor, 0) AS envelope_minor,
       coalesce(spent, 0)::bigint AS spent_minor
FROM (SELECT label, envelope_minor FROM cost_categories WHERE budget_id = $1) c FULL JOIN (
    SELECT category AS label, sum(amount_minor) AS spent FROM (
        SELECT category, amount_minor FROM cost_lines WHERE budget_id = $1
        UNION ALL SELECT l.category, l.amount_minor FROM task_lines l JOIN tasks USING (task_id)
        WHERE budget_id = $1) line GROUP BY 1) s USING (label)
ORDER BY label
"""
_HOLDS: Final = """
SELECT h.hold_id, h.budget_id, b.currency, h.status, h.amount_minor, h.over_minor, h.reason,
       c.requested_at AS commit_asked_at, c.booked_at, coalesce(c.over_hold_minor, 0) AS over_hold
FROM holds h LEFT JOIN budgets b USING (budget_id) LEFT JOIN commits c USING (hold_id)
WHERE h.campaign_id = $1 ORDER BY h.asked_at, h.hold_id
"""
_GOODS: Final = """
SELECT g.hold_id, g.line_id, g.reservation_id, g.quantity, g.status
FROM hold_goods g JOIN holds h USING (hold_id)
WHERE h.campaign_id = $1 ORDER BY h.asked_at, g.hold_id, g.line_id
"""
_LINES: Final = """
SELECT l.category, l.label, l.quantity, l.amount_minor, l.surcharge_minor
FROM cost_lines l JOIN commits c USING (hold_id)
WHERE l.campaign_id = $1 ORDER BY c.booked_at, l.hold_id, l.position
"""


class BudgetRow(BaseModel):
    """A budget in a list; amounts in minor units."""

    budget_id: UUID
    label: str
    currency: str
    allocated_minor: int
    planned_minor: int
    reserved_minor: int
    committed_minor: int
    spent_minor: int
    invoiced_minor: int
    left_minor: int
    overrun: Overrun
    needs_approval: bool
    main_budget_id: UUID | None
    calculated_at: datetime | None


class BudgetPage(BaseModel):
    """Budgets, and the key of the next page when there may be one."""

    items: tuple[BudgetRow, ...]
    next: UUID | None


class BudgetDetail(BudgetRow):
    """A budget with what prices its campaigns; ``note`` says when more was taken than allocated."""

    version: int
    starts_on: date | None
    ends_on: date | None
    structures: tuple[CostStructure, ...]
    categories: tuple[CostCategory, ...]
    note: str

    @classmethod
    def of(cls, budget: Budget, tariff: Tariff) -> Self:
        """Return the page of a budget."""
        left = budget.balance.left_minor
        note = f"overspent by {in_words(-left, budget.currency)}" if left < 0 else ""
        return cls(
            **budget.state.model_dump(),
            starts_on=budget.starts_on,
            ends_on=budget.ends_on,
            structures=tariff.structures,
            categories=tariff.categories,
            note=note,
        )


class CategorySums(BaseModel):
    """A category: what is meant for it, and what its cost lines came to; minor units."""

    label: str
    envelope_minor: int
    spent_minor: int


class LedgerRow(BaseModel):
    """One movement: what moved on which account, why, and what was left after it."""

    seq: int
    cause: str
    kind: EntryKind
    account: Account
    amount_minor: int
    left_minor: int
    booked_at: datetime

    @computed_field(description="what the movement is called")  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        """What the movement is called in English."""
        return movements.label(self.kind)

    @computed_field(description="what it is called in French")  # type: ignore[prop-decorator]
    @property
    def label_fr(self) -> str:
        """What the movement is called in French."""
        return movements.label_fr(self.kind)


class LedgerPage(BaseModel):
    """Movements, and the key of the next page when there may be one."""

    items: tuple[LedgerRow, ...]
    next: int | None


class HoldView(BaseModel):
    """A campaign's hold; ``waiting`` while budgetMgt has not computed its real cost."""

    hold_id: UUID
    budget_id: UUID | None
    currency: str | None
    status: HoldStatus
    amount_minor: int
    over_minor: int
    reason: str
    waiting: bool
    note: str


class GoodsView(BaseModel):
    """What a campaign's cost types take of a stock line; the stock knows what was used of it."""

    hold_id: UUID
    line_id: UUID
    reservation_id: UUID
    quantity: int
    status: GoodsStatus


class CampaignCosts(BaseModel):
    """What a campaign holds and cost; ``spent_minor`` is the sum of the lines."""

    campaign_id: UUID
    holds: tuple[HoldView, ...]
    goods: tuple[GoodsView, ...]
    lines: tuple[CostLine, ...]
    spent_minor: int


async def budget_page(
    connection: Connection, main: UUID | None, after: UUID | None, limit: int
) -> BudgetPage:
    """Return budgets after a key, all or those of a main one."""
    rows = await connection.fetch(_LIST, main, after, limit)
    items = tuple(BudgetRow(**dict(row)) for row in rows)
    return BudgetPage(items=items, next=items[-1].budget_id if len(items) == limit else None)


async def ledger_page(
    connection: Connection, budget_id: UUID, after: int, limit: int
) -> LedgerPage:
    """Return a budget's movements after a sequence number."""
    rows = await connection.fetch(_LEDGER, budget_id, after, limit)
    items = tuple(LedgerRow(**dict(row)) for row in rows)
    return LedgerPage(items=items, next=items[-1].seq if len(items) == limit else None)


async def category_sums(connection: Connection, budget_id: UUID) -> tuple[CategorySums, ...]:
    """Return a budget's categories, those its cost lines name too, with what each came to."""
    rows = await connection.fetch(_CATEGORIES, budget_id)
    return tuple(CategorySums(**dict(row)) for row in rows)


async def campaign_costs(connection: Connection, campaign_id: UUID) -> CampaignCosts:
    """Return a campaign's holds, the goods they take and the cost lines."""
    holds = await connection.fetch(_HOLDS, campaign_id)
    goods = await connection.fetch(_GOODS, campaign_id)
    lines = tuple(CostLine(**dict(row)) for row in await connection.fetch(_LINES, campaign_id))
    return CampaignCosts(
        campaign_id=campaign_id,
        holds=tuple(_hold(**dict(row)) for row in holds),
        goods=tuple(GoodsView(**dict(row)) for row in goods),
        lines=lines,
        spent_minor=sum(line.amount_minor for line in lines),
    )


def _hold(
    *,
    hold_id: UUID,
    budget_id: UUID | None,
    currency: str | None,
    status: str,
    amount_minor: int,
    over_minor: int,
    reason: str,
    commit_asked_at: datetime | None,
    booked_at: datetime | None,
    over_hold: int,
) -> HoldView:
    note = ""
    if over_hold and currency:
        note = f"the real cost is {in_words(over_hold, currency)} over what was held"
    return HoldView(
        hold_id=hold_id,
        budget_id=budget_id,
        currency=currency,
        status=HoldStatus(status),
        amount_minor=amount_minor,
        over_minor=over_minor,
        reason=reason,
        waiting=commit_asked_at is not None and booked_at is None,
        note=note,
    )
