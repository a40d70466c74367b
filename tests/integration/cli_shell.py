"""A shell for the tests of the command line: an instance, and ``muster`` as a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from tests.conftest import REPOSITORY, Instance
from tests.servers import Servers


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    output: str
    error: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands on an instance, in a folder of their own."""

    instance: Instance
    folder: Path

    def muster(self, *words: str, **environment: str) -> Said:
        """Run a command; variables set to nothing are left out."""
        variables = {
            **os.environ,
            **self.instance.environment(),
            "PYTHONPATH": str(REPOSITORY),
            "COLUMNS": "240",
            "NO_COLOR": "1",
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *words],
            cwd=self.folder,
            env={name: value for name, value in variables.items() if value},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def does(self, *words: str, **environment: str) -> str:
        """Run a command that must succeed; return what it printed."""
        said = self.muster(*words, **environment)
        assert said.code == 0, said.output + said.error
        return said.output

    def refuses(self, *words: str, **environment: str) -> str:
        """Run a command that must fail without a stack trace; return all it said."""
        said = self.muster(*words, **environment)
        assert said.code not in {0, None}, said.output
        assert "Traceback" not in said.error, said.error
        return said.output + said.error

    def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Run SQL as the owner; return its rows."""

        async def run() -> list[dict[str, Any]]:
            owner = await asyncpg.connect(self.instance.database_url)
            try:
                return [dict(row) for row in await owner.fetch(statement, *arguments)]
            finally:
                await owner.close()

        return asyncio.run(run())


@contextmanager
def shell(servers: Servers, folder: Path, *, namespace: str | None = None) -> Iterator[Shell]:
    """Yield a shell over an empty database of its own, dropped afterwards with its roles.

    ``namespace`` is that of the topics; by default the database's name.
    """
    name = f"t{uuid4().hex[:12]}"
    asyncio.run(_as_owner(servers, f"CREATE DATABASE {name}"))
    try:
        yield Shell(
            Instance(
                servers.database_url.rpartition("/")[0] + f"/{name}",
                servers.kafka_bootstrap,
                namespace or f"{name}.",
                servers.smtp_host,
                servers.smtp_port,
                servers.mail_url,
            ),
            folder,
        )
    finally:
        asyncio.run(_drop(servers, name))
        if namespace is None:
            asyncio.run(_forget_topics(servers, f"{name}."))


async def _forget_topics(servers: Servers, namespace: str) -> None:
    """Delete an instance's topics: a broker that keeps them all starts slowly."""
    client = AIOKafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
    await client.start()
    try:
        names = [name for name in await client.list_topics() if name.startswith(namespace)]
        await client.delete_topics(names, timeout_ms=30_000)
    finally:
        await client.close()


async def _as_owner(servers: Servers, statement: str) -> None:
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(statement)
    await owner.close()


async def _drop(servers: Servers, name: str) -> None:
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    roles = await owner.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE $1", f"{name}\\_%")
    for row in roles:
        await owner.execute(f"DROP ROLE {row['rolname']}")
    await owner.close()
