"""The demo's stage: embedded servers, the stub workspace, a process per service."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from deploy.embedded.ports import free_port
from deploy.embedded.slack import Seed, Workspace
from services.cli import environment, up
from services.cli.catalogue import NAMES
from services.cli.running import processes, wait_until_ready
from shared.clock import AheadClock

SLACK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story needs: addresses, the workspace's driver, the owner's view of the rows."""

    variables: dict[str, str]
    folder: Path
    slack: Workspace
    slack_url: str
    owner: asyncpg.Pool[asyncpg.Record]
    workers: dict[str, subprocess.Popen[bytes]]

    @property
    def web_url(self) -> str:
        """Where web answers."""
        return self.variables["PUBLIC_URL"]

    @property
    def clock(self) -> AheadClock:
        """The clock that all services go by."""
        return AheadClock(Path(self.variables["MUSTER_CLOCK_FILE"]))

    async def value(self, query: str, *arguments: object) -> Any:
        """Return one value of the rows."""
        return await self.owner.fetchval(query, *arguments)

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return rows."""
        found: list[asyncpg.Record] = await self.owner.fetch(query, *arguments)
        return found


@asynccontextmanager
async def slack_stub(folder: Path) -> AsyncIterator[str]:
    """Run the stub workspace as a process; yield its Web API address."""
    log = (folder / "logs" / "slack.log").open("ab")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.embedded.slack", "--data", str(folder / "slack")),
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        stdin=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(SLACK_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise SystemExit(f"the stub workspace did not start; see {folder}/logs/slack.log")
        yield line.decode().strip()
    finally:
        log.close()
        if process.returncode is None:
            process.terminate()
            await process.wait()


def slack_variables(url: str) -> dict[str, str]:
    """Return the variables that point the bot at the stub workspace."""
    app = Seed().app
    return {
        "SLACK_API_URL": url,
        "SLACK_BOT_TOKEN": app.bot_token,
        "SLACK_APP_TOKEN": app.app_token,
        "SLACK_SIGNING_SECRET": app.signing_secret,
        "SLACK_CHANNEL": "C0CAMPAIGNS",
        "SLACK_UPDATE_SECONDS": "1",
    }


def _own(folder: Path) -> dict[str, str]:
    """Return where the printers' folders and the clock of the demo are."""
    here = folder.absolute()
    return {"SUPPLIER_OUTBOX": str(here / "printers"), "MUSTER_CLOCK_FILE": str(here / "clock")}


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[tuple[dict[str, str], str]]:
    """Yield an instance's variables, its servers, schemas and topics up, and Slack's address."""
    for name in ("logs", "rejects"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    async with up.servers(folder) as variables, slack_stub(folder) as slack_url:
        quick = {"WORKFLOW_SWEEP_SECONDS": "1", "HEARTBEAT_SECONDS": "2", "LOG_LEVEL": "info"}
        quick |= {"MUSTER_DEMO": "1", "SENDER_RETRY_BASE_SECONDS": "1"}
        # Where mails come back to: each leaves with an envelope sender of its own in this domain.
        back = {"BOUNCE_DOMAIN": "bounces.muster.example", "BOUNCE_SMTP_PORT": str(free_port())}
        instance = {**variables, **slack_variables(slack_url), **quick, **back, **_own(folder)}
        os.environ.update(instance)
        # A command against the demo's instance must go by the same clock.
        environment.remember(folder, instance)
        yield instance, slack_url


@asynccontextmanager
async def actors(variables: dict[str, str], slack_url: str, folder: Path) -> AsyncIterator[Stage]:
    """Run every service as a process and yield the stage once all are ready."""
    with processes(variables, folder) as workers:
        await wait_until_ready(NAMES, int(variables["HTTP_BASE_PORT"]))
        owner = await asyncpg.create_pool(variables["DATABASE_URL"], min_size=1, max_size=2)
        try:
            async with Workspace(slack_url) as slack:
                await slack.wait_for_connection(1, timeout=60)
                yield Stage(variables, folder, slack, slack_url, owner, workers)
        finally:
            await owner.close()
