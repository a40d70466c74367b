"""``muster``: the commands, each a few lines over what it calls."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Annotated, Final

import asyncpg
import typer
from rich.console import Console

from deploy.embedded.errors import EmbeddedError
from services.cli import (
    approvals,
    bills,
    campaigns,
    checking,
    crm,
    goods,
    letters,
    money,
    outside,
    people,
    planning,
    sending,
    series,
    setup,
    supervision,
    suppliers,
    waves,
    webhooks,
)
from services.cli.backup import backup, restore
from services.cli.benching import bench
from services.cli.catalogue import NAMES, UnknownService
from services.cli.demo import demo
from services.cli.environment import recall, settings_or_exit
from services.cli.replaying import TopicMissing, replay
from services.cli.serve import serve
from services.cli.up import up
from shared.errors import INTERRUPTIONS, reason_of
from shared.kafka import KafkaError
from shared.migrations import MigrationError
from shared.settings import SettingsError

app = typer.Typer(
    name="muster",
    help="Muster, an open campaign back office.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(setup.topics, name="topics")
app.add_typer(letters.app, name="dlq")
app.add_typer(supervision.app, name="workflows")
app.add_typer(people.operators, name="operator")
app.add_typer(people.tokens, name="token")
campaigns.app.add_typer(series.app)
campaigns.app.add_typer(waves.app)
app.add_typer(campaigns.app, name="campaign")
app.add_typer(approvals.app, name="approvals")
app.add_typer(planning.plans, name="plan")
app.add_typer(planning.programs, name="program")
app.add_typer(crm.app, name="targeting")
app.add_typer(sending.app, name="delivery")
app.add_typer(outside.app, name="events")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(goods.app, name="stock")
app.add_typer(suppliers.app, name="supplier")
money.budgets.add_typer(bills.orders, name="order")
money.budgets.add_typer(bills.invoices, name="invoice")
money.budgets.add_typer(bills.rates, name="rate")
app.add_typer(money.budgets, name="budget")
app.add_typer(money.tasks, name="task")
app.command()(bench)
app.command()(backup)
app.command()(restore)
app.command()(people.erase)
app.command()(up)
app.command()(demo)
app.command()(setup.doctor)
app.command()(replay)
app.command()(checking.check)
console = Console()

UNREACHABLE: Final = (
    *INTERRUPTIONS,
    KafkaError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
)
"""A server does not answer, or was not set up: the doctor says which, a stack trace does not."""


def _say_version(wanted: bool) -> None:
    if wanted:
        console.print(f"muster {importlib.metadata.version('muster')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    """Run, set up and look after an instance of Muster."""
    del version


@app.command()
def service(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(NAMES)}")],
    replica: Annotated[int, typer.Option(min=1, help="tells replicas apart")] = 1,
) -> None:
    """Run one service; start it as often as you like, each with its own --replica."""
    recall()
    serve(name, replica=replica)


@app.command()
def migrate() -> None:
    """Bring schemas, roles and the direct-SQL role up to date (with an owner's DATABASE_URL)."""
    for line in asyncio.run(setup.migrate_all(settings_or_exit())):
        console.print(line)
    console.print("schemas are up to date")


def main() -> None:
    """Run the command line; a known problem is a plain text, not a stack trace."""
    try:
        app()
    except (SettingsError, MigrationError, UnknownService, EmbeddedError, TopicMissing) as problem:
        raise SystemExit(str(problem)) from None
    except UNREACHABLE as problem:
        raise SystemExit(f"{reason_of(problem)}: see what is missing with: muster doctor") from None
