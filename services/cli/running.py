"""Running services: one, all in one process, or a process each."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from services.cli.catalogue import NAMES, find, port_of
from shared import logs, tracing
from shared.http import create_app, serve
from shared.logs import logger
from shared.service import open_runtime, run
from shared.settings import SettingsError, load

log = logger(__name__)

STOP_SECONDS: Final = 12.0
LEVELS: Final = ("debug", "info", "warning", "error")


async def run_services(names: Sequence[str], *, replica: int = 1) -> None:
    """Run services in this process until SIGTERM or SIGINT; each stops within 10 s.

    ``replica`` tells several processes of one service apart; those after the first take a free
    port of their own.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _collect_rarely()
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(_run_one(name, replica, stop))


def _collect_rarely() -> None:
    """Have cyclic garbage looked for less often, and never among what was imported.

    A batch makes thousands of objects that live until it is handled and are in no cycle: with
    Python's own thresholds every batch is gone through dozens of times for nothing.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _run_one(name: str, replica: int, stop: asyncio.Event) -> None:
    service = find(name)
    settings = load(service.settings)
    settings = settings.model_copy(
        update={"muster_instance": f"{settings.muster_instance}-{replica}"}
    )
    tracing.start(name)
    runtime = await open_runtime(service, settings)
    app = (service.make_app or create_app)(runtime)
    port = port_of(name, settings.http_base_port) if replica == 1 else 0
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(run(runtime, stop))
            group.create_task(serve(app, host=settings.http_host, port=port, stop=stop))
    finally:
        stop.set()


def start_process(
    name: str, environment: Mapping[str, str], log_file: Path
) -> subprocess.Popen[bytes]:
    """Start one service as a process of its own, its log appended to a file."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "services.cli.serve", name],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )


@contextmanager
def processes(
    environment: Mapping[str, str], folder: Path, names: Sequence[str] = NAMES
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run each service as a process while the block lasts; stop them cleanly after."""
    started = {
        name: start_process(name, environment, folder / "logs" / f"{name}.log") for name in names
    }
    try:
        yield started
    finally:
        stop_processes(list(started.values()))


def stop_processes(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask processes to stop, and kill what has not within the grace."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("process.killed", pid=process.pid)
            process.kill()
            process.wait()


async def wait_until_ready(names: Sequence[str], base_port: int, *, seconds: float = 180) -> None:
    """Return once every service answers that it is ready.

    Raises:
        TimeoutError: naming the services that do not.
    """
    async with httpx.AsyncClient(timeout=2) as client:
        waiting = list(names)
        deadline = asyncio.get_running_loop().time() + seconds
        while waiting:
            waiting = [n for n in waiting if not await _is_ready(client, port_of(n, base_port))]
            if waiting and asyncio.get_running_loop().time() > deadline:
                message = f"not ready within {seconds:g} s: {', '.join(waiting)}"
                raise TimeoutError(message)
            await asyncio.sleep(0.2 if waiting else 0)


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
    except httpx.HTTPError:
        return False
    return answer.is_success


def configure_logs(service: str) -> None:
    """Set up this process's logs by ``LOG_LEVEL``.

    Raises:
        SettingsError: there is no such level.
    """
    level = os.environ.get("LOG_LEVEL", "info").lower()
    if level not in LEVELS:
        allowed = ", ".join(f"'{one}'" for one in LEVELS)
        raise SettingsError(f"LOG_LEVEL: Input should be one of {allowed}")
    logs.configure(level=level, service=service)
