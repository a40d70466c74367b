"""The heartbeat watch, a Faust view over a real broker: beats, lateness, recovery, replay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from mode.threads import WorkerThread

from services.workflows import invariants
from services.workflows.app import SERVICE
from services.workflows.pages import ServiceRow, service_rows
from services.workflows.views import VIEW, HeartbeatWatch, watch_heartbeats, watch_of
from shared import kafka, live_views
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import running, send
from tests.integration.workflows_story import STORY, STORY_TOPICS
from tests.waiting import PATIENCE, eventually
from topics.names import HEARTBEATS, HEARTBEATS_CHANGELOG, Topic
from topics.workflows import WorkflowHeartbeat


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await make_topics(opened.settings, *{*opened.topics, *STORY_TOPICS})
    return opened


@asynccontextmanager
async def watching(runtime: Runtime) -> AsyncIterator[HeartbeatWatch]:
    """Run the view alone, as the service runs it, and stop it cleanly."""
    stop = asyncio.Event()
    task = asyncio.create_task(watch_heartbeats(runtime, stop))
    watch = watch_of(runtime)
    try:
        await eventually(lambda: watch.live, what="the view being live")
        yield watch
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


def a_heartbeat(runtime: Runtime, service: str, *, seconds: float = 0) -> WorkflowHeartbeat:
    return WorkflowHeartbeat(
        service=service,
        instance="one",
        names=(f"{service}Mgt",),
        interval_seconds=10,
        at=runtime.clock.now() + timedelta(seconds=seconds),
    )


def counts(watch: HeartbeatWatch) -> dict[str, int]:
    return {beat.service: beat.beats for beat in watch.beats()}


async def show(runtime: Runtime, watch: HeartbeatWatch, now: datetime) -> dict[str, ServiceRow]:
    async with runtime.pool.acquire() as connection:
        rows = await service_rows(connection, watch.beats(), now)
    return {row.service: row for row in rows}


async def commit_offsets(
    runtime: Runtime, offset: int, app_id: str = VIEW.app_id, topic: Topic = HEARTBEATS
) -> None:
    """Move a view's group back, as a replay of the topic does."""
    prefix = runtime.settings.kafka_namespace
    client = AIOKafkaConsumer(
        bootstrap_servers=runtime.settings.kafka_bootstrap, group_id=prefix + app_id
    )
    await client.start()
    partitions = [TopicPartition(prefix + topic.name, n) for n in range(topic.partitions)]
    client.assign(partitions)
    await client.commit(dict.fromkeys(partitions, offset))
    await client.stop()


async def test_the_view_sees_beats_recovers_them_and_a_replay_changes_nothing(
    runtime: Runtime,
) -> None:
    services = [f"service{n}" for n in range(6)]
    beats = [a_heartbeat(runtime, name, seconds=n) for n in (0, 1, 2) for name in services]
    wanted = dict.fromkeys(services, 3)
    await send(runtime, *beats)
    async with watching(runtime) as watch:
        await eventually(lambda: counts(watch) == wanted, what="all beats being seen")
        seen = watch.beats()
    assert not watch.live
    assert watch.beats() == []
    async with watching(runtime) as watch:
        assert set(watch.beats()) == set(seen)
    await commit_offsets(runtime, 0)
    last = a_heartbeat(runtime, "service0", seconds=9)
    async with watching(runtime) as watch:
        await send(runtime, last)
        await eventually(lambda: counts(watch) == wanted | {"service0": 4}, what="the last beat")
    assert not [one for one in threading.enumerate() if isinstance(one, WorkerThread)]


async def test_the_changelog_that_the_view_writes_is_the_one_the_catalogue_lists(
    runtime: Runtime,
) -> None:
    async with watching(runtime) as watch:
        await send(runtime, a_heartbeat(runtime, "delivery"))
        await eventually(lambda: counts(watch) == {"delivery": 1})
    client = kafka.reader(runtime.settings, [HEARTBEATS_CHANGELOG.name])
    await client.start()
    try:
        record = await asyncio.wait_for(client.getone(), PATIENCE)
    finally:
        await client.stop()
    assert record.topic == runtime.settings.kafka_namespace + HEARTBEATS_CHANGELOG.name


async def test_a_service_that_stops_beating_is_late_and_one_that_beats_again_is_not(
    runtime: Runtime, open_service: Open
) -> None:
    story = await open_service(STORY, HEARTBEAT_SECONDS="0.5")

    async def late() -> Any:
        rows = await show(runtime, watch_of(runtime), runtime.clock.now())
        return rows.get("story") and (rows["story"].late_since is not None, rows["story"].beats)

    async def is_late(wanted: bool, more_than: int) -> bool:
        found = await late()
        return bool(found and found[0] is wanted and found[1] > more_than)

    async with running(runtime):
        await eventually(lambda: watch_of(runtime).live)
        async with running(story):
            await eventually(partial(is_late, False, 2), what="the story being seen alive")
        await eventually(partial(is_late, True, 2), what="the story being late")
        _, before = await late()
        again = await open_service(STORY, HEARTBEAT_SECONDS="0.5")
        async with running(again):
            await eventually(partial(is_late, False, before), what="the story being on time again")
        await eventually(partial(_view_agrees, runtime), what="view and rows agreeing")
        assert await _broken(runtime) == []
        await runtime.pool.execute("UPDATE beats SET at = at + interval '2 minutes'")
        (line,) = await _broken(runtime)
        assert line.startswith("I4 the heartbeat view shows what the rows count: service story")


async def _view_agrees(runtime: Runtime) -> bool:
    return bool(
        await runtime.pool.fetchval(
            "SELECT count(*) = 1 FROM heartbeats h JOIN beats b"
            " USING (service, instance, names, at, beats) WHERE beats > 3"
        )
    )


async def _broken(runtime: Runtime) -> list[str]:
    async with runtime.pool.acquire() as connection:
        return await invariants.broken(connection)


async def test_the_view_starts_again_after_it_broke(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = live_views.make_app, 0

    def broken_once(*arguments: Any) -> Any:
        nonlocal made
        made += 1
        if made == 1:
            raise OSError("no route to the broker")
        return make(*arguments)

    monkeypatch.setattr(live_views, "make_app", broken_once)
    monkeypatch.setattr(live_views, "AGAIN_SECONDS", 0.1)
    async with watching(runtime) as watch:
        await send(runtime, a_heartbeat(runtime, "delivery"))
        await eventually(lambda: counts(watch) == {"delivery": 1})
    assert made == 2
