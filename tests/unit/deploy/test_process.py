"""Processes are known by pid and start time, and ended boundedly."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.process import (
    ProcessId,
    identify,
    is_alive,
    send_signal,
    spawn,
    terminate,
    wait_gone,
)
from tests.waiting import eventually

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True);"

# Its first thread ends, and leaves a zombie of that name, while another one goes on.
LEADERLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def start(tmp_path: Path, code: str = "") -> ProcessId:
    command = (sys.executable, "-c", f"{code}import time; time.sleep(60)")
    return spawn(command, log=tmp_path / "log", cwd=tmp_path, env=dict(os.environ))


def is_zombie(process: ProcessId) -> bool:
    return ") Z " in Path(f"/proc/{process.pid}/stat").read_text()


async def test_a_started_process_is_alive_until_it_is_terminated(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert is_alive(process)
    await terminate(process)
    assert not is_alive(process)


async def test_a_process_that_ignores_the_signal_is_killed_after_the_wait(tmp_path: Path) -> None:
    process = start(tmp_path, STUBBORN)
    await eventually(lambda: "up" in (tmp_path / "log").read_text(), what="its first word")
    begun = time.monotonic()
    await terminate(process, patience_seconds=0.3)
    assert not is_alive(process)
    assert 0.3 <= time.monotonic() - begun < 5


async def test_another_process_with_the_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    process = start(tmp_path)
    earlier = ProcessId(process.pid, "an earlier start")
    try:
        assert not is_alive(earlier)
        send_signal(earlier, signal.SIGKILL)
        await terminate(earlier)
        assert is_alive(process)
    finally:
        await terminate(process, first=signal.SIGKILL)


async def test_a_killed_child_that_nobody_waited_for_does_not_look_alive(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert await wait_gone(process, 5)
    assert identify(process.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
async def test_a_process_whose_last_thread_still_runs_is_not_gone(tmp_path: Path) -> None:
    process = start(tmp_path, LEADERLESS)
    try:
        await eventually(lambda: is_zombie(process), what="the end of the first thread")
        assert is_alive(process)
    finally:
        await terminate(process, first=signal.SIGKILL)


async def test_waiting_for_a_living_process_is_bounded(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        assert not await wait_gone(process, 0.1)
    finally:
        await terminate(process, first=signal.SIGKILL)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="no-such-program"):
        spawn(("/no-such-program",), log=tmp_path / "log", cwd=tmp_path, env={})
