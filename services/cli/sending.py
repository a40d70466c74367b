"""``muster delivery``: the messages nobody knows the outcome of, and what to do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli import bouncing, dkim, pace, planting, pressing
from services.cli.letters import opened
from services.delivery import ambiguous
from services.delivery.store.indicators import IndicatorStore, Saved
from services.delivery.tracking.workflows import counted_now
from services.delivery.wire import AmbiguousView

app = typer.Typer(help="Deliveries.")
list_app = typer.Typer(help="Messages whose server was lost before it answered.")
app.add_typer(list_app, name="ambiguous")
app.add_typer(dkim.app, name="dkim")
app.add_typer(pace.domains, name="domains")
app.add_typer(pressing.app, name="pressure")
app.add_typer(planting.app, name="seeds")
app.command()(pace.again)
app.command("pace")(pace.pace)
app.add_typer(bouncing.bounces, name="bounces")
app.add_typer(bouncing.quarantine, name="quarantine")
console = Console()

Run = Annotated[UUID | None, typer.Option("--run", help="one run only")]
MemberOf = Annotated[UUID | None, typer.Option("--member", help="one recipient only")]


@list_app.command("list")
def list_ambiguous(run: Run = None, limit: Annotated[int, typer.Option(min=1)] = 100) -> None:
    """List ambiguous messages with their addresses."""

    async def find() -> list[AmbiguousView]:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await ambiguous.listed(work.connection, run_id=run, limit=limit)

    rows = asyncio.run(find())
    if not rows:
        console.print("no message is ambiguous")
        return
    names = list(type(rows[0]).model_fields)
    table = Table(*names)
    for row in rows:
        table.add_row(*(str(getattr(row, name)) for name in names))
    console.print(table)


@list_app.command("assume-sent")
def assume_sent(run: Run = None, member: MemberOf = None) -> None:
    """Take ambiguous messages for sent."""
    console.print(f"{_decide(ambiguous.assume_sent, run, member)} are taken for sent")


@list_app.command("resend")
def resend(run: Run = None, member: MemberOf = None) -> None:
    """Send ambiguous messages again; a recipient may get one twice."""
    console.print(f"{_decide(ambiguous.resend, run, member)} will be sent again")


@app.command()
def indicators(
    delivery: Annotated[UUID, typer.Argument(help="the delivery's id")],
    recompute: Annotated[bool, typer.Option("--recompute", help="count again now")] = False,
) -> None:
    """Show a delivery's indicators: what its e-mails came to, and as of when."""

    async def found() -> Saved | None:
        async with opened("delivery") as runtime, runtime.uow.begin() as work:
            saved = None if recompute else await IndicatorStore(work.connection).find(delivery)
            return saved or await counted_now(work, delivery)

    saved = asyncio.run(found())
    if saved is None:
        raise SystemExit("this delivery is not known, or its rows were removed")
    table = Table("indicator", "", title=f"as of {saved.as_of:%Y-%m-%d %H:%M:%S} UTC")
    for name, value in asdict(saved.figures).items():
        table.add_row(name.replace("_", " "), _shown(value))
    console.print(table)


def _shown(value: int | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"


Decide = Callable[..., Awaitable[int]]


def _decide(decide: Decide, run: UUID | None, member: UUID | None) -> int:
    async def decided() -> int:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await decide(work, run_id=run, member_id=member)

    return asyncio.run(decided())
