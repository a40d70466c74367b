"""Work that nobody waits for lets the relay catch up first, and never stands still for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared import consumer, engine, waiting
from shared.database import Pool
from shared.registry import Registry
from shared.schedules import Every
from shared.service import Runtime, Service
from shared.uow import Work
from shared.waiting import MOST_AHEAD, give_way
from shared.workflows import Step, TechnicalWorkflow
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import send
from tests.waiting import PATIENCE, eventually
from topics.targeting import CountTarget

A_WHILE = 0.5
FILES = Path(__file__).parent / "no_migrations"
STEP = "a step of the workflow"


async def write_ahead(runtime: Runtime, records: int) -> None:
    """Write what a relay that is behind would still have to publish; none is running."""
    await caught_up(runtime)
    await runtime.pool.execute(
        "INSERT INTO outbox (topic, key, headers, value, records) VALUES ('', NULL, '[]', '', $1)",
        records,
    )


async def caught_up(runtime: Runtime) -> None:
    await runtime.pool.execute("DELETE FROM outbox")


@pytest.fixture
def handled() -> set[UUID | str]:
    return set()


@pytest.fixture
async def runtime(open_service: Open, handled: set[UUID | str]) -> Runtime:
    registry = Registry(gives_way=True)

    @registry.on_batch(CountTarget)
    async def count(commands: Sequence[CountTarget], _: Work) -> None:
        handled.update(one.targeting_id for one in commands)

    async def once(_: Work) -> Step:
        handled.add(STEP)
        return Step()

    workflow = TechnicalWorkflow("later", "Later", "Plus tard", "Test", once, gives_way=True)
    return await open_service(
        Service(
            "targeting",
            Registry(),
            FILES,
            consumers={"targeting_later": registry},
            workflows=(workflow,),
        )
    )


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[None]:
    """Run what can give way, and no relay."""
    stop = asyncio.Event()
    works = [*(one.run(stop) for one in runtime.consumers), runtime.engine.run(stop)]
    tasks = [asyncio.create_task(one) for one in works]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=10)


async def test_a_consumer_and_a_workflow_wait_until_the_relay_has_caught_up(
    runtime: Runtime, handled: set[UUID | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_SECONDS", 600.0)
    await make_topics(runtime.settings, *runtime.topics)
    await runtime.engine.register()
    await write_ahead(runtime, MOST_AHEAD + 1)
    command = CountTarget(campaign_id=uuid4(), targeting_id=uuid4())
    await send(runtime, command)
    asked = set()
    for where in (consumer, engine):
        name = where.__name__.rpartition(".")[2]

        async def noting(pool: Pool, stop: asyncio.Event, name: str = name) -> None:
            asked.add(name)
            await give_way(pool, stop)

        monkeypatch.setattr(where, "give_way", noting)
    async with running(runtime):
        await eventually(lambda: asked == {"consumer", "engine"}, what="both giving way")
        await asyncio.sleep(A_WHILE)
        assert not handled
        await caught_up(runtime)
        await eventually(lambda: handled == {command.targeting_id, STEP}, what="both")


@pytest.mark.parametrize(
    ("ahead", "longest"), [(MOST_AHEAD, 600.0), (1_000_000, 0.2)], ids=["not behind", "held up"]
)
async def test_a_relay_that_is_not_behind_or_held_up_for_good_holds_up_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, ahead: int, longest: float
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_SECONDS", longest)
    await write_ahead(runtime, ahead)
    async with asyncio.timeout(PATIENCE):
        await give_way(runtime.pool, asyncio.Event())


async def test_whoever_is_told_to_stop_waits_for_no_relay(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_SECONDS", 600.0)
    await write_ahead(runtime, 1_000_000)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    async with asyncio.timeout(PATIENCE):
        await give_way(runtime.pool, stop)


async def test_a_service_that_stops_leaves_the_rest_of_a_run_to_the_next(
    open_service: Open,
) -> None:
    stop = asyncio.Event()
    steps: list[int] = []

    async def step(_: Work) -> Step:
        steps.append(len(steps))
        if len(steps) == 2:
            stop.set()
        return Step(rows_in=1, rows_out=1, more=len(steps) < 5)

    workflow = TechnicalWorkflow("long", "Long", "Long", "Test", step, Every(3600))
    runtime = await open_service(Service("targeting", Registry(), FILES, workflows=(workflow,)))
    await runtime.engine.register()
    await runtime.engine.run(stop)
    assert len(steps) == 2
    ending = asyncio.Event()
    task = asyncio.create_task(runtime.engine.run(ending))
    await eventually(lambda: len(steps) == 5, what="the rest, without waiting for its hour")
    ending.set()
    await task
