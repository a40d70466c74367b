"""``muster bench``: the benchmarks, which live with the tests and so need a checkout."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer


def bench(
    what: Annotated[str, typer.Argument(help="core, actions or timings")] = "core",
    runs: Annotated[int, typer.Option(min=1, max=20)] = 3,
) -> None:
    """Measure, write docs/results, print; run it in a checkout."""
    if importlib.util.find_spec("tests") is None:
        raise SystemExit("the benchmarks are part of the repository: run this in a checkout")
    command = [sys.executable, "-m", "tests.bench", what, "--runs", str(runs)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own module
