"""The demo's command: set the stage, tell the story, show the tables, keep serving."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.embedded.slack.watcher import WaitedInVain
from services.cli import environment
from services.cli.demo import stage as staging
from services.cli.demo.story import Story
from services.cli.demo.tables import show
from services.cli.demo.telling import Stuck
from services.cli.running import configure_logs


def demo(
    once: Annotated[bool, typer.Option("--once", help="end by itself")] = False,
    folder: Annotated[Path, typer.Option(help="where data and logs are kept")] = (
        environment.FOLDER / "demo"
    ),
    contacts: Annotated[
        int | None,
        typer.Option(min=1, max=2_000_000, help="so many contacts, generated, not the shipped CRM"),
    ] = None,
) -> None:
    """Show campaigns from a Slack command to Finished; exit 0 only if every invariant holds."""
    os.environ.setdefault("LOG_LEVEL", "warning")
    configure_logs("demo")
    keep_serving = sys.stdout.isatty() and not once
    try:
        code = asyncio.run(_demo(folder, keep_serving=keep_serving, contacts=contacts))
    except asyncio.CancelledError:
        code = 128 + signal.SIGTERM
    raise typer.Exit(code)


async def _demo(folder: Path, *, keep_serving: bool, contacts: int | None) -> int:
    # A service manager's SIGTERM ends it as Ctrl-C does: no process is left behind.
    this = asyncio.current_task()
    assert this is not None, "runs as a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    # A pipe has no width of its own: notes would be cut at 80 characters.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.rule("[bold]Muster[/]: campaigns from Slack to Finished")
    console.print("starting Kafka, PostgreSQL, a mail catcher and a stub Slack workspace …")
    async with staging.servers(folder) as (variables, slack_url):
        console.print("starting a process for each service …")
        async with staging.actors(variables, slack_url, folder) as stage:
            story = Story(stage, console, contacts=contacts)
            try:
                await story.tell()
            except (Stuck, WaitedInVain) as problem:
                console.print(f"[red]✗ {problem}[/]", soft_wrap=True)
                return 1
            well = await show(story, console)
            verdict = "every sum adds up, every invariant holds" if well else "something is broken"
            console.print(f"[bold {'green' if well else 'red'}]{verdict}[/]")
            addresses(console, stage)
            if keep_serving:
                console.print("still serving; press Ctrl-C to stop")
                await _until_interrupted()
            return 0 if well else 1


def addresses(console: Console, stage: staging.Stage) -> None:
    """Print where to look."""
    console.print(f"Start page    {stage.web_url}/")
    console.print(f"Sent mails    {stage.variables['MAIL_URL']}")
    console.print(f"Slack (stub)  {stage.slack_url.removesuffix('api/')}")
    console.print(f"Logs, files   {stage.folder}")


async def _until_interrupted() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
