"""Server processes: in a session of their own, known by pid and start time, ended boundedly.

A pid alone is not an identity, since the system gives it out again; a signal is sent only to
the process that was recorded.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import EmbeddedError

_POLL_SECONDS = 0.02
_HAS_PROC = Path("/proc/self/stat").exists()
# Children of this process are kept so that a dead one is reaped and does not look alive.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process among all that ever had its pid."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class RunAs:
    """The unprivileged user under whom a server runs when root starts it."""

    uid: int
    gid: int


def _linux_identity(pid: int) -> ProcessId | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    # A killed process of many threads is a zombie while the last of them still closes its sockets.
    if fields[0] in "ZX" and _thread_count(pid) <= 1:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return ProcessId(pid, f"{boot[:8]}-{fields[19]}")


def _thread_count(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def _posix_identity(pid: int) -> ProcessId | None:
    answer = subprocess.run(  # noqa: S603 - a fixed program and a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    status, _, started = answer.stdout.strip().partition(" ")
    return ProcessId(pid, started.strip()) if started and "Z" not in status else None


def identify(pid: int) -> ProcessId | None:
    """Return the identity of the process that has ``pid`` now, None when it is dead or unreaped."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return None
    return _linux_identity(pid) if _HAS_PROC else _posix_identity(pid)


def is_alive(process: ProcessId) -> bool:
    """Return whether that very process runs."""
    return identify(process.pid) == process


def command_line(pid: int) -> str:
    """Return the words a process was started with, empty when it is gone or hidden."""
    if _HAS_PROC:
        try:
            return (
                Path(f"/proc/{pid}/cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode("utf-8", "replace")
            )
        except OSError:
            return ""
    answer = subprocess.run(  # noqa: S603 - a fixed program and a number
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    run_as: RunAs | None = None,
) -> ProcessId:
    """Start ``command`` in its own session, its output appended to ``log``; return who it is.

    Raises:
        EmbeddedError: when it could not be started.
    """
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own servers
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
                user=run_as.uid if run_as else None,
                group=run_as.gid if run_as else None,
                extra_groups=[] if run_as else None,
            )
    except OSError as error:
        raise EmbeddedError(
            f"{command[0]} could not be started: {error}.",
            "Check that the file exists and may be run by this user, and that memory is left.",
        ) from error
    _children[child.pid] = child
    return identify(child.pid) or ProcessId(child.pid, "")


def send_signal(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to that very process; nothing happens when it is gone."""
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


async def wait_gone(process: ProcessId, timeout_seconds: float) -> bool:
    """Return True as soon as the process is gone, False when it still runs at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def terminate(
    process: ProcessId, *, first: signal.Signals = signal.SIGTERM, patience_seconds: float = 20.0
) -> None:
    """End the process: ``first``, a bounded wait, then SIGKILL.

    Raises:
        EmbeddedError: when even SIGKILL does not end it (a process stuck in the kernel).
    """
    send_signal(process, first)
    if await wait_gone(process, patience_seconds):
        return
    send_signal(process, signal.SIGKILL)
    if not await wait_gone(process, 10.0):
        raise EmbeddedError(
            f"Process {process.pid} does not end, even after SIGKILL.",
            "It hangs in the kernel, often on a disk that does not answer: look at that disk.",
        )
