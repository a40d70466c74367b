"""``muster events archive`` and ``rebuild``: what is left of events, and how to make it anew."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.answering import or_exit
from services.cli.letters import opened
from services.events_status import api_archive
from services.events_status.archive.pages import DeliveriesPage, Overview
from services.events_status.archive.rebuilding import Rebuilt
from services.events_status.archive.rebuilding import rebuild as make_anew

console = Console()

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a Monday")]


def archive(
    weeks: Annotated[
        bool, typer.Option("--weeks", help="count it by template and week of last change")
    ] = False,
    since: Day = None,
    until: Day = None,
    as_json: AsJson = False,
) -> None:
    """Show how far each account's synchronisation has come, or what the archive holds by week."""

    async def find() -> Overview | DeliveriesPage:
        async with opened("events_status") as runtime:
            if not weeks:
                return await api_archive.read_archive(runtime)
            days = (one.date() if one else None for one in (since, until))
            return await api_archive.list_deliveries(runtime, *days)

    found = or_exit(find())
    if as_json:
        typer.echo(found.model_dump_json())
    elif isinstance(found, Overview):
        _show(found)
    else:
        _show_weeks(found)


def _show(found: Overview) -> None:
    table = Table("account", "step", "all known until", "rows brought", "waiting")
    for account in found.accounts:
        for step in account.steps:
            until = f"{step.reached_at:%Y-%m-%d %H:%M:%S %Z}" if step.reached_at else ""
            waiting = "" if step.waiting is None else str(step.waiting)
            table.add_row(account.name, step.step, until, str(step.rows), waiting)
    console.print(table)
    for account in found.accounts:
        if account.held_by is not None:
            held = account.held_by
            console.print(f"[red]{held.workflow} is {held.status}: nothing is archived[/red]")
    console.print(f"{found.events} events are archived")
    if found.purge_waits_for:
        console.print(
            f"[red]the purge keeps {found.purge_waits_for} events past their time,"
            f" of {found.purge_waits_since:%Y-%m-%d} and later: they are not archived yet[/red]"
        )


def _show_weeks(found: DeliveriesPage) -> None:
    table = Table("week", "template", "channel", "type", "status", "events")
    for one in found.deliveries:
        template = one.template or str(one.template_id or "")
        table.add_row(
            str(one.week), template, one.channel, one.event_type, one.status, str(one.events)
        )
    console.print(table)


def rebuild() -> None:
    """Make the archive's events and the statistics anew from events.state.v1; the service may run.

    Purged events stay as the archive has them, and so do all logs: no topic holds them any more.
    """
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.completed} states read"), TimeElapsedColumn())

    async def run() -> Rebuilt:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=None)
            async with opened("events_status") as runtime:
                return await make_anew(
                    runtime.uow, runtime.settings, lambda read: progress.advance(task, read)
                )

    found = or_exit(run())
    seconds = time.monotonic() - began
    console.print(
        f"{found.records} states of {found.events} events read in {seconds:.1f} s"
        f" ({found.records / seconds:,.0f} a second); {found.archived} events archived or corrected"
    )
