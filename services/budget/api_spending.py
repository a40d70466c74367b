"""Spending over HTTP: approvals of holds, cost types of campaigns, typed costs, roll-ups."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.budget.pages_spending import (
    ExpensePage,
    PendingHold,
    RollupDetail,
    expense_page,
    in_one_currency,
    pending_holds,
    rollup_detail,
)
from services.budget.store.recalculations import RANKS, Rolled
from services.budget.store.tariffs import TariffStore
from shared.http import Caller, Here, carry_out, may_read
from topics.budget import CostChoice
from topics.expenses import EntryStatus, ExpenseKind, SaveExpense, TypedCost
from topics.funds import ChooseCosts, DecideFunds

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=200)]
Currency = Annotated[str | None, Query(pattern="^[A-Z]{3}$")]


class DecisionBody(BaseModel):
    """Yes or no to what a hold commits; a no has a reason."""

    model_config = ConfigDict(extra="forbid")

    approve: bool
    reason: str = Field(default="", max_length=1000)


class ChoicesBody(BaseModel):
    """The cost types of a campaign, and what is added to them."""

    model_config = ConfigDict(extra="forbid")

    choices: tuple[CostChoice, ...] = Field(default=(), max_length=50)


class ExpenseBody(BaseModel):
    """Costs as typed by hand; they count once they are specified."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(default="", max_length=200)
    status: EntryStatus = EntryStatus.EDITING
    provisional: TypedCost | None = None
    real: TypedCost | None = None
    program_id: UUID | None = None
    plan_id: UUID | None = None


@router.get("/approvals")
async def list_approvals(runtime: Here, limit: Limit = 100) -> tuple[PendingHold, ...]:
    """List the money that waits for a person's approval, the oldest first."""
    async with runtime.pool.acquire() as connection:
        return await pending_holds(connection, limit)


@router.post("/holds/{hold_id}/decisions", status_code=204)
async def decide(hold_id: UUID, body: DecisionBody, actor: Caller, runtime: Here) -> None:
    """Approve or refuse what a hold would commit."""
    campaign_id = await runtime.pool.fetchval(
        "SELECT campaign_id FROM holds WHERE hold_id = $1", hold_id
    )
    if campaign_id is None:
        raise HTTPException(404, "there is no such hold")
    command = DecideFunds(
        campaign_id=campaign_id,
        hold_id=hold_id,
        approve=body.approve,
        reason=body.reason,
        actor=actor,
    )
    await carry_out(runtime, command)


@router.get("/budgets/{budget_id}/campaigns/{campaign_id}/choices")
async def show_choices(budget_id: UUID, campaign_id: UUID, runtime: Here) -> ChoicesBody:
    """Show the cost types chosen for a campaign."""
    async with runtime.pool.acquire() as connection:
        tariff = await TariffStore(connection).of_campaign(budget_id, campaign_id)
    return ChoicesBody(choices=tariff.choices)


@router.put("/budgets/{budget_id}/campaigns/{campaign_id}/choices")
async def choose(
    budget_id: UUID, campaign_id: UUID, body: ChoicesBody, actor: Caller, runtime: Here
) -> ChoicesBody:
    """Choose the cost types of a campaign, for its next estimate or hold."""
    command = ChooseCosts(
        campaign_id=campaign_id, budget_id=budget_id, choices=body.choices, actor=actor
    )
    await carry_out(runtime, command)
    return body


@router.get("/budgets/{budget_id}/expenses")
async def list_expenses(
    budget_id: UUID,
    runtime: Here,
    after: Annotated[str, Query(max_length=60)] = "",
    limit: Limit = 100,
) -> ExpensePage:
    """List what a budget is charged with; ``next`` goes into ``after`` for the following page."""
    async with runtime.pool.acquire() as connection:
        return await expense_page(connection, budget_id, after, limit)


@router.put("/budgets/{budget_id}/expenses/{kind}/{object_id}", status_code=204)
async def save_expense(
    budget_id: UUID,
    kind: ExpenseKind,
    object_id: UUID,
    body: ExpenseBody,
    actor: Caller,
    runtime: Here,
) -> None:
    """Save the provisional and the real cost of a plan, program, campaign or delivery."""
    command = SaveExpense(
        kind=kind,
        object_id=object_id,
        budget_id=budget_id,
        label=body.label,
        status=body.status,
        provisional=body.provisional,
        real=body.real,
        program_id=body.program_id,
        plan_id=body.plan_id,
        actor=actor,
    )
    await carry_out(runtime, command)


@router.get("/rollups/{kind}/{object_id}")
async def show_rollup(
    kind: ExpenseKind,
    object_id: UUID,
    runtime: Here,
    currency: Currency = None,
    on: date | None = None,
) -> RollupDetail:
    """Show what a campaign, program or plan costs, by currency or in one at the rates of a day."""
    if kind not in RANKS:
        raise HTTPException(404, f"the costs of a {kind} are not rolled up")
    async with runtime.pool.acquire() as connection:
        detail = await rollup_detail(connection, Rolled(kind, object_id))
        if currency is None:
            return detail
        day = on or runtime.clock.now().date()
        return await in_one_currency(connection, detail, currency, day)
