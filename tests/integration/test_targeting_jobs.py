"""Counts and freezes as jobs: crashes, lost leases and stops end in one whole snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import asyncpg
import pytest

from services.targeting import counting, jobs
from services.targeting.counting import run_one
from services.targeting.reading import Reader
from shared import faults
from tests.conftest import Open
from tests.integration.targeting_world import (
    emitted,
    open_world,
    published,
    saved,
    work_off,
)
from tests.waiting import PATIENCE, eventually
from topics.targeting import (
    FreezeSnapshot,
    SnapshotFrozen,
)


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs, and no lease is given back."""


@contextmanager
def dying_after(monkeypatch: pytest.MonkeyPatch, point: str, times: int) -> Iterator[None]:
    """Die when a fault point is reached for the ``times``-th time."""
    left = [times]

    def reach(name: str) -> None:
        left[0] -= name == point
        if left[0] == 0:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(faults, "reach", reach)
        yield


@pytest.mark.parametrize(
    ("point", "times"),
    [("snapshot.slice", 1), ("snapshot.slice", 3), ("snapshot.published", 1)],
)
async def test_a_crash_in_the_middle_ends_in_one_whole_snapshot(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, point: str, times: int
) -> None:
    runtime = await open_world(open_service)
    monkeypatch.setattr(Reader.slices, "__defaults__", (500,))
    monkeypatch.setattr(counting, "CHUNKS_AT_ONCE", 2)
    targeting_id = await saved(runtime)
    await emitted(runtime)
    command = FreezeSnapshot(campaign_id=uuid4(), snapshot_id=uuid4(), targeting_id=targeting_id)
    await runtime.execute(command)
    with dying_after(monkeypatch, point, times), pytest.raises(Killed):
        await run_one(runtime, "freeze")
    assert not await run_one(runtime, "freeze"), "the lease of the dead one still runs"
    await runtime.pool.execute("UPDATE target_jobs SET lease_until = now() - interval '1 second'")
    await runtime.pool.execute("DELETE FROM contacts WHERE contact_ref = 'CON-0002100'")
    await work_off(runtime)
    found = await published(runtime)
    assert found.types.count(SnapshotFrozen.ce_type) == 1
    members = 2_100 if point == "snapshot.published" else 2_099
    assert len({member.member_id for member in found.members}) == len(found.members) == members
    [frozen] = found.frozen
    assert (frozen.members, frozen.chunks) == (members, len(found.chunks))
    assert await runtime.pool.fetchval("SELECT count(*) FROM snapshot_members") == members


async def test_a_worker_that_lost_its_lease_writes_nothing(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await open_world(open_service)
    targeting_id = await saved(runtime)
    command = FreezeSnapshot(campaign_id=uuid4(), snapshot_id=uuid4(), targeting_id=targeting_id)
    await emitted(runtime)
    await runtime.execute(command)
    workers = []
    for _ in range(2):
        workers.append(await jobs.claim(runtime.uow, "freeze"))
        await runtime.pool.execute("UPDATE target_jobs SET lease_until = '-infinity'")
    woken, successor = workers
    for worker, members in ((woken, 0), (successor, 2_100), (woken, 0), (successor, 0)):
        monkeypatch.setattr(jobs, "claim", partial(given, worker))
        assert await run_one(runtime, "freeze")
        assert len((await published(runtime)).members) == members


async def given(job: jobs.Job | None, *_: object) -> jobs.Job | None:
    return job


async def test_a_stop_breaks_off_a_long_snapshot_and_gives_it_back(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await open_world(open_service)
    command = FreezeSnapshot(
        campaign_id=uuid4(), snapshot_id=uuid4(), targeting_id=await saved(runtime)
    )
    await runtime.execute(command)
    whole = Reader.slices

    async def stuck(reader: Reader) -> AsyncIterator[list[asyncpg.Record]]:
        async for rows in whole(reader, 500):
            yield rows
            await asyncio.Event().wait()

    stop = asyncio.Event()
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "slices", stuck)
        task = asyncio.create_task(counting.run_freezes(runtime, stop))
        await eventually(lambda: runtime.pool.fetchval("SELECT count(*) FROM snapshot_members"))
        stop.set()
        await asyncio.wait_for(task, PATIENCE)
    await emitted(runtime)
    await work_off(runtime)
    assert len((await published(runtime)).members) == 2_100
