"""What all embedded servers do alike, seen on a server that only sleeps."""

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import HOST, free_port, is_free
from deploy.embedded.process import is_alive
from deploy.embedded.server import EmbeddedServer, Launch, write_private

SLEEP = "import time; time.sleep(60)"


class Sleeper(EmbeddedServer):
    """Answers as soon as it runs."""

    name = "Sleeper"
    start_seconds = 5.0
    stop_seconds = 2.0

    def __init__(
        self, folder: Path, *, code: str = SLEEP, ports: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(folder, ports)
        self.code = code
        self.healthy = True

    async def prepare(self, ports: Mapping[str, int]) -> Launch:
        command = (sys.executable, "-c", self.code, str(ports["port"]))
        return Launch(command, cwd=self.folder, env=dict(os.environ))

    async def answers(self) -> bool:
        return self.healthy and self.code == SLEEP


@contextmanager
def occupied(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        yield


async def test_a_running_server_is_used_again_also_by_another_object(tmp_path: Path) -> None:
    first, second = Sleeper(tmp_path), Sleeper(tmp_path)
    assert await first.start()
    try:
        assert not await second.start()
        assert second.running() == first.running()
        assert second.port() == first.port()
    finally:
        await second.stop()
    assert first.running() is None


async def test_the_port_is_kept_over_restarts(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    await server.start()
    port = server.port()
    await server.kill()
    assert await server.start()
    await server.stop()
    assert server.port() == port


async def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    await server.start()
    await server.stop()
    port = server.port()
    with occupied(port):
        await server.start()
        await server.stop()
    assert server.port() != port


async def test_a_restart_never_moves_to_another_port(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    await server.start()
    await server.stop()
    with occupied(server.port()), pytest.raises(EmbeddedError, match=str(server.port())):
        await server.start(keep_ports=True)


async def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    assert is_free(port)
    with occupied(port), pytest.raises(EmbeddedError, match=f"port {port}.*another program"):
        await Sleeper(tmp_path, ports={"port": port}).start()


async def test_a_start_that_fails_shows_the_last_words_and_leaves_nothing(tmp_path: Path) -> None:
    server = Sleeper(tmp_path, code="raise SystemExit('the moon is missing')")
    with pytest.raises(EmbeddedError, match="the moon is missing"):
        await server.start()
    assert server.running() is None


async def test_a_full_disk_is_named(tmp_path: Path) -> None:
    server = Sleeper(tmp_path, code="raise OSError(28, 'No space left on device')")
    with pytest.raises(EmbeddedError, match=r"disk of .* is full"):
        await server.start()


async def test_a_server_that_runs_but_never_answers_is_ended(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    server.healthy = False
    server.start_seconds = 0.3
    with pytest.raises(EmbeddedError, match="did not answer"):
        await server.start()
    assert server.running() is None


async def test_a_lost_race_for_a_port_is_tried_again(tmp_path: Path) -> None:
    flag = tmp_path / "second"
    server = Sleeper(tmp_path)
    losing = f"""
import pathlib, sys
flag = pathlib.Path({str(flag)!r})
if not flag.exists():
    flag.touch()
    sys.exit("Address already in use")
{SLEEP}"""
    server.code = losing
    seen: list[int] = []

    async def answers() -> bool:
        return flag.exists() and len(seen) == 2

    server.answers = answers  # type: ignore[method-assign]  # this one answers the second time
    await server.start(on_spawn=lambda process: seen.append(process.pid))
    await server.stop()
    assert len(seen) == 2


async def test_the_state_of_a_dead_process_is_stale(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    await server.start()
    process = server.running()
    assert process is not None
    await server.kill()
    recorded = json.loads((tmp_path / "state.json").read_text())
    assert recorded["process"]["pid"] == process.pid
    assert server.running() is None
    assert not is_alive(process)


def test_a_state_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(EmbeddedError, match="Remove that file"):
        Sleeper(tmp_path).state()


def test_the_state_file_is_private(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
