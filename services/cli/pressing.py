"""``muster delivery pressure``: how much one recipient may get."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.choices import actor_of
from services.cli.letters import opened
from services.delivery.domain.pressure import Rule
from services.delivery.store.pressure import PressureStore
from shared.ids import new_id
from shared.pressure import Grouping
from shared.rights import Right, require
from shared.uow import Work
from topics.delivery import Channel

app = typer.Typer(help="How much one recipient may get.", no_args_is_help=True)
console = Console()

Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]
Days = Annotated[int, typer.Option(min=0, max=366, help="in any so many days")]


async def _permitted(work: Work, email: str) -> str:
    actor = await actor_of(email)
    await require(work, actor, Right.MANAGE_CAMPAIGNS)
    return actor.id


@app.command("list")
def list_rules() -> None:
    """List the pressure rules; each of them must allow a message."""

    async def find() -> list[Rule]:
        async with opened("delivery") as delivery, delivery.pool.acquire() as connection:
            return await PressureStore(connection).rules()

    table = Table("rule", "label", "channel", "at most", "in days", "per", "plans count")
    for one in asyncio.run(find()):
        table.add_row(
            str(one.rule_id),
            one.label,
            one.channel or "all",
            str(one.most),
            str(one.days),
            "" if one.per is Grouping.NONE else one.per,
            "yes" if one.planned else "no",
        )
    console.print(table if table.row_count else "there is no pressure rule")


@app.command("save")
def save_rule(
    label: str,
    operator: Who,
    most: Annotated[int, typer.Option(min=1, max=1000, help="messages at most")] = 3,
    days: Days = 15,
    per: Annotated[Grouping, typer.Option(help="extend the days to whole periods")] = Grouping.NONE,
    channel: Annotated[Channel | None, typer.Option(help="of one channel; else of all")] = None,
    planned: Annotated[bool, typer.Option(help="heavier plans count too")] = False,
    rule: Annotated[UUID | None, typer.Option(help="the rule to change")] = None,
) -> None:
    """Save a pressure rule; it holds for recipients that are prepared from now on."""
    if channel not in {None, Channel.EMAIL, Channel.DIRECT_MAIL}:
        raise typer.BadParameter("rules are over email and direct_mail", param_hint="--channel")
    saved = Rule(rule or new_id(), label, channel, most, days, per, planned)

    async def save() -> None:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            by = await _permitted(work, operator)
            await PressureStore(work.connection).save(saved, by, work.now)

    or_exit(save())
    console.print(f"{saved.rule_id} at most {most} messages in {days} days")


@app.command("remove")
def remove_rule(rule: UUID, operator: Who) -> None:
    """Remove a pressure rule."""

    async def remove() -> bool:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            await _permitted(work, operator)
            return await PressureStore(work.connection).remove(rule)

    if not or_exit(remove()):
        raise SystemExit(f"there is no rule {rule}")
    console.print("removed")
