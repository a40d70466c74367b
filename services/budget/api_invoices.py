"""Orders, invoices and rates over HTTP."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.budget.pages_invoices import (
    InvoiceDetail,
    InvoicePage,
    OrderDetail,
    OrderPage,
    RateRow,
    invoice_detail,
    invoice_page,
    order_detail,
    order_page,
    rate_rows,
)
from shared.http import Caller, Here, carry_out, may_read
from shared.service import Runtime
from topics.expenses import Amount
from topics.invoices import (
    Currency,
    InvoiceLine,
    InvoiceStatus,
    MoveInvoice,
    OrderLine,
    SaveInvoice,
    SaveOrder,
    SaveRate,
)

router = APIRouter(dependencies=[Depends(may_read)])
Limit = Annotated[int, Query(ge=1, le=200)]


class DocumentBody(BaseModel):
    """What an order and an invoice have in common."""

    model_config = ConfigDict(extra="forbid")

    number: str = Field(min_length=1, max_length=60)
    supplier: str = Field(min_length=1, max_length=200)
    supplier_id: UUID | None = None
    currency: Currency = "EUR"
    total_minor: Amount


class OrderBody(DocumentBody):
    """An order as it is typed."""

    budget_id: UUID | None = None
    lines: tuple[OrderLine, ...] = Field(default=(), max_length=200)
    ordered_on: date | None = None


class InvoiceBody(DocumentBody):
    """An invoice as it is typed."""

    budget_id: UUID
    lines: tuple[InvoiceLine, ...] = Field(min_length=1, max_length=200)
    invoiced_on: date


class MoveBody(BaseModel):
    """That an invoice was paid or is void, and on which day."""

    model_config = ConfigDict(extra="forbid")

    to: InvoiceStatus
    on: date


class RateBody(BaseModel):
    """How many ``quote`` one ``base`` is, from a date on."""

    model_config = ConfigDict(extra="forbid")

    base: Currency
    quote: Currency
    valid_from: date
    rate: Decimal = Field(gt=0, max_digits=18, decimal_places=8)


@router.get("/orders")
async def list_orders(runtime: Here, after: UUID | None = None, limit: Limit = 100) -> OrderPage:
    """List orders, and what invoices charge for each."""
    async with runtime.pool.acquire() as connection:
        return await order_page(connection, after, limit)


@router.get("/orders/{order_id}")
async def show_order(order_id: UUID, runtime: Here) -> OrderDetail:
    """Show an order with its lines."""
    async with runtime.pool.acquire() as connection:
        found = await order_detail(connection, order_id)
    if found is None:
        raise HTTPException(404, "there is no such order")
    return found


@router.put("/orders/{order_id}")
async def save_order(order_id: UUID, body: OrderBody, actor: Caller, runtime: Here) -> OrderDetail:
    """Save an order under an id."""
    fields = {name: getattr(body, name) for name in OrderBody.model_fields}
    await carry_out(runtime, SaveOrder(order_id=order_id, actor=actor, **fields))
    return await show_order(order_id, runtime)


@router.get("/invoices")
async def list_invoices(
    runtime: Here,
    budget_id: UUID | None = None,
    status: InvoiceStatus | None = None,
    after: UUID | None = None,
    limit: Limit = 100,
) -> InvoicePage:
    """List invoices, of a budget or status."""
    async with runtime.pool.acquire() as connection:
        return await invoice_page(
            connection, budget_id=budget_id, status=status, after=after, limit=limit
        )


@router.get("/invoices/{invoice_id}")
async def show_invoice(invoice_id: UUID, runtime: Here) -> InvoiceDetail:
    """Show an invoice with its lines."""
    return await _invoice(runtime, invoice_id)


@router.put("/invoices/{invoice_id}")
async def save_invoice(
    invoice_id: UUID, body: InvoiceBody, actor: Caller, runtime: Here
) -> InvoiceDetail:
    """Save an invoice under an id, while it is not paid."""
    fields = {name: getattr(body, name) for name in InvoiceBody.model_fields}
    await carry_out(runtime, SaveInvoice(invoice_id=invoice_id, actor=actor, **fields))
    return await _invoice(runtime, invoice_id)


@router.post("/invoices/{invoice_id}/moves")
async def move_invoice(
    invoice_id: UUID, body: MoveBody, actor: Caller, runtime: Here
) -> InvoiceDetail:
    """Mark an invoice paid, or cancel it; once."""
    command = MoveInvoice(invoice_id=invoice_id, to=body.to, on=body.on, actor=actor)
    await carry_out(runtime, command)
    return await _invoice(runtime, invoice_id)


async def _invoice(runtime: Runtime, invoice_id: UUID) -> InvoiceDetail:
    async with runtime.pool.acquire() as connection:
        found = await invoice_detail(connection, invoice_id)
    if found is None:
        raise HTTPException(404, "there is no such invoice")
    return found


@router.get("/rates")
async def list_rates(runtime: Here) -> tuple[RateRow, ...]:
    """List the currency rates."""
    async with runtime.pool.acquire() as connection:
        return await rate_rows(connection)


@router.put("/rates", status_code=204)
async def save_rate(body: RateBody, actor: Caller, runtime: Here) -> None:
    """Keep the rate of a day."""
    command = SaveRate(
        base=body.base,
        quote=body.quote,
        valid_from=body.valid_from,
        rate=body.rate,
        actor=actor,
    )
    await carry_out(runtime, command)
