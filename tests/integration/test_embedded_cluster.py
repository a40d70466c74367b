"""The servers of a folder together: shared, raced for, tied to a process, seen from the CLI."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import pytest

from deploy.embedded.cluster import EmbeddedCluster
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import HOST, accepts, free_port
from deploy.embedded.process import is_alive
from tests.waiting import eventually

OWNER = """
import asyncio, sys
from pathlib import Path
from deploy.embedded.cluster import EmbeddedCluster
async def own():
    all_of_them, detach = sys.argv[2] == "all", sys.argv[3] == "detach"
    cluster = EmbeddedCluster(
        Path(sys.argv[1]), kafka=False, postgres=all_of_them, detach=detach
    )
    await cluster.start()
    print("up", [server.running().pid for server in cluster.servers], flush=True)
    if sys.argv[3] == "tied":
        await asyncio.sleep(60)
asyncio.run(own())
"""


async def owner(root: Path, which: str, how: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, str(root), which, how), stdout=subprocess.PIPE
    )


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode()


async def muster(*words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.embedded", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[EmbeddedCluster]:
    """The mail catcher and PostgreSQL of an empty folder, not started."""
    found = EmbeddedCluster(tmp_path, kafka=False)
    try:
        yield found
    finally:
        await found.stop()


async def test_servers_outlive_the_process_that_started_them_and_are_shared(
    cluster: EmbeddedCluster,
) -> None:
    other = await owner(cluster.root, "all", "detach")
    said = await first_line(other)
    await other.wait()
    pids = [server.running() for server in cluster.servers]
    assert said == f"up {[found.pid for found in pids if found]}\n"
    await cluster.start()
    assert [server.running() for server in cluster.servers] == pids
    assert all(one.answers for one in await cluster.status())


async def test_processes_that_start_at_once_end_up_with_the_same_servers(
    cluster: EmbeddedCluster,
) -> None:
    others = [await owner(cluster.root, "mail", "detach") for _ in range(3)]
    said = {await first_line(other) for other in others}
    await asyncio.gather(*(other.wait() for other in others))
    assert len(said) == 1
    assert next(iter(said)).startswith("up")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_tied_servers_end_with_their_owner_however_it_ends(
    cluster: EmbeddedCluster, number: signal.Signals
) -> None:
    other = await owner(cluster.root, "all", "tied")
    assert (await first_line(other)).startswith("up")
    processes = [found for server in cluster.servers if (found := server.running())]
    assert len(processes) == 2
    other.send_signal(number)
    await other.wait()
    await eventually(lambda: not any(map(is_alive, processes)), what="the end of the servers")


async def test_a_stop_ends_everything_and_only_that(cluster: EmbeddedCluster) -> None:
    await cluster.start()
    ports = [port for one in await cluster.status() for port in one.ports.values()]
    await cluster.stop()
    assert not any(map(accepts, ports))
    assert all(one.pid is None for one in await cluster.status())
    await cluster.stop()


async def test_the_command_starts_shows_and_stops(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    cluster = EmbeddedCluster(tmp_path / "root")
    try:
        code, said = await muster("start", "--root", root)
        assert code == 0, said
        assert f"KAFKA_BOOTSTRAP={cluster.kafka_bootstrap}" in said
        assert (await muster("env", "--root", root))[1] == said
        code, said = await muster("status", "--root", root)
        assert (code, said.count("answers")) == (0, 3)
        async with aiosmtplib.SMTP(hostname=HOST, port=cluster.smtp_port) as client:
            assert client.is_connected
        code, said = await muster("stop", "--root", root)
        assert code == 0, said
        code, said = await muster("status", "--root", root)
        assert code == 1
        assert said.count("stopped") == 3
    finally:
        await cluster.stop()


async def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), HOST, port)
    wanted = EmbeddedCluster(tmp_path, kafka=False, postgres=False, ports={"smtp": port})
    async with other:
        with pytest.raises(EmbeddedError, match=f"port {port} of {HOST}"):
            await wanted.start()
    assert [one.pid for one in await wanted.status()] == [None]


async def test_when_one_server_fails_the_others_do_not_stay_behind(tmp_path: Path) -> None:
    settings = {"shared_buffers": "a lot"}
    wanted = EmbeddedCluster(tmp_path, kafka=False, postgres_settings=settings)
    with pytest.raises(EmbeddedError, match="shared_buffers"):
        await wanted.start()
    assert [one.pid for one in await wanted.status()] == [None, None]


async def test_state_files_say_who_runs(cluster: EmbeddedCluster) -> None:
    await cluster.start()
    state = json.loads((cluster.root / "mail" / "state.json").read_text())
    found = cluster.mail.running()
    assert found is not None
    assert state["process"] == {"pid": found.pid, "started": found.started}
    assert os.getsid(found.pid) == found.pid
