"""Thresholds as rows: set once, crossed once, told once, back once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.events_status.app import SERVICE
from services.events_status.level_store import LevelStore, Snapshot
from services.events_status.levels import NOTHING, level_of
from services.events_status.threshold_handlers import set_threshold
from services.events_status.watching import watch_service_levels
from services.events_status.workflows import process_batch
from shared.clock import DrivenClock
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.events_story import MANAGER, READER, actor, calling, know_operators
from tests.integration.test_events_status_rows import as_, link, step, take
from topics.cloudevents import Envelope
from topics.levels import (
    AskForLevels,
    EventsActivity,
    Grade,
    Indicator,
    LevelsTold,
    ServiceLevelCrossed,
    SetThreshold,
    ThresholdRefused,
    ThresholdSet,
    Window,
)
from topics.names import EVENTS_BATCH

N, W, A = Grade.NORMAL, Grade.WARNING, Grade.ALERT


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE, clock=DrivenClock(datetime.now(UTC)))
    await know_operators(opened)
    return opened


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(runtime, **as_(runtime, MANAGER)) as opened:
        yield opened


def clock_of(runtime: Runtime) -> DrivenClock:
    assert isinstance(runtime.clock, DrivenClock)
    return runtime.clock


async def look(
    runtime: Runtime, error_rate: float | None = None, *, late: bool = False
) -> list[ServiceLevelCrossed]:
    """Have thresholds looked at, a minute after the last time, with an hour's error rate."""
    clock_of(runtime).advance(timedelta(minutes=1))
    now = runtime.clock.now()
    level = level_of("", Window.HOUR, now, NOTHING, 0)
    level = level.model_copy(update={"incoming": 500, "error_rate": error_rate})
    told = now - timedelta(minutes=10) if late else now
    snapshot = Snapshot(told_until=told, as_of=now, levels=[level], minutes=[])
    async with runtime.uow.begin() as work:
        await LevelStore(work.connection).show(snapshot)
    _, emitted = await step(runtime, watch_service_levels)
    return [one for one in emitted if isinstance(one, ServiceLevelCrossed)]


async def test_a_crossing_is_told_once_again_when_worse_and_once_when_over(
    runtime: Runtime, open_service: Open
) -> None:
    assert [await look(runtime, 0.08) for _ in range(2)] == [[], []]
    [warned] = await look(runtime, 0.08)
    assert (warned.indicator, warned.before, warned.after) == (Indicator.ERROR_RATE, N, W)
    assert (warned.value, warned.limit, warned.window) == (0.08, 0.05, Window.HOUR)
    assert [await look(runtime, 0.08) for _ in range(3)] == [[], [], []]
    # Another replica, or the same after a restart: what stands is in the rows.
    runtime = await open_service(SERVICE, clock=clock_of(runtime))
    told = [await look(runtime, 0.5) for _ in range(5)]
    [alerted] = [one for some in told for one in some]
    assert (alerted.before, alerted.after, alerted.crossing_id) == (W, A, warned.crossing_id)
    told = [await look(runtime, 0.01) for _ in range(5)]
    [over] = [one for some in told for one in some]
    assert (over.before, over.after, over.crossing_id) == (A, N, warned.crossing_id)
    assert over.since < over.at
    told = [await look(runtime, 0.08) for _ in range(4)]
    [again] = [one for some in told for one in some]
    assert again.crossing_id != warned.crossing_id
    crossings = await runtime.pool.fetch("SELECT before, after FROM level_crossings ORDER BY at")
    assert [tuple(row) for row in crossings] == [(N, W), (W, A), (A, N), (N, W)]


async def test_two_replicas_that_look_at_once_tell_once(runtime: Runtime) -> None:
    for _ in range(2):
        await look(runtime, 0.5)
    clock_of(runtime).advance(timedelta(minutes=1))
    crossed = []
    for _ in range(2):
        _, emitted = await step(runtime, watch_service_levels)
        crossed.append([one for one in emitted if isinstance(one, ServiceLevelCrossed)])
    assert [len(one) for one in crossed] == [1, 0]


async def test_nothing_is_decided_on_a_view_that_does_not_keep_up(runtime: Runtime) -> None:
    told = [await look(runtime, 0.9, late=True) for _ in range(4)]
    assert told == [[]] * 4
    assert await runtime.pool.fetchval("SELECT count(*) FROM level_crossings") == 0


