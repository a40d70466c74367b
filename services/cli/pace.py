"""``muster delivery again|pace|domains``: what leaves again, and how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli.choices import actor_of
from services.cli.letters import opened
from services.delivery.domain.pace import Limit
from services.delivery.store.pace import PaceStore
from shared.errors import Refused
from shared.http import carry_out
from topics.delivery import AgainScope, SendAgain, SetDeliveryPace
from topics.message import Actor, Message

domains = typer.Typer(help="How much each destination's domain may get.", no_args_is_help=True)
console = Console()

Who = Annotated[str, typer.Option("--operator", help="who asks (e-mail)")]


async def _carry_out(command: Callable[[Actor], Message], email: str) -> list[Message]:
    """Carry a command out as an operator and return the answers, or say why not."""
    try:
        actor = await actor_of(email)
        async with opened("delivery") as delivery:
            return await carry_out(delivery, command(actor))
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None


def again(
    run_id: UUID,
    operator: Who,
    scope: Annotated[
        AgainScope, typer.Option(help="the failed, or all who got nothing though they may")
    ] = AgainScope.FAILED,
) -> None:
    """Send a run again to recipients who got nothing."""

    async def ask() -> None:
        async with opened("delivery") as delivery:
            row = await delivery.pool.fetchrow(
                "SELECT campaign_id, delivery_id FROM runs WHERE run_id = $1 AND kind = 'campaign'",
                run_id,
            )
        if row is None:
            raise SystemExit(f"there is no run {run_id}")

        def command(actor: Actor) -> SendAgain:
            return SendAgain(**dict(row), run_id=run_id, scope=scope, actor=actor)

        await _carry_out(command, operator)

    asyncio.run(ask())
    console.print("deliveryMgt puts them into the queue; see them leave in the run's totals")


def pace(
    campaign_id: UUID,
    operator: Who,
    rate: Annotated[
        int | None, typer.Option(min=1, help="messages a minute; none: no limit")
    ] = None,
) -> None:
    """Limit what a campaign's runs under way hand over a minute, or lift the limit."""

    def command(actor: Actor) -> SetDeliveryPace:
        return SetDeliveryPace(campaign_id=campaign_id, rate_per_minute=rate, actor=actor)

    if not asyncio.run(_carry_out(command, operator)):
        raise SystemExit("nothing of this campaign is under way: its pace is set while it is sent")
    console.print(f"{rate} messages a minute at most" if rate else "no limit")


@domains.command("list")
def list_domains() -> None:
    """List limited domains."""

    async def find() -> list[Limit]:
        async with opened("delivery") as delivery, delivery.pool.acquire() as connection:
            return await PaceStore(connection).limits()

    table = Table("domain", "a minute", "warm-up from", "first day", "factor a day")
    for one in asyncio.run(find()):
        table.add_row(
            one.domain,
            str(one.per_minute or ""),
            str(one.warmup_from or ""),
            str(one.warmup_start or ""),
            f"{one.warmup_factor.normalize():f}" if one.warmup_from else "",
        )
    console.print(table if table.row_count else "no domain is limited")


@domains.command("limit")
def limit_domain(
    domain: str,
    per_minute: Annotated[int | None, typer.Option(min=1, help="messages a minute")] = None,
    warmup_from: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    warmup_start: Annotated[int | None, typer.Option(min=1, help="messages that day")] = None,
    warmup_factor: Annotated[float, typer.Option(min=1, max=10, help="times each day")] = 2.0,
) -> None:
    """Limit what a domain may get, a minute or by a warm-up ramp."""
    if (warmup_from is None) != (warmup_start is None):
        raise SystemExit("--warmup-from and --warmup-start come together")
    if per_minute is None and warmup_from is None:
        raise SystemExit("give --per-minute, or --warmup-from and --warmup-start")
    limit = Limit(
        domain.strip().lower(),
        per_minute,
        warmup_from.date() if warmup_from else None,
        warmup_start,
        Decimal(str(warmup_factor)),
    )

    async def save() -> None:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            await PaceStore(work.connection).save(limit)

    asyncio.run(save())
    console.print(f"{limit.domain} is limited")


@domains.command("free")
def free_domain(domain: str) -> None:
    """Lift a domain's limit."""

    async def remove() -> bool:
        async with opened("delivery") as delivery, delivery.uow.begin() as work:
            return await PaceStore(work.connection).remove(domain.strip().lower())

    if not asyncio.run(remove()):
        raise SystemExit(f"{domain} has no limit")
    console.print(f"{domain} has no limit any more")
