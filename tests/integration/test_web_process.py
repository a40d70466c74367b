"""Web as a process of its own: from the first operator to a campaign on the start page."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import httpx

from deploy.images import health
from tests.driving import Rig, rig
from tests.instances import Instance
from tests.waiting import PATIENCE, eventually


async def muster(instance: Instance, *arguments: str) -> str:
    """Run a command of the command line; return its last line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli", *arguments),
        env={**os.environ, **instance.environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, errors.decode()[-2000:]
    return out.decode().strip().splitlines()[-1]


async def create(client: httpx.AsyncClient) -> str:
    """Create a campaign as soon as the campaign service knows the operator; return its number."""

    async def created() -> str | None:
        answer = await client.post(
            "/api/v1/campaign/campaigns", json={"plan": {"label": "Over Kafka"}}
        )
        return f"C-{answer.json()['state']['number']}" if answer.status_code == 201 else None

    number: str = await eventually(created, what="a campaign being created")
    return number


async def drive(made: Rig, instance: Instance) -> None:
    email = "root@example.org"
    await muster(instance, "operator", "add", "Root", email, "--role", "administrator")
    token = await muster(instance, "token", "create", email, "--scope", "admin")
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{made.base_port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
        number = await create(client)
        await client.post("/signin", data={"token": token})

        async def shown() -> bool:
            return number in (await client.get("/")).text

        await eventually(shown, what="the campaign being on the start page")
    log = (made.folder / "web-1.log").read_text() + (made.folder / "campaign-1.log").read_text()
    assert token not in log
    assert email not in log


async def test_a_campaign_made_through_the_edge_comes_back_over_kafka_onto_the_page(
    instance: Instance, tmp_path: Path
) -> None:
    async with rig(instance, tmp_path) as made:
        os.environ["HTTP_BASE_PORT"] = str(made.base_port)
        try:
            assert await asyncio.to_thread(health.main, "web") == 1
            web = made.start("web")
            made.start("campaign")
            await made.ready("web", "campaign")
            assert await asyncio.to_thread(health.main, "web") == 0
        finally:
            del os.environ["HTTP_BASE_PORT"]
        await drive(made, instance)
        began = time.monotonic()
        await asyncio.to_thread(web.stop)
        assert web.process.poll() == 0
        assert time.monotonic() - began < 10
