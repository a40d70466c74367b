"""``muster operator``, ``token`` and ``erase``: who uses Muster, and who is forgotten."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.answering import or_exit
from services.cli.catalogue import MODULES, NAMES
from services.cli.environment import settings_or_exit
from services.cli.letters import opened
from services.web.operators import add_operator, find_operator, link_operator
from services.web.roster import Report, import_operators
from services.web.tokens import create_token
from shared import erasing
from shared.database import without_time_limit
from shared.errors import Refused
from shared.ids import recipient_key
from topics.operators import Role
from topics.phones import reached_by

operators = typer.Typer(help="Who uses Muster.", no_args_is_help=True)
tokens = typer.Typer(help="API tokens.", no_args_is_help=True)
console = Console()


@operators.command("add")
def operator_add(
    name: str,
    email: str,
    role: Annotated[list[Role], typer.Option(help="may be given several times")],
    group: Annotated[list[str] | None, typer.Option(help="may be given several times")] = None,
    slack: Annotated[str | None, typer.Option(help="Slack member id, such as U0123456789")] = None,
    language: Annotated[str, typer.Option(help="en or fr")] = "en",
) -> None:
    """Add an operator."""

    async def add() -> str:
        async with opened("web") as web, web.uow.begin() as work:
            operator_id = await add_operator(
                work,
                name=name,
                email=email,
                roles=role,
                groups=group or (),
                slack_user_id=slack,
                language=language,
            )
            return str(operator_id)

    console.print(f"{name} is operator {or_exit(add())}")


@operators.command("link")
def operator_link(
    email: Annotated[str, typer.Argument(help="the operator's e-mail")],
    slack: Annotated[str, typer.Argument(help="Slack member id, such as U0123456789")],
) -> None:
    """Make a Slack account an operator's; whoever had it before no longer does."""

    async def link() -> str:
        async with opened("web") as web, web.uow.begin() as work:
            operator_id = await find_operator(work, email)
            if operator_id is None:
                raise Refused("there is no operator with that e-mail")
            return (await link_operator(work, operator_id, slack)).name

    console.print(f"{or_exit(link())} is {slack} in Slack")


@operators.command("import")
def operator_import(file: Path) -> None:
    """Add or update operators from a CSV file (name,email,roles,groups,slack_user_id,language)."""

    async def load() -> Report:
        async with opened("web") as web:
            return await import_operators(web.uow, _chunks(file))

    report = or_exit(load())
    console.print(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged,"
        f" {report.rejected} rejected"
    )
    for rejected in report.reasons:
        console.print(f"line {rejected.line}: {rejected.reason}", soft_wrap=True)
    if report.rejected:
        raise typer.Exit(1)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened_file:
        while chunk := await asyncio.to_thread(opened_file.read, 65_536):
            yield chunk


@tokens.command("create")
def token_create(
    email: Annotated[str, typer.Argument(help="the operator's e-mail")],
    scope: Annotated[list[str], typer.Option(help="read, write, admin or a service's name")],
    days: Annotated[int, typer.Option(min=1, max=365, help="how long it is good")] = 90,
) -> None:
    """Make an API token; it is shown once."""

    async def make() -> str:
        async with opened("web") as web, web.uow.begin() as work:
            operator_id = await find_operator(work, email)
            if operator_id is None:
                raise Refused("there is no operator with that e-mail")
            expires_at = datetime.now(UTC) + timedelta(days=days)
            return await create_token(work, operator_id, scope, expires_at)

    # Plain text on standard output alone, so that it can be piped.
    typer.echo(or_exit(make()))


def erase(
    address: Annotated[
        str,
        typer.Argument(
            help="the e-mail address, or a phone number such as +33612345678, to forget"
        ),
    ],
) -> None:
    """Forget a person: every schema, dead letters and read models; counts stay."""
    console.print(f"{asyncio.run(_erase(address))} rows were cleared")
    console.print("topics forget with their retention: see `muster topics check` and names.py")


async def _erase(address: str) -> int:
    channel, address = reached_by(address)
    key = recipient_key(settings_or_exit().secret, channel, address)
    cleared = 0
    for name in NAMES:
        module = MODULES[name].removesuffix(".app") + ".erase"
        async with opened(name) as runtime, runtime.uow.begin() as work:
            # Forgotten whole or not at all, however many rows have to be looked through.
            await without_time_limit(work.connection)
            if importlib.util.find_spec(module) is not None:
                cleared += await importlib.import_module(module).erase(work, key, address)
            cleared += await erasing.erase(work, address)
    return cleared
