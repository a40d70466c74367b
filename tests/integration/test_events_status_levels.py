"""Service levels over a real broker: what the view shows equals the rows, also after kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.level_store import LevelStore
from services.events_status.views import VIEW
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import Instance, make_topics
from tests.integration.bot_story import free_port
from tests.integration.events_story import (
    KIND,
    MANAGER,
    WRITTEN,
    Outside,
    actor,
    asked,
    broken,
    know_operators,
    outcome_of,
)
from tests.integration.test_core import running, send
from tests.integration.test_events_status_rows import as_
from tests.integration.test_workflows_watch import commit_offsets
from tests.records import records_of
from tests.waiting import PATIENCE, eventually
from topics.delivery import Outcome
from topics.events import RouteEventType
from topics.levels import EventsActivity, Level, Window
from topics.names import EVENTS_ACTIVITY

COUNTED = ("incoming", "outgoing", "not_covered", "ignored", "delivery_error", "expired")
_ROWS = """
SELECT count(*) FILTER (WHERE before IS NULL) AS incoming,
       count(*) FILTER (WHERE after = 'sent') AS outgoing,
       count(*) FILTER (WHERE after = 'not_covered') AS not_covered,
       count(*) FILTER (WHERE after = 'ignored') AS ignored,
       count(*) FILTER (WHERE after = 'delivery_error') AS delivery_error,
       count(*) FILTER (WHERE after = 'expired') AS expired
