"""``muster up``: an instance on this machine, in one process or one per service."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.embedded.cluster import EmbeddedCluster
from services.cli import environment, setup
from services.cli.catalogue import NAMES
from services.cli.running import configure_logs, processes, run_services, wait_until_ready
from shared import topics_admin
from shared.settings import Settings, load

console = Console()


@asynccontextmanager
async def servers(folder: Path, *, brokers: int | None = None) -> AsyncIterator[dict[str, str]]:
    """Yield the variables of an instance: the environment's servers, else embedded ones.

    Schemas and topics are brought up to date. Embedded servers stop when the block ends.
    ``brokers``: how many embedded Kafka brokers; what the folder has when not told.
    """
    if all(name in os.environ for name in environment.NEEDED):
        variables = {name: os.environ[name] for name in environment.NEEDED}
        await prepare(variables)
        yield variables
        return
    cluster = EmbeddedCluster(folder, brokers=brokers, detach=False)
    await cluster.start()
    try:
        variables = environment.of_cluster(cluster, folder)
        variables |= {"MAIL_URL": cluster.mail_url, "MUSTER_INSTANCE": "local"}
        base = int(os.environ.get("HTTP_BASE_PORT") or environment.free_block(8080, len(NAMES)))
        variables |= {"HTTP_BASE_PORT": str(base), "PUBLIC_URL": f"http://127.0.0.1:{base}"}
        variables["SUPPLIER_FILES"] = str(folder / "supplier-files")
        environment.remember(folder, variables)
        await prepare(variables)
        yield variables
    finally:
        await cluster.stop()


async def prepare(variables: Mapping[str, str]) -> None:
    """Bring schemas, roles and topics up to date."""
    os.environ.update(variables)
    settings = load(Settings)
    await setup.migrate_all(settings)
    await topics_admin.apply(settings)


def up(
    processes_each: Annotated[
        bool, typer.Option("--processes", help="one process per service")
    ] = False,
    folder: Annotated[Path, typer.Option(help="where data and logs are kept")] = environment.FOLDER,
    brokers: Annotated[
        int | None,
        typer.Option(help="embedded Kafka brokers: 1, or 3 of which one may die; settled once"),
    ] = None,
) -> None:
    """Run everything here until interrupted; embedded servers unless the environment names some."""
    configure_logs("muster")
    asyncio.run(_up(folder, each=processes_each, brokers=brokers))


async def _up(folder: Path, *, each: bool, brokers: int | None) -> None:
    async with servers(folder, brokers=brokers) as variables:
        base = int(variables.get("HTTP_BASE_PORT", "8080"))
        console.print(f"[bold]Muster[/] on http://127.0.0.1:{base}/")
        if "MAIL_URL" in variables:
            console.print(f"Mail catcher on {variables['MAIL_URL']}")
        if not each:
            await run_services(NAMES)
            return
        with processes(variables, folder):
            await wait_until_ready(NAMES, base)
            console.print("every service is ready; interrupt to stop")
            await _until_interrupted()


async def _until_interrupted() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
