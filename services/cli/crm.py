"""``muster targeting``: the directory, from files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.choices import actor_of
from services.cli.letters import opened
from services.targeting.imports import ImportReport, Kind, import_csv
from shared.errors import Refused

app = typer.Typer(help="The directory of sites, contacts, employees and deals.")
console = Console()


@app.callback()
def about() -> None:
    """Work on the directory."""


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
