"""The lock between processes, the folders, and what an unprivileged user can reach."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.locks import folder_lock
from deploy.embedded.paths import cache_folder, make_folder, require_space
from deploy.embedded.process import RunAs
from deploy.embedded.unprivileged import may_enter

HOLDER = """
import asyncio, sys
from pathlib import Path
from deploy.embedded.locks import folder_lock
async def hold():
    async with folder_lock(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_only_one_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    async def hold(name: str) -> None:
        async with folder_lock(tmp_path / "lock"):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(hold("a"), hold("b"))
    assert order in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


async def test_the_lock_of_another_process_is_waited_for_and_dies_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(lock)), stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(EmbeddedError, match=f"Process {holder.pid} has held"):
            async with folder_lock(lock, timeout_seconds=0.1):
                pytest.fail("two processes hold the lock")
        holder.send_signal(signal.SIGKILL)
        async with folder_lock(lock, timeout_seconds=10):
            assert lock.read_text() == str(os.getpid())
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.communicate()


def test_the_cache_is_where_muster_home_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("MUSTER_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "muster"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="file/root cannot be made"):
        make_folder(tmp_path / "file" / "root")


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"MB left and .* MB are needed\. Free some space"):
        require_space(tmp_path, min_free_bytes=2**62)


def test_a_closed_folder_above_keeps_others_out() -> None:
    stranger = RunAs(uid=65_533, gid=65_533)
    with tempfile.TemporaryDirectory() as name:
        above = Path(name)
        inside = above / "open"
        inside.mkdir(mode=0o755)
        above.chmod(0o755)
        assert may_enter(inside, stranger)
        above.chmod(0o700)
        assert not may_enter(inside, stranger)
