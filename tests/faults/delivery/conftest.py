"""Lanes for the tests of the delivery engine, and the runs that several of them play at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.driving import Spawn
from tests.faults.delivery.draws import draw
from tests.faults.delivery.lanes import Lane, lane
from tests.faults.delivery.playing import play
from tests.faults.nursery import nursery
from tests.faults.scenario import Result
from tests.servers import Servers

LANES = 3


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def spawning() -> AsyncIterator[Spawn]:
    """Processes at the price of a fork."""
    async with nursery() as spawn:
        yield spawn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_lane(
    servers: Servers, spawning: Spawn, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lane]:
    """A lane for one run after the other."""
    async with lane(servers, tmp_path_factory.mktemp("lane"), spawning) as made:
        yield made


@dataclass
class Program:
    """Runs under way.

    Attributes:
        results: by seed, what will have come of it.
    """

    lanes: list[Lane]
    results: dict[int, asyncio.Future[Result]]

    async def run(self) -> None:
        """Play all of them, each lane the next that nobody plays."""
        waiting = sorted(self.results, reverse=True)
        async with asyncio.TaskGroup() as group:
            for one in self.lanes:
                group.create_task(self._play_next(one, waiting))

    async def _play_next(self, one: Lane, waiting: list[int]) -> None:
        while waiting:
            seed = waiting.pop()
            self.results[seed].set_result(await play(one, draw(seed)))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def program(
    request: pytest.FixtureRequest,
    servers: Servers,
    spawning: Spawn,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Program]:
    """All seeds that this session's tests ask for, played side by side from the first one on."""
    seeds = asked_for(request.session)
    async with AsyncExitStack() as stack:
        lanes = [
            await stack.enter_async_context(lane(servers, place, spawning))
            for place in _places(tmp_path_factory, min(LANES, len(seeds)))
        ]
        loop = asyncio.get_running_loop()
        made = Program(lanes, {seed: loop.create_future() for seed in seeds})
        playing = asyncio.create_task(made.run())
        yield made
        playing.cancel()
        await asyncio.wait({playing})


def asked_for(session: pytest.Session) -> list[int]:
    """Return the seeds of the session's tests of this package."""
    calls = [getattr(item, "callspec", None) for item in session.items]
    here = Path(__file__).parent
    return [
        call.params["engine_seed"]
        for item, call in zip(session.items, calls, strict=True)
        if call is not None and "engine_seed" in call.params and item.path.parent == here
    ]


def _places(factory: pytest.TempPathFactory, count: int) -> list[Path]:
    return [factory.mktemp(f"lane-{number}") for number in range(count)]
