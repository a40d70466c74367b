"""The embedded PostgreSQL as a real server."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.process import ProcessId, identify, is_alive, spawn, terminate
from deploy.embedded.unprivileged import unprivileged_user
from tests.waiting import eventually


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path, settings={"max_connections": "20"})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(server.url(), timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def process_folder(server: EmbeddedPostgres) -> Path:
    process = server.running()
    assert process is not None
    return Path(f"/proc/{process.pid}")


def data_of(server: EmbeddedPostgres) -> Path:
    return (process_folder(server) / "cwd").readlink()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_owner_signs_in_and_nobody_without_the_password_does(
    postgres: EmbeddedPostgres,
) -> None:
    assert await ask(postgres, "SELECT current_user::text") == "muster"
    assert await ask(postgres, "SELECT current_setting('fsync')") == "on"
    assert await ask(postgres, "SELECT current_setting('max_connections')") == "20"
    assert await ask(postgres, "SELECT upper('été')") == "ÉTÉ"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            host="127.0.0.1", port=postgres.port(), user="muster", password="x", database="muster"
        )
    assert mode_of(postgres.folder / "password") == 0o600


async def test_committed_rows_survive_a_kill_of_the_server(postgres: EmbeddedPostgres) -> None:
    await ask(postgres, "CREATE TABLE t AS SELECT 42 AS answer")
    port = postgres.port()
    await postgres.kill()
    assert await postgres.start(keep_ports=True)
    assert postgres.port() == port
    assert await ask(postgres, "SELECT answer FROM t") == 42


async def test_a_child_that_outlives_a_killed_server_is_waited_for(
    postgres: EmbeddedPostgres,
) -> None:
    connection = await asyncpg.connect(postgres.url(), timeout=10)
    child = await connection.fetchval("SELECT pg_backend_pid()")
    os.kill(child, signal.SIGSTOP)
    await postgres.kill()
    starting = asyncio.create_task(postgres.start(keep_ports=True))
    try:
        await eventually(lambda: "is still in use" in postgres.tail(), what="a refused start")
        assert not starting.done()
    finally:
        os.kill(child, signal.SIGCONT)
    assert await starting
    connection.terminate()


async def test_a_stale_lock_whose_pid_went_to_another_program_is_cleared(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    lock = data_of(postgres) / "postmaster.pid"
    await postgres.kill()
    other = spawn(
        ("/bin/sleep", "60"),
        log=tmp_path / "sleep.log",
        cwd=Path("/"),
        env={},
        run_as=unprivileged_user(),
    )
    try:
        lines = lock.read_text().split("\n")
        lock.write_text("\n".join([str(other.pid), *lines[1:]]))
        assert await postgres.start()
        assert is_alive(other)
    finally:
        await terminate(other)


async def test_a_server_nobody_recorded_is_named_not_hurt(postgres: EmbeddedPostgres) -> None:
    process = postgres.running()
    assert process is not None
    state = postgres.folder / "state.json"
    kept = state.read_text()
    state.unlink()
    with pytest.raises(EmbeddedError, match=f"kill -INT {process.pid}"):
        await postgres.start()
    state.write_text(kept)
    assert postgres.running() == process


async def test_a_value_in_a_failed_statement_is_not_logged(postgres: EmbeddedPostgres) -> None:
    await ask(postgres, "CREATE TABLE people (address text PRIMARY KEY)")
    insert = "INSERT INTO people VALUES ('jeanne@muster.example')"
    await ask(postgres, insert)
    with pytest.raises(asyncpg.UniqueViolationError):
        await ask(postgres, insert)
    assert "people_pkey" in postgres.tail()
    assert "jeanne" not in postgres.tail()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
async def test_root_runs_it_as_somebody_else_and_opens_no_folder(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    assert process_folder(postgres).owner() != "root"
    assert mode_of(tmp_path) == 0o700
    data = data_of(postgres)
    assert not data.is_relative_to(tmp_path)
    assert mode_of(data) == 0o700


async def test_a_folder_made_anew_gets_a_database_anew(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    for time_no in range(2):
        server = EmbeddedPostgres(folder)
        await server.start()
        assert await ask(server, "SELECT to_regclass('t')::text") is None
        await ask(server, "CREATE TABLE t ()")
        await server.stop()
        for file in folder.glob("*"):
            file.unlink() if file.is_file() else None
        if (folder / "data").exists():
            (folder / "data").rename(tmp_path / f"old-{time_no}")


async def test_the_older_version_runs_too_and_data_is_not_mixed_up(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, version=16)
    await server.start()
    try:
        assert str(await ask(server, "SHOW server_version")).startswith("16.")
    finally:
        await server.stop()
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 16, not 18"):
        await EmbeddedPostgres(tmp_path).start()


async def test_a_clean_stop_ends_the_process(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    await server.start()
    process = server.running()
    assert isinstance(process, ProcessId)
    await server.stop()
    assert identify(process.pid) is None
    assert "database system is shut down" in server.tail()
