"""``muster delivery seeds``: who gets a campaign's messages beside its recipients."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.delivery import api_seeds
from services.delivery.api_seeds import SeedList
from topics.delivery import Seed

app = typer.Typer(help="Who gets a campaign's messages beside its recipients.")
console = Console()

Campaign = Annotated[UUID, typer.Argument(help="the campaign's id")]
Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
Fields = Annotated[
    list[str] | None, typer.Option("--field", help="contact.first_name=Ada; several times, for all")
]


@app.command("list")
def list_seeds(campaign: Campaign, operator: Who) -> None:
    """List a campaign's seeds: its own, or else those of its template."""

    async def find() -> SeedList:
        async with opened("delivery") as delivery:
            return await api_seeds.seeds(campaign, await actor_of(operator), delivery)

    table = Table("address", "fields")
    for seed in or_exit(find()).seeds:
        table.add_row(seed.address, ", ".join(f"{k}={v}" for k, v in seed.fields.items()))
    console.print(table if table.row_count else "this campaign has no seeds")


@app.command("set")
def set_seeds(
    campaign: Campaign,
    operator: Who,
    address: Annotated[list[str] | None, typer.Option(help="several times; none: no seeds")] = None,
    field: Fields = None,
) -> None:
    """Give a campaign seeds of its own; they hold for runs that start from now on."""
    pairs = (word.partition("=") for word in field or ())
    fields = {name.strip(): value for name, _, value in pairs}
    body = SeedList(seeds=tuple(Seed(address=one, fields=fields) for one in address or ()))

    async def save() -> SeedList:
        async with opened("delivery") as delivery:
            return await api_seeds.save_seeds(campaign, body, await actor_of(operator), delivery)

    console.print(f"{len(or_exit(save()).seeds)} seeds")


@app.command("reset")
def reset_seeds(campaign: Campaign, operator: Who) -> None:
    """Give a campaign the seeds of its template again."""

    async def remove() -> None:
        async with opened("delivery") as delivery:
            await api_seeds.remove_seeds(campaign, await actor_of(operator), delivery)

    or_exit(remove())
    console.print("those of its template")
