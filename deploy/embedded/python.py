"""How to run a module of this code in another Python, installed or from a checkout."""

import os
import sys
from pathlib import Path

_CODE = Path(__file__).resolve().parents[2]


def run_module(name: str) -> tuple[str, ...]:
    """Return the command that runs a module with this very Python."""
    return (sys.executable, "-m", name)


def module_environment() -> dict[str, str]:
    """Return this process's environment, in which the other Python finds this code."""
    path = os.pathsep.join(filter(None, (str(_CODE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
