"""``muster targeting``: the directory, from files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.letters import opened
from services.targeting.imports import ImportReport, Kind, import_csv
from services.web.operators import find_operator
from shared.errors import Refused
from topics.message import Actor, Via

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
    async with opened("web") as web, web.uow.begin() as work:
        operator_id = await find_operator(work, email)
    if operator_id is None:
        raise Refused(f"there is no operator {email}; add one with: muster operator add")
    async with opened("targeting") as targeting:
        actor = Actor(id=str(operator_id), via=Via.CLI)
        return await import_csv(targeting.uow, kind, file, rejects, actor)
