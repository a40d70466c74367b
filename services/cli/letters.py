"""``muster dlq``: dead letters of every service, listed, shown and replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from services.cli.catalogue import NAMES, find
from services.cli.environment import settings_or_exit
from shared import dead_letters
from shared.database import open_pool
from shared.logs import redact
from shared.producer import unpack_headers
from shared.service import Runtime
from shared.settings import Settings, load

app = typer.Typer(help="Dead letters: what could not be handled.", no_args_is_help=True)
console = Console()


@asynccontextmanager
async def opened(name: str, settings: Settings | None = None) -> AsyncIterator[Runtime]:
    """Yield a service's runtime for a command: its rows and settings, no consumer."""
    service = find(name)
    if settings is None:
        settings_or_exit()
        settings = load(service.settings)
    pool = await open_pool(settings, name, size=2)
    try:
        yield Runtime(service, settings, pool)
    finally:
        await pool.close()


@app.command("list")
def list_letters(
    service: Annotated[str | None, typer.Option(help="one service only")] = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="those replayed too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List dead letters, newest first."""
    table = Table("service", "id", "topic", "type", "reason", "failed at", "replayed")
    for name in [service] if service else NAMES:
        for letter in asyncio.run(_listed(name, replayed=replayed, limit=limit)):
            table.add_row(
                name,
                str(letter.id),
                f"{letter.topic}[{letter.partition}]@{letter.kafka_offset}",
                letter.ce_type or "?",
                letter.reason,
                letter.failed_at.isoformat(timespec="seconds"),
                "yes" if letter.replayed_at else "",
            )
    console.print(table if table.row_count else "no dead letters")


async def _listed(name: str, *, replayed: bool, limit: int) -> list[dead_letters.DeadLetter]:
    async with opened(name) as runtime, runtime.uow.begin() as work:
        return list(await dead_letters.listed(work.connection, replayed=replayed, limit=limit))


@app.command()
def show(service: str, letter_id: UUID) -> None:
    """Show one dead letter's headers, and its body without personal data."""
    asyncio.run(_show(service, letter_id))


async def _show(service: str, letter_id: UUID) -> None:
    async with opened(service) as runtime:
        row = await runtime.pool.fetchrow(
            "SELECT headers, value, reason FROM dead_letters WHERE id = $1", letter_id
        )
    if row is None:
        raise SystemExit(f"{service} has no dead letter {letter_id}")
    console.print(f"reason: {row['reason']}", soft_wrap=True)
    for name, text in unpack_headers(row["headers"]):
        console.print(f"{name}: {redact(text.decode())}", soft_wrap=True)
    console.print(redact(row["value"].decode("utf-8", "replace")), soft_wrap=True, markup=False)


@app.command()
def replay(service: str, letter_id: UUID) -> None:
    """Hand a dead letter to its consumer again; those parked behind it follow in order."""
    if not asyncio.run(_replay(service, letter_id)):
        raise SystemExit(f"{service} has no dead letter {letter_id} that waits for a replay")
    console.print("handed back; the service takes it up within a second")


async def _replay(service: str, letter_id: UUID) -> bool:
    async with opened(service) as runtime, runtime.uow.begin() as work:
        return await dead_letters.replay(work, letter_id)
