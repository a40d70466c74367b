"""Ends servers when the process that started them is gone, however it went.

A cluster that is not detached starts one guard and keeps the writing end of its input open. Each
line names a server; at the end of input, which the kernel makes when the owner dies, every named
server that still runs is ended. Run as ``python -m deploy.embedded.guard``.
"""

import asyncio
import json
import signal
import subprocess
import sys

from deploy.embedded.process import ProcessId, terminate
from deploy.embedded.python import module_environment, run_module


class Guard:
    """The owner's end of a guard."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this module
            run_module("deploy.embedded.guard"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=module_environment(),
            start_new_session=True,
        )

    def watch(self, process: ProcessId, first: signal.Signals, patience_seconds: float) -> None:
        """End that process when this one is gone."""
        line = [process.pid, process.started, int(first), patience_seconds]
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(line).encode("ascii") + b"\n")
            self._process.stdin.flush()

    async def dismiss(self) -> None:
        """Let the guard do its duty and end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.to_thread(self._process.wait, 60)


async def _end_all(lines: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        for line in lines:
            pid, started, first, patience_seconds = json.loads(line)
            process = ProcessId(int(pid), str(started))
            signal_first = signal.Signals(int(first))
            group.create_task(
                terminate(process, first=signal_first, patience_seconds=float(patience_seconds))
            )


if __name__ == "__main__":
    asyncio.run(_end_all(sys.stdin.readlines()))
