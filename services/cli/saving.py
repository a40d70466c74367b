"""Money on the command line: files are saved, what a person may is done, rows are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import orjson
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from services.cli.choices import actor_of
from services.cli.letters import opened
from shared.database import Connection
from shared.errors import Refused
from shared.http import carry_out
from shared.ids import new_id
from topics.cloudevents import describe
from topics.message import Actor, Command

console = Console()
T = TypeVar("T")


def of_budget(find: Callable[[Connection], Awaitable[T]]) -> T:
    """Return what is found in the budget's rows."""

    async def ask() -> T:
        async with opened("budget") as budget, budget.pool.acquire() as connection:
            return await find(connection)

    return asyncio.run(ask())


def said_as_json(found: BaseModel | Sequence[BaseModel], *, as_json: bool) -> bool:
    """Print what was found as JSON, a line a thing, when that is asked; return whether it was."""
    if as_json:
        many = [found] if isinstance(found, BaseModel) else found
        typer.echo("\n".join(one.model_dump_json() for one in many))
    return as_json


def save_file(file: Path, email: str, kind: type[Command], id_field: str) -> None:
    """Save what a file says, under its id or a new one, and print the id."""
    try:
        typed = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as problem:
        raise SystemExit(f"{file} cannot be read: {problem}") from None
    if not isinstance(typed, dict):
        raise SystemExit(f"{file} holds no JSON object")
    object_id = typed.setdefault(id_field, str(new_id()))
    carry_out_as(
        lambda actor: kind.model_validate_json(
            orjson.dumps(typed | {"actor": actor.model_dump(mode="json")})
        ),
        email,
    )
    console.print(object_id)


def carry_out_as(command: Callable[[Actor], Command], email: str) -> None:
    """Have the budget carry out what an operator asks, or say why not."""

    async def ask() -> None:
        actor = await actor_of(email)
        async with opened("budget") as budget:
            await carry_out(budget, command(actor))

    or_say_why(ask)


def or_say_why(ask: Callable[[], Coroutine[None, None, None]]) -> None:
    """Carry something out, or say why not."""
    try:
        asyncio.run(ask())
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None
    except ValidationError as problem:
        raise SystemExit(describe(problem)) from None


def show_rows(names: Sequence[str], rows: Sequence[Sequence[object]], *, nothing: str) -> None:
    """Print rows under their names, or that there is nothing."""
    table = Table(*names)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table if rows else nothing)