FROM event_history
"""


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await make_topics(opened.settings, *opened.topics, *WRITTEN)
    await know_operators(opened)
    await opened.execute(RouteEventType(event_type=KIND, template_id=uuid4(), actor=actor(MANAGER)))
    return opened


async def level(runtime: Runtime, **wanted: str) -> Level | None:
    """Return the latest level over a day, of all events unless told."""
    wanted = {"channel": "", "event_type": "", "window": Window.DAY, **wanted}
    async with runtime.pool.acquire() as connection:
        found = await LevelStore(connection).latest()
    for one in found.levels if found else ():
        if wanted.items() <= one.model_dump().items():
            return one
    return None


async def equals_the_rows(runtime: Runtime) -> bool:
    rows = dict(await runtime.pool.fetchrow(_ROWS) or {})
    found = await level(runtime)
    return found is not None and {name: getattr(found, name) for name in COUNTED} == rows


async def push(outside: Outside, name: str, count: int) -> None:
    await asyncio.gather(
        *(outside.event(f"{name}-{n}") for n in range(count)),
        outside.event(f"{name}-unknown", kind="order.unheard_of"),
    )


async def end(runtime: Runtime, messages: int, ended: set[UUID], count: int) -> None:
    """Have the delivery say how some more messages ended: one in four failed."""
    found = [one for one in await asked(runtime, messages) if one.message_id not in ended][:count]
    ended |= {one.message_id for one in found}
    outcomes = [
        outcome_of(one, Outcome.FAILED if n % 4 == 0 else Outcome.SENT, runtime)
        for n, one in enumerate(found)
    ]
    await send(runtime, *outcomes)


async def test_what_the_view_shows_equals_the_rows_and_a_replay_changes_nothing(
    runtime: Runtime, open_service: Open
) -> None:
    outside = Outside(runtime)
    async with running(await open_service(SERVICE)):
        await push(outside, "a", 12)
        await end(runtime, 12, set(), 8)
        await eventually(partial(_ended, runtime, 9))
        await eventually(partial(equals_the_rows, runtime), what="the view counting all")
        seen = await level(runtime)
    assert seen is not None
    assert (seen.incoming, seen.outgoing, seen.delivery_error, seen.not_covered) == (13, 6, 2, 1)
    assert seen.queued == 0
    await commit_offsets(runtime, 0, VIEW.app_id, EVENTS_ACTIVITY)
    records = await records_of(runtime.settings, EVENTS_ACTIVITY)
    told = [EventsActivity.model_validate_json(one.value) for one in records]
    await send(runtime, *told)
    async with running(await open_service(SERVICE)):
        await push(outside, "b", 1)
        await eventually(partial(_came_in, runtime, 15))
        await eventually(partial(equals_the_rows, runtime), what="the view counting once")
    assert await broken(runtime) == []


async def test_a_summary_committed_before_the_table_had_it_counts_all_the_same(
    runtime: Runtime, open_service: Open
) -> None:
    async with running(await open_service(SERVICE)):
        await push(Outside(runtime), "a", 4)
        await eventually(partial(_came_in, runtime, 5))
    records = await records_of(runtime.settings, EVENTS_ACTIVITY)
    told = [EventsActivity.model_validate_json(one.value) for one in records]
    [first, *_] = [one for one in told if sum(line.entered for line in one.lines)]
    unseen = first.model_copy(update={"message_id": uuid4(), "source": "killed", "sequence": 1})
    await send(runtime, unseen)
    # As a process leaves it that is killed between the two.
    await commit_offsets(runtime, await end_of(runtime), VIEW.app_id, EVENTS_ACTIVITY)
    async with running(await open_service(SERVICE)):
        counted = 5 + sum(line.entered for line in first.lines)
        await eventually(partial(_came_in, runtime, counted), what="the summary being counted")


async def end_of(runtime: Runtime) -> int:
    [*_, last] = await records_of(runtime.settings, EVENTS_ACTIVITY)
    return int(last.offset) + 1


async def _ended(runtime: Runtime, count: int) -> bool:
    return bool(
        await runtime.pool.fetchval(
            "SELECT count(*) = $1 FROM events"
            " WHERE status IN ('sent', 'delivery_error', 'not_covered')",
            count,
        )
    )


async def _came_in(runtime: Runtime, count: int) -> bool:
    found = await level(runtime)
    return found is not None and found.incoming == count


@asynccontextmanager
async def process_of(
    environment: dict[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Message Center as a process of its own."""
    with (folder / "events.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "service", "events_status"),
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


async def test_a_killed_view_recovers_its_table_and_counts_each_event_once(
    instance: Instance, runtime: Runtime, tmp_path: Path
) -> None:
    environment = instance.environment(HTTP_BASE_PORT=str(free_port()), MUSTER_INSTANCE="killed")
    outside = Outside(runtime)
    ended: set[UUID] = set()
    for turn in range(2):
        async with process_of(environment, tmp_path) as process:
            await push(outside, f"turn{turn}", 20)
            await end(runtime, 20 * turn + 10, ended, 10)
            # In mid-flight, with some of it told and some not.
            await eventually(partial(_came_in_at_least, runtime, turn * 21 + 1))
            process.send_signal(signal.SIGKILL)
            assert await asyncio.wait_for(process.wait(), PATIENCE) == -signal.SIGKILL
    async with process_of(environment, tmp_path):
        await eventually(partial(_came_in, runtime, 42), what="all events")
        await eventually(partial(_ended, runtime, 22), what="all outcomes")
        await eventually(partial(equals_the_rows, runtime), what="the view equal to the rows")
    assert await broken(runtime) == []


async def _came_in_at_least(runtime: Runtime, count: int) -> bool:
    found = await level(runtime)
    return found is not None and found.incoming >= count


async def test_levels_are_asked_for_by_window_channel_and_type(
    runtime: Runtime, open_service: Open
) -> None:
    transport = httpx.ASGITransport(app=create_app(runtime))
    base = "http://here/api/v1/events_status"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:

        async def ask(**params: str) -> Any:
            answer = await client.get("/levels", params=params, headers=as_(runtime, MANAGER))
            return answer.json() if answer.status_code == 200 else answer.status_code

        nothing: dict[str, Any] = {
            "as_of": None,
            "told_until": None,
            "is_late": True,
            "levels": [],
            "minutes": [],
        }
        assert await ask() == nothing
        async with running(await open_service(SERVICE)):
            await push(Outside(runtime), "a", 2)
            await eventually(partial(_came_in, runtime, 3))
        found = await ask(window="hour", channel="email", event_type=KIND)
        [line] = found["levels"]
        assert (line["incoming"], line["window"], found["is_late"]) == (2, "hour", False)
        assert sum(one["incoming"] for one in found["minutes"]) == 3
        assert {one["event_type"] for one in (await ask(channel="email"))["levels"]} == {
            "",
            KIND,
            "order.unheard_of",
        }
        assert await ask(window="week") == 422
        assert (await client.get("/levels")).status_code == 401
