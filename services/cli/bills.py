"""``muster budget order``, ``invoice`` and ``rate``: what was ordered, billed and converted."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from services.budget.domain.money import in_words
from services.budget.pages_invoices import (
    InvoiceDetail,
    OrderDetail,
    invoice_detail,
    invoice_page,
    order_detail,
    order_page,
    rate_rows,
)
from services.cli.saving import carry_out_as, of_budget, said_as_json, save_file, show_rows
from topics.invoices import InvoiceStatus, MoveInvoice, SaveInvoice, SaveOrder, SaveRate

orders = typer.Typer(help="Orders: what was ordered of a supplier.", no_args_is_help=True)
invoices = typer.Typer(help="Invoices and their lines.", no_args_is_help=True)
rates = typer.Typer(help="Currency rates by date.", no_args_is_help=True)
console = Console()

Operator = Annotated[str, typer.Option(help="who asks (e-mail)")]
Limit = Annotated[int, typer.Option(min=1, max=1000)]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the day it counts from")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


@orders.command("list")
def list_orders(after: UUID | None = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List orders with what invoices charge for each."""
    page = of_budget(lambda connection: order_page(connection, after, limit))
    if said_as_json(page, as_json=as_json):
        return
    show_rows(
        ("id", "number", "supplier", "total", "invoiced", "ordered on"),
        [
            (
                one.order_id,
                one.number,
                one.supplier,
                in_words(one.total_minor, one.currency),
                in_words(one.invoiced_minor, one.currency),
                one.ordered_on or "",
            )
            for one in page.items
        ],
        nothing="no order yet",
    )


@orders.command("show")
def show_order(order: UUID, as_json: AsJson = False) -> None:
    """Show the lines of an order."""
    found = of_budget(lambda connection: order_detail(connection, order))
    if found is None:
        raise SystemExit("there is no such order")
    if said_as_json(found, as_json=as_json):
        return
    _headline(found, f"{in_words(found.invoiced_minor, found.currency)} of it invoiced")
    show_rows(
        ("line", "amount"),
        [(one.label, in_words(one.amount_minor, found.currency)) for one in found.lines],
        nothing="no lines",
    )


def _headline(found: OrderDetail | InvoiceDetail, state: str) -> None:
    total = in_words(found.total_minor, found.currency)
    console.print(f"{found.number} of {found.supplier}: {total}, {state}", soft_wrap=True)


@orders.command("save")
def save_order(
    file: Annotated[Path, typer.Argument(help="JSON, as PUT /api/v1/budget/orders/ID takes it")],
    operator: Operator,
) -> None:
    """Save an order with its lines, from a file."""
    save_file(file, operator, SaveOrder, "order_id")


@invoices.command("list")
def list_invoices(
    budget: Annotated[UUID | None, typer.Option(help="charged to one budget only")] = None,
    status: InvoiceStatus | None = None,
    after: UUID | None = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List invoices."""
    page = of_budget(
        lambda connection: invoice_page(
            connection, budget_id=budget, status=status, after=after, limit=limit
        )
    )
    if said_as_json(page, as_json=as_json):
        return
    show_rows(
        ("id", "number", "supplier", "total", "invoiced on", "status", "since"),
        [
            (
                one.invoice_id,
                one.number,
                one.supplier,
                in_words(one.total_minor, one.currency),
                one.invoiced_on,
                one.status,
                one.moved_on or "",
            )
            for one in page.items
        ],
        nothing="no invoice",
    )


@invoices.command("show")
def show_invoice(invoice: UUID, as_json: AsJson = False) -> None:
    """Show the lines of an invoice, with the order and the cost each is for."""
    found = of_budget(lambda connection: invoice_detail(connection, invoice))
    if found is None:
        raise SystemExit("there is no such invoice")
    if said_as_json(found, as_json=as_json):
        return
    _headline(found, found.status)
    show_rows(
        ("line", "amount", "order", "charged to"),
        [
            (
                one.label,
                in_words(one.amount_minor, found.currency),
                one.order_id or "",
                f"{one.kind} {one.object_id}" if one.kind else "the budget",
            )
            for one in found.lines
        ],
        nothing="no lines",
    )


@invoices.command("save")
def save_invoice(
    file: Annotated[Path, typer.Argument(help="JSON, as PUT /api/v1/budget/invoices/ID takes it")],
    operator: Operator,
) -> None:
    """Save an invoice with its lines, from a file, while it is not paid."""
    save_file(file, operator, SaveInvoice, "invoice_id")


@invoices.command("pay")
def pay(invoice: UUID, on: Day, operator: Operator) -> None:
    """Mark an invoice paid: what it charges goes from spent to invoiced."""
    _move(invoice, InvoiceStatus.PAID, on.date(), operator)
    console.print("paid")


@invoices.command("cancel")
def cancel(invoice: UUID, on: Day, operator: Operator) -> None:
    """Cancel an invoice that is not paid; its number is free again."""
    _move(invoice, InvoiceStatus.CANCELLED, on.date(), operator)
    console.print("cancelled")


def _move(invoice: UUID, to: InvoiceStatus, on: date, operator: str) -> None:
    carry_out_as(lambda actor: MoveInvoice(invoice_id=invoice, to=to, on=on, actor=actor), operator)


@rates.command("list")
def list_rates(as_json: AsJson = False) -> None:
    """List the dated rates, the latest of a pair first."""
    found = of_budget(rate_rows)
    if said_as_json(found, as_json=as_json):
        return
    show_rows(
        ("one", "is so many", "from", "rate"),
        [(one.base, one.quote, one.valid_from, f"{one.rate.normalize():f}") for one in found],
        nothing="no rate yet",
    )


@rates.command("save")
def save_rate(base: str, quote: str, rate: str, on: Day, operator: Operator) -> None:
    """Say how many QUOTE one BASE is, from a day on, until a later day's rate."""
    carry_out_as(
        lambda actor: SaveRate.model_validate(
            {"base": base, "quote": quote, "rate": rate, "valid_from": on.date(), "actor": actor}
        ),
        operator,
    )
    console.print(f"1 {base} is {rate} {quote} from {on.date()}")
