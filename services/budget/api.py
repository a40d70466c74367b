"""Budgets over HTTP: list, look at, save, estimate; the ledger and what a campaign cost."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.budget.domain.costs import Tariff, cost_lines, plausible, total
from services.budget.domain.goods import goods_needed
from services.budget.domain.structures import choice_problem
from services.budget.holding import IMPLAUSIBLE
from services.budget.pages import (
    BudgetDetail,
    BudgetPage,
    CampaignCosts,
    CategorySums,
    LedgerPage,
    budget_page,
    campaign_costs,
    category_sums,
    ledger_page,
)
from services.budget.store.budgets import BudgetStore
from services.budget.store.tariffs import TariffStore
from shared.errors import Refused
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.service import Runtime
from topics.budget import (
    CostCategory,
    CostChoice,
    CostLine,
    CostStructure,
    GoodsNeeded,
    Overrun,
    SaveBudget,
    Volumes,
)

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=200)]
Seq = Annotated[int, Query(ge=0, lt=2**63)]


class BudgetBody(BaseModel):
    """A budget as it is typed; amounts in minor units, unit prices in major ones."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    allocated_minor: int = Field(ge=0)
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    starts_on: date | None = None
    ends_on: date | None = None
    structures: tuple[CostStructure, ...] = Field(default=(), max_length=50)
    categories: tuple[CostCategory, ...] = Field(default=(), max_length=50)
    overrun: Overrun = Overrun.REFUSE
    needs_approval: bool = False
    main_budget_id: UUID | None = None


class NewBudgetBody(BudgetBody):
    """A new budget; its id may be made by the caller, so that a second POST makes no second one."""

    budget_id: UUID | None = None


class EstimateBody(BaseModel):
    """The volumes to price."""

    model_config = ConfigDict(extra="forbid")

    volumes: Volumes
    choices: tuple[CostChoice, ...] = Field(default=(), max_length=50)


class Estimate(BaseModel):
    """What volumes would cost, line by line, and take of the stock; nothing is held."""

    amount_minor: int
    left_minor: int
    currency: str
    enough: bool
    lines: tuple[CostLine, ...]
    goods: tuple[GoodsNeeded, ...]


@router.get("/budgets")
async def list_budgets(
    runtime: Here, main: UUID | None = None, after: UUID | None = None, limit: Limit = 50
) -> BudgetPage:
    """List budgets, oldest first, or those that belong to a main one.

    ``next`` goes into ``after`` for the following page.
    """
    async with runtime.pool.acquire() as connection:
        return await budget_page(connection, main, after, limit)


@router.get("/budgets/{budget_id}")
async def show_budget(budget_id: UUID, runtime: Here) -> BudgetDetail:
    """Show a budget's balance and cost structures."""
    return await _detail(runtime, budget_id)


@router.post("/budgets", status_code=201)
async def create_budget(body: NewBudgetBody, actor: Caller, runtime: Here) -> BudgetDetail:
    """Save a new budget."""
    return await _save(runtime, actor, body.budget_id or new_id(), body)


@router.put("/budgets/{budget_id}")
async def save_budget(
    budget_id: UUID, body: BudgetBody, actor: Caller, runtime: Here
) -> BudgetDetail:
    """Save a budget under an id."""
    return await _save(runtime, actor, budget_id, body)


@router.post("/budgets/{budget_id}/estimates")
async def estimate(budget_id: UUID, body: EstimateBody, runtime: Here) -> Estimate:
    """Price volumes with a budget's cost structures; nothing is held."""
    if not plausible(body.volumes):
        raise Refused(IMPLAUSIBLE, field="volumes")
    detail = await _detail(runtime, budget_id)
    tariff = Tariff(detail.structures, detail.categories, body.choices)
    problem = choice_problem(tariff)
    if problem is not None:
        raise Refused(problem.reason, field=problem.field)
    lines = cost_lines(tariff, body.volumes, detail.currency)
    return Estimate(
        amount_minor=total(lines),
        left_minor=detail.left_minor,
        currency=detail.currency,
        enough=total(lines) <= detail.left_minor,
        lines=tuple(line.line for line in lines),
        goods=goods_needed(lines, body.volumes),
    )


@router.get("/budgets/{budget_id}/ledger")
async def show_ledger(
    budget_id: UUID, runtime: Here, after: Seq = 0, limit: Limit = 100
) -> LedgerPage:
    """List a budget's movements, oldest first, each with what was left after it."""
    async with runtime.pool.acquire() as connection:
        return await ledger_page(connection, budget_id, after, limit)


@router.get("/budgets/{budget_id}/categories")
async def show_categories(budget_id: UUID, runtime: Here) -> tuple[CategorySums, ...]:
    """List a budget's categories with what is meant for each and what its lines came to."""
    async with runtime.pool.acquire() as connection:
        return await category_sums(connection, budget_id)


@router.get("/campaigns/{campaign_id}/costs")
async def show_costs(campaign_id: UUID, runtime: Here) -> CampaignCosts:
    """Show what is held for a campaign and what it cost, line by line."""
    async with runtime.pool.acquire() as connection:
        return await campaign_costs(connection, campaign_id)


async def _save(runtime: Runtime, actor: Caller, budget_id: UUID, body: BudgetBody) -> BudgetDetail:
    fields = {name: getattr(body, name) for name in BudgetBody.model_fields}
    await carry_out(runtime, SaveBudget(budget_id=budget_id, actor=actor, **fields))
    return await _detail(runtime, budget_id)


async def _detail(runtime: Runtime, budget_id: UUID) -> BudgetDetail:
    async with runtime.pool.acquire() as connection:
        store = BudgetStore(connection)
        budget = await store.find(budget_id)
        if budget is None:
            raise HTTPException(404, "there is no such budget")
        return BudgetDetail.of(budget, await TariffStore(connection).of_budget(budget_id))
