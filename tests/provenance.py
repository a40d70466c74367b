"""Where a result comes from: the commit it was measured on, the machine, the time."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import Final

from tests.conftest import REPOSITORY

# What a measurement itself writes says nothing about what was measured.
_WRITTEN: Final = (":!docs/results", ":!docs/benchmarks.md", ":!docs/reliability.md")


def provenance(command: str) -> dict[str, str]:
    """Return the first lines of a results file, for the command that made it."""
    return {
        "commit": commit(),
        "command": command,
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Return the checkout's commit, ``-dirty`` when code differs from it, else ``unknown``."""
    name = _git("rev-parse", "--short", "HEAD")
    if not name:
        return "unknown"
    changed = _git("status", "--porcelain", "--", ".", *_WRITTEN)
    return f"{name}-dirty" if changed else name


def _git(*arguments: str) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return run.stdout.strip() if run.returncode == 0 else ""
