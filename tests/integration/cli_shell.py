"""A shell for the tests of the command line: an instance, and ``muster`` in it.

A process takes two seconds to import everything; where its being one is not the point, the command
line runs here, through the same ``main``.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncpg
from rich.console import Console

from services.cli.main import main
from tests.conftest import REPOSITORY
from tests.instances import Instance, expect_topics, fresh_instance
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

    def _variables(self, changes: dict[str, str]) -> dict[str, str]:
        """Return the environment of a command; what is set to nothing is left out."""
        variables = {
            **os.environ,
            **self.instance.environment(),
            "PYTHONPATH": str(REPOSITORY),
            "COLUMNS": "240",
            "NO_COLOR": "1",
            **changes,
        }
        return {name: value for name, value in variables.items() if value}

    def process(self, *words: str, **environment: str) -> Said:
        """Run a command as a process."""
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *words],
            cwd=self.folder,
            env=self._variables(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def muster(self, *words: str, **environment: str) -> Said:
        """Run a command here."""
        output, error = io.StringIO(), io.StringIO()
        code: str | int | None = 0
        with (
            patch.dict(os.environ, self._variables(environment), clear=True),
            patch.object(sys, "argv", ["muster", *words]),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(error),
        ):
            _widen()
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        if isinstance(code, str):
            error.write(code)
            code = 1
        return Said(code or 0, output.getvalue(), error.getvalue())

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


def _widen() -> None:
    """Let no line of a table be wrapped."""
    for name, module in list(sys.modules.items()):
        found = getattr(module, "console", None)
        if name.startswith("services.cli") and isinstance(found, Console):
            found.width = 240


@contextmanager
def shell(servers: Servers, folder: Path, *, namespace: str | None = None) -> Iterator[Shell]:
    """Yield a shell over an empty database of its own, dropped afterwards with its roles.

    ``namespace`` is that of the topics; by default the database's name.
    """
    with asyncio.Runner() as runner:
        made = fresh_instance(servers, namespace=namespace)
        instance = runner.run(made.__aenter__())
        if namespace is None:
            expect_topics(instance.namespace)
        try:
            yield Shell(instance, folder)
        finally:
            runner.run(made.__aexit__(None, None, None))
