"""``muster targeting``: the directory, from files, and who opted out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from services.cli.choices import actor_of
from services.cli.letters import opened
from services.targeting.consents import Address, ConsentState, NewConsent, held, recorded
from services.targeting.imports import ImportReport, Kind, import_csv
from shared.errors import Refused
from topics.cloudevents import describe

app = typer.Typer(help="The directory of sites, contacts, employees and deals, and consent.")
console = Console()

By = Annotated[str, typer.Option("--operator", help="who notes it (e-mail)")]
Channel = Annotated[str, typer.Option(help="of which channel")]


@app.command("import")
def import_file(
    kind: Kind,
    file: Path,
    operator: Annotated[str, typer.Option(help="who imports (e-mail)")],
    rejects: Annotated[Path | None, typer.Option(help="where rejected rows go")] = None,
) -> None:
    """Import a CSV file; it can be imported again, and bad rows land in a reject file."""
    where = rejects or file.with_suffix(".rejects.csv")
    try:
        report = asyncio.run(_import(kind, file, where, operator))
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None
    console.print(
        f"{report.rows} rows: {report.created} new, {report.updated} updated,"
        f" {report.unchanged} unchanged, {report.rejected} rejected"
    )
    if report.rejected:
        console.print(f"rejected rows, with line and reason: {where}")
        raise typer.Exit(1)


async def _import(kind: Kind, file: Path, rejects: Path, email: str) -> ImportReport:
    actor = await actor_of(email)
    async with opened("targeting") as targeting:
        return await import_csv(targeting.uow, kind, file, rejects, actor)


@app.command()
def consent(address: str, channel: Channel = "email") -> None:
    """Show whether an address opted out."""

    async def asked() -> ConsentState:
        async with opened("targeting") as targeting:
            return await held(targeting, Address(address=address, channel=channel))

    try:
        _show(asyncio.run(asked()))
    except ValidationError as problem:
        raise SystemExit(describe(problem)) from None


@app.command("opt-out")
def opt_out(address: str, operator: By, channel: Channel = "email") -> None:
    """Note that somebody wants no messages of a channel any more."""
    _note(address, channel, operator, opted_out=True)


@app.command("opt-in")
def opt_in(address: str, operator: By, channel: Channel = "email") -> None:
    """Note that somebody wants messages of a channel again."""
    _note(address, channel, operator, opted_out=False)


def _note(address: str, channel: str, email: str, *, opted_out: bool) -> None:
    async def noted() -> ConsentState:
        said = NewConsent(address=address, channel=channel, opted_out=opted_out)
        actor = await actor_of(email)
        async with opened("targeting") as targeting:
            return await recorded(targeting, said, actor)

    try:
        _show(asyncio.run(noted()))
    except ValidationError as problem:
        raise SystemExit(describe(problem)) from None
    except Refused as refusal:
        raise SystemExit(refusal.reason) from None


def _show(state: ConsentState) -> None:
    if state.at is None:
        console.print(f"{state.channel}: nobody said anything")
        return
    word = "opted out" if state.opted_out else "opted in"
    console.print(f"{state.channel}: {word} since {state.at:%Y-%m-%d %H:%M:%S} UTC")
