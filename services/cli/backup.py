"""``muster backup`` and ``restore``: every schema in one file, and a careful second life.

A restored instance knows nothing of what was sent after its backup. So it starts with sending and
posting stopped, under a new epoch, and reads its topics again from the backup's time; people look
first.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg
import typer
from rich.console import Console

from bot.restored import after_restore
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.postgres import installation
from services.cli import setup
from services.cli.catalogue import NAMES, find
from services.cli.environment import settings_or_exit
from services.cli.letters import opened
from services.cli.replaying import TopicMissing, members_of, rewind_to
from services.cli.supervision import owners
from shared import kafka
from shared.database import identifier
from shared.settings import Settings

console = Console()
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SENDING: Final = (
    "operationMgt",
    "deliveryMgt",
    "supplierMgt",
    "rtEventsProcessing",
    "batchEventsProcessing",
    "eventsRecycling",
    "slackPosting",
)
"""The technical workflows that make something leave the house, be it to Slack."""

_SCHEMAS: Final = """
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') ORDER BY 1
"""
_TABLES: Final = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relkind IN ('r', 'p', 'v', 'S')
"""
# An order that waited for a step to end when the backup was made must not start it again.
_STOP: Final = """
WITH dropped AS (DELETE FROM {schema}.workflow_orders WHERE name = $1)
INSERT INTO {schema}.technical_workflows (name, status) VALUES ($1, 'stopped')
ON CONFLICT (name) DO UPDATE
SET status = 'stopped', version = technical_workflows.version + 1,
    lease_owner = NULL, lease_until = '-infinity'
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored instance: its epoch, when its backup was made, the groups rewound to then."""

    epoch: int
    backup_at: datetime
    rewound: int | None


def backup(
    file: Annotated[Path, typer.Argument(help="the file to write; it must not exist")],
) -> None:
    """Write every schema into one file, while the services go on."""
    settings = settings_or_exit()
    if file.exists():
        raise SystemExit(f"{file} exists already; choose another name")
    schemas = asyncio.run(_before_backup(settings))
    tool = _tool("pg_dump", asyncio.run(_server_major(settings)))
    # It holds people's addresses: nobody but its owner may read it.
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    options = [f"--schema={schema}" for schema in schemas]
    try:
        _run(
            tool, settings, "--format=custom", "--no-owner", "--no-acl", *options, f"--file={file}"
        )
    except BaseException:
        file.unlink()
        raise
    size = file.stat().st_size / 1_000_000
    console.print(
        f"{len(schemas)} schemas in {file} ({size:.1f} MB); keep it with MUSTER_SECRET_KEY"
    )


async def _before_backup(settings: Settings) -> list[str]:
    """Note the time in every schema, so that the backup knows its own; return the schemas."""
    connection: Connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        found = [row["nspname"] for row in await connection.fetch(_SCHEMAS)]
        missing = [name for name in NAMES if name not in found]
        if missing:
            raise SystemExit(f"there is no schema of {', '.join(missing)}; run: muster migrate")
        for name in NAMES:
            await connection.execute(f"UPDATE {identifier(name)}.instance SET backup_at = now()")
        return found
    finally:
        await connection.close()


def restore(file: Annotated[Path, typer.Argument(help="what muster backup wrote")]) -> None:
    """Restore a backup into an empty database; sending and posting wait until you start them."""
    settings = settings_or_exit()
    if not file.is_file():
        raise SystemExit(f"there is no file {file}")
    asyncio.run(_require_empty(settings))
    asyncio.run(_require_no_members(settings))
    tool = _tool("pg_restore", asyncio.run(_server_major(settings)))
    database = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-acl", str(file)]
    _run(tool, settings, *database)
    done = asyncio.run(_after_restore(settings))
    _say_what_next(done)


async def _require_empty(settings: Settings) -> None:
    connection: Connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        schemas = [row["nspname"] for row in await connection.fetch(_SCHEMAS)]
        tables = await connection.fetchval(_TABLES)
    finally:
        await connection.close()
    if schemas or tables:
        held = ", ".join(schemas) or f"{tables} tables"
        raise SystemExit(
            f"the database is not empty: it holds {held}. Restore into a new one:"
            " create it and name it in DATABASE_URL"
        )


