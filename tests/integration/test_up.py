"""``muster up``: an instance on the environment's servers, every service in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from services.cli.catalogue import NAMES
from tests.driving import Worker, rig
from tests.instances import Instance


async def test_every_service_runs_in_one_process_and_leaves_when_it_is_told(
    instance: Instance, tmp_path: Path
) -> None:
    async with rig(instance, tmp_path) as made:
        variables = {"HTTP_BASE_PORT": str(made.base_port), "LOG_LEVEL": "info"}
        process = made.spawn(
            ("up", "--folder", str(tmp_path)), instance.environment(**variables), tmp_path / "log"
        )
        all_in_one = made.workers["up", 1] = Worker("up", process, made.base_port)
        await made.ready(*NAMES)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{made.base_port}") as web:
            assert (await web.get("/api/v1/stock/lines")).status_code == 401
        await asyncio.to_thread(all_in_one.stop)
        log = (tmp_path / "log").read_text()
        assert process.poll() == 0, log[-2000:]
        assert log.count("service.stopped") == len(NAMES)
