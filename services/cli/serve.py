"""``python -m services.cli.serve NAME``: one service's process, with no more than it needs."""

from __future__ import annotations

import argparse
import sys

import uvloop

from services.cli.catalogue import UnknownService, find
from services.cli.running import configure_logs, run_services
from shared.settings import SettingsError


def serve(name: str, *, replica: int = 1) -> None:
    """Run a service until it is told to stop.

    Raises:
        SystemExit: no such service, or a setting is missing or wrong.
    """
    told: list[str] = []
    try:
        configure_logs(name)
        find(name)
        uvloop.run(run_services([name], replica=replica))
    except* (UnknownService, SettingsError) as problems:
        told = [str(problem) for problem in problems.exceptions]
    if told:
        # Not from within: early releases of Python 3.11 wrap what is raised there.
        sys.exit("\n".join(told))


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="muster service")
    parser.add_argument("name")
    parser.add_argument("--replica", type=int, default=1)
    arguments = parser.parse_args()
    serve(arguments.name, replica=arguments.replica)


if __name__ == "__main__":
    main()