async def _require_no_members(settings: Settings) -> None:
    try:
        running = [
            name
            for name in NAMES
            for reader in find(name).registries
            if await members_of(settings, reader)
        ]
    except (kafka.KafkaError, OSError):
        return
    if running:
        raise SystemExit(f"{', '.join(running)} still run: stop them first, then restore")


async def _after_restore(settings: Settings) -> Restored:
    await setup.migrate_all(settings)
    connection: Connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        async with connection.transaction():
            row = await _begin_epoch(connection)
            for name, schema in owners().items():
                if name in SENDING:
                    await connection.execute(_STOP.format(schema=identifier(schema)), name)
    finally:
        await connection.close()
    async with opened("bot", settings) as bot, bot.uow.begin() as work:
        await after_restore(work.connection)
    return Restored(row["epoch"], row["backup_at"], await _rewind(settings, row["backup_at"]))


async def _begin_epoch(connection: Connection) -> asyncpg.Record:
    row: asyncpg.Record | None = None
    for name in NAMES:
        row = await connection.fetchrow(
            f"UPDATE {identifier(name)}.instance SET epoch = epoch + 1, restored_at = now()"
            " RETURNING epoch, backup_at"
        )
    if row is None or row["backup_at"] is None:
        raise SystemExit("this file was not written by `muster backup`; nothing can be rewound")
    return row


async def _rewind(settings: Settings, moment: datetime) -> int | None:
    """Set every group to the backup's time; return how many, ``None`` without a broker."""
    try:
        rewound = 0
        for name in NAMES:
            async with opened(name, settings) as runtime:
                for one in runtime.consumers:
                    topics = [topic.name for topic in one.registry.topics]
                    await rewind_to(settings, one.name, topics, moment)
                    rewound += 1
    except (kafka.KafkaError, OSError, TopicMissing):
        return None
    return rewound


def _say_what_next(done: Restored) -> None:
    console.print(
        f"restored: epoch {done.epoch}, as of {done.backup_at.isoformat(timespec='seconds')}"
    )
    if done.rewound is None:
        console.print(
            "Kafka did not answer or lacks topics: run muster topics apply, then for each service"
            f" muster replay TOPIC --group SERVICE --repair --from {done.backup_at.isoformat()}",
            soft_wrap=True,
        )
    else:
        console.print(f"{done.rewound} consumer groups read again from that time")
    console.print(f"Sending is stopped: {', '.join(SENDING)}. What to do now:", soft_wrap=True)
    for line in (
        "1. start the services; they catch up with the topics, and nothing leaves",
        "2. muster check, then muster dlq list",
        "3. compare what was sent since the backup with the mail server's own log",
        "4. when all is well: muster workflows start slackPosting --local, then deliveryMgt",
        "   and the others; /workflows in Slack has a button for each",
    ):
        console.print(line)


def _tool(name: str, server_major: int) -> Path:
    """Return the newest ``pg_dump`` or ``pg_restore`` there is: PATH's, or the embedded one.

    Raises:
        SystemExit: none is as new as the server.
    """
    found = {_major(path): path for path in _candidates(name)}
    newest = max(found, default=0)
    if newest < server_major:
        raise SystemExit(
            f"{name} {server_major} or newer is needed, and the newest here is {newest or 'none'}:"
            " install PostgreSQL's client programs, or pip install 'muster[embedded]'"
        )
    return found[newest]


def _candidates(name: str) -> list[Path]:
    paths = [Path(path)] if (path := shutil.which(name)) else []
    try:
        embedded = installation(18) / "bin" / name
    except EmbeddedError:
        return paths
    return [*paths, embedded] if embedded.exists() else paths


def _major(tool: Path) -> int:
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - a tool of PostgreSQL
    found = re.search(r" (\d+)", said.stdout)
    return int(found[1]) if found else 0


async def _server_major(settings: Settings) -> int:
    connection: Connection = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        return connection.get_server_version().major
    finally:
        await connection.close()


def _run(tool: Path, settings: Settings, *options: str) -> None:
    """Run a tool of PostgreSQL; the password stays out of the list of processes."""
    parts = urlsplit(settings.database_url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    url = urlunsplit(parts._replace(netloc=f"{name}@{host}" if name else host))
    environment = {**os.environ, "PGPASSWORD": unquote(password)}
    done = subprocess.run(  # noqa: S603 - a tool of PostgreSQL
        [tool, f"--dbname={url}", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{tool.name} failed: {done.stderr.strip()[-1000:]}")
