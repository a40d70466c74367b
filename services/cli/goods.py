"""``muster stock``: lines, orders, ledgers and what campaigns took."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit, show_fields
from services.cli.choices import actor_of, chosen
from services.cli.letters import opened
from services.stock import api
from services.stock.pages import LedgerPage, LinePage, LineView, ReservationView

app = typer.Typer(help="Stocks: lines, orders, what campaigns took.", no_args_is_help=True)
console = Console()

Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Which = Annotated[str, typer.Argument(metavar="LINE", help="label or id")]
Limit = Annotated[int, typer.Option(min=1, max=200)]


def _rows(found: list[Any], *names: str) -> Table:
    table = Table(*names)
    for one in found:
        table.add_row(*(str(getattr(one, name)) for name in names))
    return table


@app.command("list")
def list_lines(
    alert: Annotated[bool, typer.Option("--alert", help="those at or under their level")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List stock lines."""

    async def find() -> LinePage:
        async with opened("stock") as runtime:
            return await api.list_lines(runtime, alert=True if alert else None, limit=limit)

    page = or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    names = ("line_id", "stock", "label", "in_stock", "available", "on_order", "alert_level")
    table = _rows(list(page.items), *names, "alert")
    console.print(table if table.row_count else "no stock lines")


@app.command()
def show(line: Which, as_json: AsJson = False) -> None:
    """Show a stock line."""

    async def find() -> LineView:
        line_id = await chosen("stock", line)
        async with opened("stock") as runtime:
            return await api.show_line(line_id, runtime)

    show_fields(or_exit(find()), console, as_json=as_json)


@app.command()
def save(
    label: str,
    operator: Who,
    stock: Annotated[str, typer.Option(help="where it lies")],
    initial: Annotated[int, typer.Option(min=0, help="counts once, when the line is new")],
    alert_level: Annotated[int, typer.Option(min=0)] = 0,
    group: Annotated[str, typer.Option(help="the operators' group that is told of alerts")] = "",
    line_id: Annotated[UUID | None, typer.Option(help="one to change; none: a new one")] = None,
    as_json: AsJson = False,
) -> None:
    """Save a stock line."""

    async def saved() -> LineView:
        actor = await actor_of(operator)
        fields: dict[str, Any] = {
            "stock": stock,
            "label": label,
            "initial": initial,
            "alert_level": alert_level,
            "group": group,
        }
        async with opened("stock") as runtime:
            if line_id is None:
                return await api.create_line(api.NewLineBody(**fields), actor, runtime)
            return await api.save_line(line_id, api.LineBody(**fields), actor, runtime)

    show_fields(or_exit(saved()), console, as_json=as_json)


@app.command()
def order(
    line: Which,
    quantity: Annotated[int, typer.Argument(min=1)],
    operator: Who,
    due: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="when it arrives")],
    as_json: AsJson = False,
) -> None:
    """Order more of a line; stockMgt receives it on its day."""
    due_on: date = due.date()

    async def ordered() -> LineView:
        actor = await actor_of(operator)
        line_id = await chosen("stock", line)
        async with opened("stock") as runtime:
            body = api.OrderBody(quantity=quantity, due_on=due_on)
            return await api.order(line_id, body, actor, runtime)

    show_fields(or_exit(ordered()), console, as_json=as_json)


@app.command()
def ledger(
    line: Which,
    after: Annotated[int, typer.Option(min=0, help="the number of the last one seen")] = 0,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List a line's movements, each with what was in stock after it."""

    async def find() -> LedgerPage:
        line_id = await chosen("stock", line)
        async with opened("stock") as runtime:
            return await api.show_ledger(line_id, runtime, after, limit)

    page = or_exit(find())
    if as_json:
        typer.echo(page.model_dump_json())
        return
    names = ("seq", "booked_at", "label", "account", "quantity", "in_stock", "cause")
    console.print(_rows(list(page.items), *names))


@app.command()
def campaign(campaign_id: UUID, as_json: AsJson = False) -> None:
    """Show what is reserved and was consumed for a campaign."""

    async def find() -> list[ReservationView]:
        async with opened("stock") as runtime:
            return await api.show_goods(campaign_id, runtime)

    found: list[BaseModel] = list(or_exit(find()))
    if as_json:
        typer.echo("\n".join(one.model_dump_json() for one in found))
        return
    table = _rows(found, *ReservationView.model_fields)
    console.print(table if table.row_count else "no goods")
