"""Runs the stub as a process: ``python -m deploy.embedded.slack --port N --data DIR``."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.embedded.slack.seed import BadSeed, Seed
from deploy.embedded.slack.stub import SlackStub


async def _serve(stub: SlackStub, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with stub:
        # The one line a caller reads; Rich must neither wrap nor colour it.
        console.out(stub.base_url, highlight=False)
        await stop.wait()


def run(
    data: Annotated[Path, typer.Option(help="Folder of the transcript, snapshot and files.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    seed: Annotated[Path | None, typer.Option(help="JSON file of people and channels.")] = None,
    request_url: Annotated[str | None, typer.Option(help="The app's URL, for HTTP mode.")] = None,
) -> None:
    """Serve a stub Slack workspace until interrupted; prints its Web API address."""
    console = Console()
    try:
        workspace = Seed.read(seed) if seed else None
        stub = SlackStub(data, port=port, seed=workspace, request_url=request_url)
        asyncio.run(_serve(stub, console))
    except BadSeed as fault:
        Console(stderr=True).print(str(fault), markup=False, soft_wrap=True)
        raise typer.Exit(2) from fault
    except OSError as fault:
        message = f"cannot serve on port {port}: {fault.strerror}; choose another with --port"
        Console(stderr=True).print(message, markup=False, soft_wrap=True)
        raise typer.Exit(1) from fault


if __name__ == "__main__":
    typer.run(run)
