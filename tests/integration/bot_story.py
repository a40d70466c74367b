"""The bot with a stub workspace, in either mode, fed with states as services publish them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bot.app import SERVICE, run_slack
from deploy.embedded.slack import SlackStub, View, Workspace
from shared.service import Runtime
from tests.conftest import Open
from tests.outboxes import emitted_by
from tests.unit.bot.samples import OPERATORS
from tests.waiting import PATIENCE, eventually
from topics.message import Message

Mode = Literal["socket", "http"]
M = TypeVar("M", bound=Message)
MANAGER, REVIEWER, SUPERVISOR, STRANGER = "manager", "reviewer", "supervisor", "stranger"
CHANNEL = "#campaigns"
OWN_TABLES = ("slack_inbox", "slack_messages", "slack_calls", "asks", "forms", "outbox")


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def slack_settings(stub: SlackStub, mode: Mode, port: int, **more: str) -> dict[str, str]:
    """Return the bot's variables for a stub workspace."""
    app = stub.seed.app
    return {
        "SLACK_MODE": mode,
        "SLACK_BOT_TOKEN": app.bot_token,
        "SLACK_APP_TOKEN": app.app_token,
        "SLACK_SIGNING_SECRET": app.signing_secret,
        "SLACK_API_URL": stub.base_url,
        "SLACK_CHANNEL": CHANNEL,
        "SLACK_HTTP_PORT": str(port),
        "SLACK_UPDATE_SECONDS": "0.2",
        # Pictures of proofs have a test of their own.
        "PROOF_BROWSER": "none",
        # So have the hours in which people are reminded: here it is at any.
        "REMINDER_HOURS": "0-24",
        "REMINDER_DAYS": "1-7",
        "MUSTER_ZONE": "Europe/Paris",
        "DATABASE_POOL_SIZE": "8",
    } | more


@dataclass
class BotStory:
    """A running bot and the people around it."""

    runtime: Runtime
    people: Workspace
    mode: Mode
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, *messages: Message) -> None:
        """Let the bot handle messages as its consumer would."""
        for message in messages:
            await self.runtime.execute(message)

    async def emitted(self, kind: type[M]) -> list[M]:
        """Return the bot's commands of one kind, in order."""
        return await emitted_by(self.runtime, kind)

    async def rows(self) -> dict[str, int]:
        """Return how many rows the bot's own tables have."""
        return {
            table: await self.runtime.pool.fetchval(f"SELECT count(*) FROM {table}")
            for table in OWN_TABLES
        }

    async def message(self, key: str) -> dict[str, Any]:
        """Return the row of a message."""
        row = await self.runtime.pool.fetchrow("SELECT * FROM slack_messages WHERE key = $1", key)
        return dict(row) if row else {}

    async def connected(self, port: int) -> None:
        """Have Slack reach the bot the way it runs, and wait until it does."""
        if self.mode == "http":
            await self.people.use_http(f"http://127.0.0.1:{port}/slack/events")
            await eventually(self._answers, what="the bot listening")
        else:
            await self.people.wait_for_connection(timeout=PATIENCE)

    async def _answers(self) -> bool:
        return (await self.people.verify_url()).acknowledged

    async def quiet(self) -> None:
        """Wait until nothing is left to send."""
        pool = self.runtime.pool

        async def nothing_left() -> bool:
            # First of all: a reminder that is sent has become a message.
            reminders = await pool.fetchval(
                "SELECT count(*) FROM reminders WHERE done_at IS NULL AND next_at <= now()"
            )
            calls = await pool.fetchval("SELECT count(*) FROM slack_calls WHERE done_at IS NULL")
            messages = await pool.fetchval(
                "SELECT count(*) FROM slack_messages"
                " WHERE shown_hash IS DISTINCT FROM wanted_hash AND NOT failed"
            )
            return bool(calls + messages + reminders == 0)

        await eventually(nothing_left, what="everything being sent")


@asynccontextmanager
async def telling(
    open_service: Open, folder: Path, mode: Mode, **more: str
) -> AsyncIterator[BotStory]:
    """Yield a bot that runs against a stub of its own, its operators known."""
    port = free_port()
    async with SlackStub(folder) as stub, stub.workspace() as people:
        runtime = await open_service(SERVICE, **slack_settings(stub, mode, port, **more))
        story = BotStory(runtime, people, mode)
        # How its own workflow stands was announced; the stories are about what people do.
        await runtime.pool.execute("DELETE FROM outbox")
        await story.hear(*OPERATORS)
        async with talking(story, port):
            yield story


@asynccontextmanager
async def talking(story: BotStory, port: int) -> AsyncIterator[None]:
    """Run the bot's Slack side while the block lasts."""
    story.stop = asyncio.Event()
    task = asyncio.create_task(run_slack(story.runtime, story.stop))
    try:
        await story.connected(port)
        yield
    finally:
        story.stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def taken(
    story: BotStory, view: View, callback_id: str, values: Mapping[str, Any] | None = None
) -> View:
    """Have the manager submit a step of the campaign form without a mistake; return the next."""
    ack = await story.people.submit(MANAGER, view, values)
    assert (ack.acknowledged, ack.errors, ack.problem) == (True, {}, None)
    return await story.people.wait_for_view(MANAGER, callback_id=callback_id)


async def saved_form(story: BotStory, view: View, values: Mapping[str, Any] | None = None) -> None:
    """Have the manager take the first step of a form with what it says, and the others as is."""
    aimed = await taken(story, view, "campaign_target", values)
    means = await taken(story, aimed, "campaign_means")
    ack = await story.people.submit(MANAGER, means)
    assert (ack.errors, ack.problem) == ({}, None)


async def opened_form(story: BotStory) -> View:
    """Have the manager open the campaign form; return it."""
    ack = await story.people.slash(MANAGER, "/campaign", "new")
    assert ack.acknowledged
    assert ack.seconds < 1
    return await story.people.wait_for_view(MANAGER, callback_id="campaign_new")
