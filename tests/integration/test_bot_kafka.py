"""The bot as a service: states in from Kafka, clicks out as commands, also across a kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import SERVICE
from deploy.embedded.slack import SlackStub, render_text
from shared import kafka
from shared.service import Runtime
from shared.settings import Settings
from tests.conftest import Open
from tests.instances import Instance, make_topics
from tests.integration.bot_story import (
    CHANNEL,
    REVIEWER,
    Mode,
    free_port,
    slack_settings,
)
from tests.integration.test_core import running, send
from tests.unit.bot import samples
from tests.waiting import PATIENCE, eventually
from topics.delivery import ApprovalOutcome, DecideApproval, Decision
from topics.names import CAMPAIGN_COMMANDS, DELIVERY_COMMANDS, WORKFLOWS_COMMANDS

COMMANDS = (CAMPAIGN_COMMANDS, DELIVERY_COMMANDS, WORKFLOWS_COMMANDS)


async def decisions(settings: Settings, count: int) -> list[DecideApproval]:
    """Return decisions from the topic, once there are ``count``; a surplus shows as well."""
    client = kafka.reader(settings, [DELIVERY_COMMANDS.name])
    await client.start()
    found: list[DecideApproval] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                for records in (await client.getmany(timeout_ms=300)).values():
                    found += [DecideApproval.model_validate_json(one.value) for one in records]
            for records in (await client.getmany(timeout_ms=700)).values():
                found += [DecideApproval.model_validate_json(one.value) for one in records]
    finally:
        await client.stop()
    return found


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_click_becomes_a_command_on_the_topic_and_its_event_rewrites_the_card(
    open_service: Open, tmp_path: Path, mode: Mode
) -> None:
    port = free_port()
    async with SlackStub(tmp_path) as stub, stub.workspace() as people:
        runtime = await open_service(SERVICE, **slack_settings(stub, mode, port))
        await make_topics(runtime.settings, *runtime.topics, *COMMANDS)
        if mode == "http":
            await people.use_http(f"http://127.0.0.1:{port}/slack/events")
        async with running(runtime):
            state = samples.an_approval()
            await send(runtime, *samples.OPERATORS, state)
            card = await people.wait_for_message("C-1042", CHANNEL, timeout=PATIENCE)
            if mode == "socket":
                await people.wait_for_connection(timeout=PATIENCE)
            await known(runtime)
            assert (await people.click(REVIEWER, card, "Approve")).acknowledged
            (command,) = await decisions(runtime.settings, 1)
            assert (command.approval_id, command.decision) == (state.approval_id, Decision.APPROVE)
            ended = {
                "outcome": ApprovalOutcome.APPROVED,
                "decided_by": command.actor.id,
                "decided_at": datetime.now(UTC),
                "version": 2,
            }
            await send(runtime, state.model_copy(update=ended))
            after = await people.wait_for_update(card, "Approved by", timeout=PATIENCE)
            assert "[ Approve ]" not in render_text(after)


async def known(runtime: Runtime) -> None:
    """Wait until the operators have arrived."""

    async def all_there() -> bool:
        return bool(await runtime.pool.fetchval("SELECT count(*) >= 3 FROM operators"))

    await eventually(all_there, what="the operators")


@asynccontextmanager
async def bot_process(
    environment: dict[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot as a process of its own."""
    with (folder / "bot.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "service", "bot"),
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            stdin=asyncio.subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)


async def test_a_click_whose_bot_dies_before_the_acknowledgement_counts_once(
    instance: Instance, open_service: Open, tmp_path: Path
) -> None:
    async with SlackStub(tmp_path / "slack") as stub, stub.workspace() as people:
        more = slack_settings(stub, "socket", free_port(), HTTP_BASE_PORT=str(free_port()))
        environment = instance.environment(**more, MUSTER_INSTANCE="bot-test")
        runtime = await open_service(SERVICE, **more)
        await make_topics(runtime.settings, *runtime.topics, *COMMANDS)
        state = samples.an_approval()
        deadly = environment | {"MUSTER_FAULT": "kill:bot.before_ack:1"}
        async with bot_process(deadly, tmp_path) as process:
            await send(runtime, *samples.OPERATORS, state)
            card = await people.wait_for_message("C-1042", CHANNEL, timeout=PATIENCE)
            await people.wait_for_connection(timeout=PATIENCE)
            await known(runtime)
            ack = await people.click(REVIEWER, card, "Approve")
            assert not ack.acknowledged
            assert await asyncio.wait_for(process.wait(), PATIENCE) == -signal.SIGKILL
        async with bot_process(environment, tmp_path):
            await people.wait_for_connection(timeout=PATIENCE)
            assert (await people.redeliver(ack)).acknowledged
            (command,) = await decisions(runtime.settings, 1)
            assert command.approval_id == state.approval_id
            assert len(await people.messages(CHANNEL)) == 1
