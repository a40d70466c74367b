"""``muster webhooks``: where webhooks go, and the secrets that sign them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.letters import opened
from services.delivery.store.webhooks import Endpoint, EndpointStore
from services.delivery.webhooks import keeping

app = typer.Typer(help="Registered endpoints that event templates of the channel webhook name.")
console = Console()
Name = Annotated[str, typer.Argument(help="what event templates call it")]


@app.command("add")
def add(name: Name, url: Annotated[str, typer.Argument(help="https://…")]) -> None:
    """Register an endpoint and print its secret, this once."""

    async def added() -> tuple[Endpoint, str]:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await keeping.add(work, name=name, url=url)

    endpoint, secret = or_exit(added())
    console.print(f"{endpoint.name} gets what its templates' events say; its secret, shown once:")
    console.print(secret, soft_wrap=True, highlight=False, markup=False)


@app.command("list")
def list_endpoints() -> None:
    """List the endpoints; secrets are never shown."""

    async def found() -> list[Endpoint]:
        async with opened("delivery") as delivery, delivery.pool.acquire() as connection:
            return await EndpointStore(connection).all()

    endpoints = asyncio.run(found())
    if not endpoints:
        console.print("no endpoint is registered: muster webhooks add NAME URL")
        return
    table = Table("name", "url", "active", "two secrets until")
    for one in endpoints:
        until = one.previous_until.isoformat(timespec="minutes") if one.previous_until else ""
        table.add_row(one.name, one.url, "yes" if one.active else f"no: {one.reason}", until)
    console.print(table)


@app.command("move")
def move(name: Name, url: Annotated[str, typer.Argument(help="https://…")]) -> None:
    """Move an endpoint to another URL; its secret stays."""
    endpoint = or_exit(_changed(name, url=url))
    console.print(f"{endpoint.name} is at {endpoint.url}", soft_wrap=True)


@app.command("disable")
def disable(name: Name) -> None:
    """Switch an endpoint off: its messages fail until it is enabled, and can be sent again then."""
    endpoint = or_exit(_changed(name, active=False))
    console.print(f"{endpoint.name} gets nothing any more")


@app.command("enable")
def enable(name: Name) -> None:
    """Switch an endpoint on again."""
    endpoint = or_exit(_changed(name, active=True))
    console.print(f"{endpoint.name} gets webhooks again")


@app.command("rotate")
def rotate(name: Name) -> None:
    """Give an endpoint a new secret and print it, this once; the one before signs for a while."""

    async def rotated() -> tuple[Endpoint, str]:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await keeping.rotate(work, name=name)

    endpoint, secret = or_exit(rotated())
    until = endpoint.previous_until
    told = until.isoformat(timespec="minutes") if until else "now"
    console.print(f"the secret before signs as well until {told}; the new one, shown once:")
    console.print(secret, soft_wrap=True, highlight=False, markup=False)


async def _changed(name: str, *, url: str | None = None, active: bool | None = None) -> Endpoint:
    async with opened("delivery") as delivery, delivery.uow.begin() as work:
        return await keeping.change(work, name=name, url=url, active=active)
