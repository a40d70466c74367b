"""Stock over HTTP: list, look at, save, order; the ledger and what campaigns took."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.stock.pages import (
    LedgerPage,
    LinePage,
    LineView,
    OrderPage,
    ReservationView,
    campaign_goods,
    find_line,
    ledger_page,
    line_page,
    order_page,
)
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import new_id
from shared.service import Runtime
from topics.stock import OrderStock, SaveStockLine

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=200)]
Seq = Annotated[int, Query(ge=0, lt=2**63)]


class LineBody(BaseModel):
    """A stock line as it is typed; ``initial`` counts once, ``group`` is told of alerts."""

    model_config = ConfigDict(extra="forbid")

    stock: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=200)
    initial: int = Field(ge=0)
    alert_level: int = Field(default=0, ge=0)
    group: str = Field(default="", max_length=100)


class NewLineBody(LineBody):
    """A new line; its id may be made by the caller, so that a second POST makes no second one."""

    line_id: UUID | None = None


class OrderBody(BaseModel):
    """An order; received at the start of its day in the instance's zone."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID | None = None
    quantity: int = Field(gt=0)
    due_on: date


@router.get("/lines")
async def list_lines(
    runtime: Here,
    *,
    after: UUID | None = None,
    alert: bool | None = None,
    limit: Limit = 50,
) -> LinePage:
    """List lines, oldest first; ``alert`` keeps those with or without an alert."""
    async with runtime.pool.acquire() as connection:
        return await line_page(connection, after, limit, alert=alert)


@router.get("/lines/{line_id}")
async def show_line(line_id: UUID, runtime: Here) -> LineView:
    """Show a line."""
    return await _view(runtime, line_id)


@router.post("/lines", status_code=201)
async def create_line(body: NewLineBody, actor: Caller, runtime: Here) -> LineView:
    """Save a new line."""
    return await _save(runtime, actor, body.line_id or new_id(), body)


@router.put("/lines/{line_id}")
async def save_line(line_id: UUID, body: LineBody, actor: Caller, runtime: Here) -> LineView:
    """Save a line under an id."""
    return await _save(runtime, actor, line_id, body)


@router.get("/lines/{line_id}/ledger")
async def show_ledger(
    line_id: UUID, runtime: Here, after: Seq = 0, limit: Limit = 100
) -> LedgerPage:
    """List a line's movements, oldest first, each with what was in stock after it."""
    async with runtime.pool.acquire() as connection:
        return await ledger_page(connection, line_id, after, limit)


@router.get("/lines/{line_id}/orders")
async def list_orders(
    line_id: UUID, runtime: Here, after: UUID | None = None, limit: Limit = 50
) -> OrderPage:
    """List a line's orders, oldest first."""
    async with runtime.pool.acquire() as connection:
        return await order_page(connection, line_id, after, limit)


@router.post("/lines/{line_id}/orders", status_code=201)
async def order(line_id: UUID, body: OrderBody, actor: Caller, runtime: Here) -> LineView:
    """Order more of a line."""
    command = OrderStock(
        order_id=body.order_id or new_id(),
        line_id=line_id,
        quantity=body.quantity,
        due_on=body.due_on,
        actor=actor,
    )
    await carry_out(runtime, command)
    return await _view(runtime, line_id)


@router.get("/campaigns/{campaign_id}/goods")
async def show_goods(campaign_id: UUID, runtime: Here) -> list[ReservationView]:
    """Show what is reserved and was consumed for a campaign."""
    async with runtime.pool.acquire() as connection:
        return await campaign_goods(connection, campaign_id)


async def _save(runtime: Runtime, actor: Caller, line_id: UUID, body: LineBody) -> LineView:
    fields = {name: getattr(body, name) for name in LineBody.model_fields}
    await carry_out(runtime, SaveStockLine(line_id=line_id, actor=actor, **fields))
    return await _view(runtime, line_id)


async def _view(runtime: Runtime, line_id: UUID) -> LineView:
    async with runtime.pool.acquire() as connection:
        view = await find_line(connection, line_id)
    if view is None:
        raise HTTPException(404, "there is no such stock line")
    return view
