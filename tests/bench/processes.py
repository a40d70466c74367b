"""The sink, and what processes take of the machine, from the kernel's accounting."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.ports import free_port

SINK_CONNECTIONS: Final = 1_000
_TICK: Final = os.sysconf("SC_CLK_TCK")


def program(name: str) -> str:
    """Return where one of postfix's test programs is.

    Raises:
        SystemExit: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is missing: install the package postfix")
    return found


@dataclass(frozen=True, slots=True)
class Sink:
    """A running ``smtp-sink``."""

    port: int
    pid: int


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Run Debian's ``smtp-sink`` and yield it."""
    port = free_port()
    # It drops its privileges when started as root, and counts nothing: it only answers.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program("smtp-sink"), *user, "-m", str(SINK_CONNECTIONS), f"127.0.0.1:{port}", "1000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Sink(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("smtp-sink does not answer")


def server_pids(root: Path) -> dict[str, list[int]]:
    """Return the processes of embedded servers, by name; none where they are not ours."""
    found = {}
    for name in ("postgres", "kafka"):
        state = root / name / "state.json"
        if state.exists():
            found[name] = [int(json.loads(state.read_text())["process"]["pid"])]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its children and those it has waited for."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_or_descends_from(int(entry.name), pid):
            total += sum(int(one) for one in _stat(int(entry.name))[11:15]) / _TICK
    return total


def _is_or_descends_from(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        fields = _stat(pid)
        if not fields:
            return False
        pid = int(fields[1])
    return pid == ancestor


def cpu_of(pids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the CPU seconds of processes, summed by the name they go by."""
    return {name: sum(cpu_seconds(pid) for pid in found) for name, found in pids.items()}


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's accounting from its state on; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def peak_mb(pid: int) -> float:
    """Return a process's peak resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