async def test_an_event_that_waits_too_long_is_told_from_the_rows(runtime: Runtime) -> None:
    await runtime.execute(link("order.confirmed", uuid4()))
    await take(runtime, "1", topic=EVENTS_BATCH)
    clock_of(runtime).advance(timedelta(minutes=31))
    _, emitted = await step(runtime, watch_service_levels)
    [sample] = [one for one in emitted if isinstance(one, EventsActivity)]
    assert [one.events for one in sample.queue or ()] == [1]
    told = [one for _ in range(2) for one in await look(runtime, late=True)]
    [waits] = told
    assert (waits.indicator, waits.after) == (Indicator.OLDEST_WAIT, A)
    assert waits.value is not None
    assert waits.value > 1800
    assert (await step(runtime, process_batch))[0].rows_out == 1
    told = [one for _ in range(3) for one in await look(runtime, late=True)]
    assert [one.after for one in told] == [N]


async def test_a_threshold_is_set_by_who_may_and_a_command_counts_once(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    body: dict[str, Any] = {"channel": "email", "warning": 5, "alert": 50, "minutes": 0}
    assert (await client.put("/thresholds/queued", json=body)).status_code == 204
    found = (await client.get("/thresholds")).json()["thresholds"]
    mine = {one["indicator"]: one for one in found}
    assert set(mine) == {"error_rate", "sending_time", "oldest_wait", "queued"}
    assert (mine["queued"]["channel"], mine["queued"]["grade"]) == ("email", "normal")
    assert mine["queued"]["changed_by"] == str(MANAGER)
    wrong = await client.put("/thresholds/queued", json=body | {"alert": 1})
    assert (wrong.status_code, "alert" in wrong.text) == (409, True)
    for bad in ({"warning": -1}, {"warning": "NaN"}, {"hours": 1}, {"channel": "a\0"}):
        assert (await client.put("/thresholds/queued", json=bad)).status_code == 422
    assert (await client.put("/thresholds/speed", json=body)).status_code == 422
    theirs = as_(runtime, READER)
    refused = await client.put("/thresholds/queued", json=body, headers=theirs)
    assert refused.status_code == 403
    gone = await client.delete("/thresholds/queued", params={"channel": "email"})
    assert gone.status_code == 204
    assert len((await client.get("/thresholds")).json()["thresholds"]) == 3


async def test_levels_are_told_to_who_may_read_with_what_is_not_well_first(
    runtime: Runtime,
) -> None:
    async def told(operator: UUID) -> LevelsTold:
        said = await runtime.execute(AskForLevels(ask_id=uuid4(), actor=actor(operator)))
        [answer] = said
        assert isinstance(answer, LevelsTold)
        return answer

    unknown = await told(READER)
    assert (unknown.as_of, unknown.is_late, len(unknown.thresholds)) == (None, True, 3)
    for _ in range(4):
        await look(runtime, 0.5)
    found = await told(READER)
    assert (found.is_late, found.levels[0].error_rate) == (False, 0.5)
    grades = [(one.indicator, one.grade) for one in found.thresholds]
    assert grades[0] == (Indicator.ERROR_RATE, A)
    clock_of(runtime).advance(timedelta(minutes=5))
    assert (await told(MANAGER)).is_late
    stranger = await told(uuid4())
    assert (stranger.as_of, stranger.levels, stranger.thresholds) == (None, (), ())


async def test_a_command_read_again_changes_nothing(runtime: Runtime) -> None:
    command = SetThreshold(indicator=Indicator.QUEUED, warning=5, actor=actor(MANAGER))
    async with runtime.uow.begin() as work:
        for ce_id, warning in (("1", 5), ("2", 9), ("1", 5)):
            work.cause = Envelope("/test", ce_id, command.ce_type, None, b"")
            await set_threshold(command.model_copy(update={"warning": warning}), work)
        assert [type(one) for one in work.emitted] == [ThresholdSet] * 2
    query = "SELECT warning FROM level_thresholds WHERE indicator = 'queued'"
    assert await runtime.pool.fetchval(query) == 9


async def test_removing_a_threshold_ends_what_it_told(runtime: Runtime) -> None:
    told = [await look(runtime, 0.5) for _ in range(4)]
    [crossed] = [one for some in told for one in some]
    command = SetThreshold(indicator=Indicator.ERROR_RATE, actor=actor(MANAGER))
    said = await runtime.execute(command)
    [over] = [one for one in said if isinstance(one, ServiceLevelCrossed)]
    assert (over.crossing_id, over.after, over.value) == (crossed.crossing_id, N, None)
    assert [one for one in said if isinstance(one, ThresholdSet)]
    said = await runtime.execute(command.model_copy(update={"event_type": "x", "warning": 0.5}))
    [refused] = [one for one in said if isinstance(one, ThresholdRefused)]
    assert refused.field == "channel"
