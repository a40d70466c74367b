"""The servers by hand: ``python -m deploy.embedded start|stop|status|env --root FOLDER``."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.embedded.cluster import EmbeddedCluster, ServerStatus
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import resolve_lock
from deploy.embedded.paths import make_folder

app = typer.Typer(help="The servers the demo and the tests run on.", no_args_is_help=True)
_out = Console()
_err = Console(stderr=True)
_Root = Annotated[Path, typer.Option(help="Folder of the instance.")]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except EmbeddedError as error:
        _err.print(Text("✗", "bold red"), error.what, highlight=False, markup=False)
        _err.print(error.todo, highlight=False, markup=False)
        raise typer.Exit(1) from error


def _print_environment(cluster: EmbeddedCluster) -> None:
    for name, value in cluster.environment().items():
        _out.out(f"{name}={value}", highlight=False)


def _state(one: ServerStatus) -> Text:
    if one.answers:
        return Text("answers", "green")
    return Text("runs, does not answer", "yellow") if one.pid else Text("stopped", "red")


@app.command()
def start(
    root: _Root = Path(".muster"),
    brokers: Annotated[
        int | None, typer.Option(help="Kafka brokers, 1 or 3; settled at the first start.")
    ] = None,
) -> None:
    """Start Kafka, PostgreSQL and the mail catcher; they go on running."""
    with _explained():
        cluster = EmbeddedCluster(root, brokers=brokers)
        asyncio.run(cluster.start())
        _print_environment(cluster)


@app.command()
def stop(root: _Root = Path(".muster")) -> None:
    """Stop the servers of the folder."""
    with _explained():
        asyncio.run(EmbeddedCluster(root).stop())


@app.command()
def status(root: _Root = Path(".muster")) -> None:
    """Show what runs; exit code 1 when something does not answer."""
    with _explained():
        found = asyncio.run(EmbeddedCluster(root).status())
    table = Table("server", "state", "pid", "ports", "log")
    for one in found:
        ports = ", ".join(f"{name} {port}" for name, port in one.ports.items())
        table.add_row(one.name, _state(one), str(one.pid or "–"), ports or "–", str(one.log))
    _out.print(table)
    if not all(one.answers for one in found):
        raise typer.Exit(1)


@app.command()
def env(root: _Root = Path(".muster")) -> None:
    """Print the settings that point a service at the servers."""
    with _explained():
        _print_environment(EmbeddedCluster(root))


@app.command()
def lock(
    scratch: Annotated[Path, typer.Argument(help="An empty folder for the downloads.")],
) -> None:
    """Print a new jars.sha256 (uses the network)."""
    with _explained():
        found = resolve_lock(make_folder(scratch))
    _out.out(found, end="", highlight=False)


if __name__ == "__main__":
    app()
