"""``muster events``: outside events pushed from a file; a context in JSON and in XML."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from services.cli import archive, event_control, event_templates, levels
from services.cli.choices import actor_of
from services.cli.contexts import context_in, is_xml, sample_in
from services.cli.letters import opened
from services.web.events.context import xml_of
from services.web.events.door import Clash, EventDoor
from services.web.events.files import Drop, Report
from services.web.events.publishing import BrokerAway, Publisher
from services.web.events.reading import NotRead
from shared.errors import Refused
from shared.rights import Right, require
from topics.outside import Queue

app = typer.Typer(help="Outside events of the Message Center.", no_args_is_help=True)
for each in (
    event_control.show,
    event_control.pause,
    event_control.resume,
    event_control.resend,
    event_control.recycle,
):
    app.command()(each)
app.add_typer(event_control.rules, name="rules")
app.command("levels")(levels.levels)
app.add_typer(levels.app, name="threshold")
app.command("archive")(archive.archive)
app.command("rebuild")(archive.rebuild)
app.command("templates")(event_templates.list_templates)
app.add_typer(event_templates.app, name="template")
console = Console()


@app.command()
def push(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON, .csv or .parquet")
    ],
    operator: Annotated[str, typer.Option(help="who pushes (e-mail)")],
    queue: Annotated[Queue, typer.Option(help="which queue they go to")] = Queue.BATCH,
    rejects: Annotated[Path | None, typer.Option(help="where rejected items go")] = None,
) -> None:
    """Push a file of events; one that was broken off goes on, one pushed twice is taken once."""
    where = rejects or file.with_suffix(".rejects.csv")
    size = file.stat().st_size
    try:
        report = asyncio.run(_push(file, size, where, operator, queue))
    except (Refused, NotRead, Clash, BrokerAway) as problem:
        raise SystemExit(str(problem)) from None
    earlier = f", {report.again} taken before" if report.again else ""
    console.print(f"{report.taken} events taken{earlier}, {report.rejected} rejected")
    if report.rejected:
        console.print(f"rejected items, with field and reason: {where}")
        raise typer.Exit(1)


@app.command()
def ctx(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="XML or JSON")],
) -> None:
    """Say what a template reads of a sample <ctx> (its JSON), or how JSON is pushed as XML."""
    found = context_in(file)
    if is_xml(sample_in(file)):
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    try:
        typer.echo(xml_of(found))
    except ValueError as problem:
        raise SystemExit(f"{file}: {problem}") from None


async def _push(file: Path, size: int, rejects: Path, email: str, queue: Queue) -> Report:
    actor = await actor_of(email)
    async with opened("web") as web:
        async with web.uow.begin() as work:
            await require(work, actor, Right.MANAGE_EVENTS)
        publisher = Publisher(web.settings)
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
        try:
            with Progress(*columns, console=console, transient=True) as progress:
                bar = progress.add_task("", total=size)
                drop = Drop(file, rejects, lambda read: progress.advance(bar, read))
                return await drop.push(EventDoor(web, publisher), UUID(actor.id), queue)
        finally:
            await publisher.close()
