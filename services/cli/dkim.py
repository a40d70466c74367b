"""``muster delivery dkim``: the keys that sign mails, and what to publish of them in the DNS."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.letters import opened
from services.delivery.dkim import keeping
from services.delivery.dkim.keys import record_of, zone_line
from services.delivery.dkim.signing import Algorithm
from services.delivery.store.dkim import DkimKey, DkimStore

app = typer.Typer(help="DKIM keys: mails of a domain that has one are signed here.")
console = Console()


@app.command("add")
def add(
    domain: Annotated[str, typer.Argument(help="the domain of senders' addresses")],
    selector: Annotated[str | None, typer.Option(help="its name; by default of the day")] = None,
    algorithm: Annotated[Algorithm, typer.Option(help="rsa is understood everywhere")] = (
        Algorithm.RSA
    ),
    in_hours: Annotated[float, typer.Option(help="when it begins to sign; 0 at once")] = 1.0,
) -> None:
    """Make a key and print the TXT record to publish before it begins to sign."""

    async def added() -> DkimKey:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await keeping.add(
                work, domain=domain, selector=selector, algorithm=algorithm, in_hours=in_hours
            )

    key = or_exit(added())
    console.print(f"signs from {key.valid_from.isoformat(timespec='minutes')}; publish before:")
    console.print(_line(key), soft_wrap=True, highlight=False, markup=False)


@app.command("list")
def list_keys() -> None:
    """List keys, and the records of those that sign or will."""

    async def found() -> list[DkimKey]:
        async with opened("delivery") as delivery, delivery.pool.acquire() as connection:
            return await DkimStore(connection).all()

    keys = asyncio.run(found())
    if not keys:
        console.print("no domain has a key; mails leave unsigned, and the relay may sign them")
        return
    table = Table("domain", "selector", "algorithm", "signs from", "retired")
    for key in keys:
        retired = key.retired_at.isoformat(timespec="minutes") if key.retired_at else ""
        signs_from = key.valid_from.isoformat(timespec="minutes")
        table.add_row(key.domain, key.selector, key.algorithm, signs_from, retired)
    console.print(table)
    for key in keys:
        if key.retired_at is None:
            console.print(_line(key), soft_wrap=True, highlight=False, markup=False)


@app.command("retire")
def retire(domain: str, selector: str) -> None:
    """Let a key sign no more, for good; its record stays useful while its mails are on the way."""

    async def retired() -> DkimKey:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await keeping.retire(work, domain=domain, selector=selector)

    key = or_exit(retired())
    console.print(
        f"{key.selector}._domainkey.{key.domain} signs no more after at most a minute;"
        " keep its record for a week",
        soft_wrap=True,
    )


def _line(key: DkimKey) -> str:
    return zone_line(key.domain, key.selector, record_of(key.algorithm, key.public_key))
