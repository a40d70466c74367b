"""The stub as a process of its own, driven from this one as the demo does."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

from deploy.embedded.slack import Seed, Workspace
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


async def _start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.embedded.slack",
        *options,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "40"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def a_process(*options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await _start(*options)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield process, line.decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_prints_its_address_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    async with (
        a_process("--data", str(tmp_path)) as (process, base_url),
        Workspace(base_url) as people,
    ):
        client = AsyncWebClient(token=Seed().app.bot_token, base_url=base_url)
        await client.chat_postMessage(channel="#campaigns", text="from afar")
        assert (await people.wait_for_message("from afar")).by_app
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert "from afar" in (tmp_path / "workspace.json").read_text(encoding="utf-8")


async def test_a_kill_loses_no_line_of_the_transcript(tmp_path: Path) -> None:
    async with a_process("--data", str(tmp_path)) as (process, base_url):
        client = AsyncWebClient(token=Seed().app.bot_token, base_url=base_url)
        posted = await client.chat_postMessage(channel="#campaigns", text="x")
        process.kill()
        await process.wait()
    lines = (tmp_path / "transcript.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["made"] == {"ts": posted["ts"]}


async def test_a_seed_file_makes_another_workspace(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    channel = {"id": "C0ELSEWHERE", "name": "elsewhere"}
    seed.write_text(json.dumps({"team_name": "Elsewhere", "channels": [channel]}))
    options = ("--data", str(tmp_path / "data"), "--seed", str(seed))
    async with a_process(*options) as (_, base_url), Workspace(base_url) as people:
        about = await people.about()
    assert about["team"] == "Elsewhere"
    assert [row["name"] for row in about["channels"]] == ["elsewhere"]


async def test_what_cannot_work_is_told(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text('{"people": [{"id": "nobody"}]}')
    process = await _start("--data", str(tmp_path), "--seed", str(seed))
    _, told = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert b"is not a workspace" in told
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await _start("--data", str(tmp_path), "--port", port)
        _, told = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1
    assert b"--port" in told
