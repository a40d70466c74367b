"""Service processes at the price of a fork: one parent has imported everything already.

Starting an interpreter and importing a service costs about 2 s of a core; two hundred scenarios
start four hundred processes. The children are real processes: they own their connections, and die
and freeze by signals like any other.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.conftest import REPOSITORY
from tests.driving import Spawn
from tests.waiting import PATIENCE


@dataclass
class Child:
    """A process that the nursery started."""

    pid: int
    nursery: Nursery

    def poll(self) -> int | None:
        """Return its exit code, ``None`` while it lives."""
        code: int | None = self.nursery.ask({"poll": self.pid})
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        deadline = time.monotonic() + (timeout if timeout is not None else 60)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a service", timeout or 60)
            time.sleep(0.01)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal; none to a process that has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


class Nursery:
    """The parent process, spoken to in lines of JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        # Asked from the event loop and from threads that wait for children to end.
        self._turn = threading.Lock()

    def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer to one question."""
        assert self._process.stdin is not None, "it was opened as a pipe"
        assert self._process.stdout is not None, "it was opened as a pipe"
        with self._turn:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the nursery has ended; its reason is on the standard error output"
        return json.loads(answer)

    def spawn(self, arguments: Sequence[str], variables: Mapping[str, str], log: Path) -> Child:
        """Start ``muster`` with arguments in a new process."""
        wish = {"arguments": list(arguments), "variables": dict(variables), "log": str(log)}
        return Child(self.ask({"spawn": wish}), self)


@asynccontextmanager
async def nursery() -> AsyncIterator[Spawn]:
    """Yield a way to start service processes quickly; their parent ends with the block."""
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        parent = Nursery(process)
        await asyncio.to_thread(parent.ask, {"poll": 0})
        yield parent.spawn
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.to_thread(process.wait, PATIENCE)


# -- in the parent process

_PR_SET_PDEATHSIG = 1


def _serve() -> None:
    from services.cli.catalogue import find  # noqa: PLC0415 - the nursery's whole point
    from tests.faults import child, world  # noqa: PLC0415

    for name in (*world.SPINE, "web"):
        find(name)
    codes: dict[int, int] = {}
    for line in sys.stdin:
        question = json.loads(line)
        if "spawn" in question:
            pid = _fork(question["spawn"], child.run)
            _answer(sys.stdout, pid)
        else:
            _reap(codes)
            _answer(sys.stdout, codes.get(question["poll"]))


def _answer(output: IO[str], value: object) -> None:
    output.write(json.dumps(value) + "\n")
    output.flush()


def _reap(codes: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            codes[found[0]] = os.waitstatus_to_exitcode(found[1])


def _fork(wish: dict[str, Any], run: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    # A frozen child would outlive a test run that was cut short.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(wish["variables"])
    code = 1
    try:
        run(wish["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the end of a process, told in its log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    # An interrupt is for the tests, which then end their children one by one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve()
