"""The work of count and freeze jobs: read the directory, then write and answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from services.targeting import jobs
from services.targeting.control import Draw, draw
from services.targeting.domain import Cutter, Definition, waterfall
from services.targeting.jobs import Job, Lost
from services.targeting.reading import Reader, reading
from services.targeting.selection import Selection, select
from services.targeting.settings import TargetingSettings
from services.targeting.snapshots import (
    CHUNKS_AT_ONCE,
    Snapshot,
    SnapshotStore,
    announcement,
    member_of,
)
from services.targeting.store import TargetingStore
from shared import faults
from shared.errors import INFRASTRUCTURE, INTERRUPTIONS, Refused, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop
from topics.targeting import ControlMethod, TargetCounted, TargetCounts, TargetRefused

log = logger(__name__)

IDLE_SECONDS: Final = 0.2
_AGAIN_SECONDS: Final = 1.0
_BREAK_OFF_SECONDS: Final = 5.0


def settings_of(runtime: Runtime) -> TargetingSettings:
    """Return the runtime's settings as targeting's own."""
    assert isinstance(runtime.settings, TargetingSettings), "app.py names the settings class"
    return runtime.settings


async def run_counts(runtime: Runtime, stop: asyncio.Event) -> None:
    """Count what is asked for until ``stop`` is set."""
    await _run(runtime, "count", stop)


async def run_freezes(runtime: Runtime, stop: asyncio.Event) -> None:
    """Make and publish the snapshots that are asked for until ``stop`` is set."""
    await _run(runtime, "freeze", stop)


async def _run(runtime: Runtime, kind: str, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            ran = await _unless_stopped(run_one(runtime, kind), stop)
        except INTERRUPTIONS as problem:
            log.warning("targeting.interrupted", kind=kind, error=reason_of(problem))
            ran = False
        if not ran:
            await wait_or_stop(stop, IDLE_SECONDS)


async def _unless_stopped(job: Coroutine[object, object, bool], stop: asyncio.Event) -> bool:
    """Run a job; break it off when told to stop, as it may need minutes and can begin again."""
    running, stopped = asyncio.create_task(job), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not running.done():
            running.cancel()
            await asyncio.wait({running}, timeout=_BREAK_OFF_SECONDS)
    return running.done() and not running.cancelled() and running.result()


async def run_one(runtime: Runtime, kind: str) -> bool:
    """Do the next job of a kind, if one is due; return whether there was one."""
    job = await jobs.claim(runtime.uow, kind)
    if job is None:
        return False
    try:
        await _attempt(runtime, job)
    except Lost:
        log.info("targeting.job_lost", kind=kind)
    return True


async def _attempt(runtime: Runtime, job: Job) -> None:
    do = _DO[job.kind]
    try:
        await do(runtime, job)
    except Refused as refusal:
        await _refuse(runtime, job, refusal.reason)
    except Lost:
        raise
    except asyncio.CancelledError:
        await _give_back(runtime, job)
        raise
    except Exception as problem:  # noqa: BLE001 - whoever asked gets an answer, whatever went wrong
        log.warning("targeting.job_failed", kind=job.kind, reason=reason_of(problem))
        if job.attempts >= jobs.ATTEMPTS and not isinstance(problem, INFRASTRUCTURE):
            await _refuse(runtime, job, f"could not be counted ({reason_of(problem)})")
        else:
            await jobs.postpone(runtime.uow, job, seconds=_AGAIN_SECONDS * job.attempts)


async def _give_back(runtime: Runtime, job: Job) -> None:
    """Let another process take a job at once; when that fails, its lease runs out."""
    with contextlib.suppress(Lost, *INTERRUPTIONS):
        async with asyncio.timeout(2):
            await jobs.postpone(runtime.uow, job, seconds=0)


async def _refuse(runtime: Runtime, job: Job, reason: str) -> None:
    if job.snapshot_id is not None:
        await _clear(runtime, job)
    async with jobs.held(runtime.uow, job) as work:
        if job.snapshot_id is not None:
            await SnapshotStore(work.connection).refuse(job.snapshot_id, reason)
        await jobs.done(work, job)
        work.emit(
            TargetRefused(
                campaign_id=job.campaign_id,
                targeting_id=job.targeting_id,
                snapshot_id=job.snapshot_id,
                reason=reason,
            )
        )


async def _count(runtime: Runtime, job: Job) -> None:
    settings = settings_of(runtime)
    definition = await _definition(runtime, job)
    if definition is None:
        return
    counts = await count(runtime, definition, seconds=settings.direct_sql_timeout_seconds + 5)
    async with jobs.held(runtime.uow, job) as work:
        await jobs.done(work, job)
        work.emit(
            TargetCounted(campaign_id=job.campaign_id, targeting_id=job.targeting_id, counts=counts)
        )


async def count(runtime: Runtime, definition: Definition, *, seconds: float) -> TargetCounts:
    """Count what a definition chooses now.

    Raises:
        Refused: it makes no sense, fails, takes longer than ``seconds``, or chooses too many.
    """
    settings = settings_of(runtime)
    selection = select(definition, rows_max=settings.direct_sql_rows_max)
    async with reading(runtime.pool, settings, selection, seconds=seconds) as reader:
        return waterfall(await reader.tally(), definition.counts)


async def _definition(runtime: Runtime, job: Job) -> Definition | None:
    """Return what a job's targeting says; ``None`` when the job was put off to wait for it.

    Raises:
        Refused: there is no such targeting, and it had time to arrive.
    """
    async with runtime.pool.acquire() as connection:
        targeting = await TargetingStore(connection).find(job.targeting_id)
    if targeting is not None:
        return targeting.definition
    # A targeting travels under a key of its own, and may come after the campaign that uses it.
    waited = (runtime.clock.now() - job.asked_at).total_seconds()
    if waited >= settings_of(runtime).targeting_wait_seconds:
        raise Refused("there is no such targeting: choose another one")
    await jobs.postpone(runtime.uow, job, seconds=0.5)
    return None


async def _freeze(runtime: Runtime, job: Job) -> None:
    snapshot = await _opened(runtime, job)
    if snapshot is None:
        return
    if snapshot.status == "asked":
        await _build(runtime, job, snapshot)
    while await _publish(runtime, job):
        faults.reach("snapshot.published")


async def _opened(runtime: Runtime, job: Job) -> Snapshot | None:
    """Return the snapshot with its definition; ``None`` when it has to wait for it."""
    async with jobs.held(runtime.uow, job) as work:
        snapshot = await SnapshotStore(work.connection).find(job.job_id)
    assert snapshot is not None, "the command that adds the job adds the snapshot"
    if snapshot.definition is not None:
        return snapshot
    definition = await _definition(runtime, job)
    if definition is None:
        return None
    async with jobs.held(runtime.uow, job) as work:
        store = SnapshotStore(work.connection)
        await store.define(job.job_id, definition)
        return await store.find(job.job_id)


async def _build(runtime: Runtime, job: Job, snapshot: Snapshot) -> None:
    settings = settings_of(runtime)
    definition = snapshot.definition
    assert definition is not None, "a snapshot is opened before it is built"
    await _clear(runtime, job)
    selection: Selection = select(definition, rows_max=settings.direct_sql_rows_max)
    async with (
        jobs.kept(runtime.uow, job),
        reading(
            runtime.pool, settings, selection, seconds=settings.freeze_timeout_seconds
        ) as reader,
    ):
        tally = await reader.tally()
        if not tally.members:
            raise Refused("nobody is in this target: change the targeting")
        control = draw(snapshot.control_group, tally.members)
        group = snapshot.control_group
        if group is not None and group.method is ControlMethod.FIRST and group.sort is not None:
            control.chosen = await reader.first(
                group.sort, control.wanted, descending=group.descending
            )
        cutter = await _copy(runtime, job, reader, definition, control)
    assert cutter.position + control.taken == tally.members, "one picture gave two counts"
    async with jobs.held(runtime.uow, job) as work:
        counts = waterfall(tally, definition.counts)
        store = SnapshotStore(work.connection)
        await store.freeze(work, job.job_id, cutter, counts, control.taken)


async def _clear(runtime: Runtime, job: Job) -> None:
    more = True
    while more:
        async with jobs.held(runtime.uow, job) as work:
            more = await SnapshotStore(work.connection).clear(job.job_id)


async def _copy(
    runtime: Runtime, job: Job, reader: Reader, definition: Definition, control: Draw
) -> Cutter:
    cutter = Cutter()
    async for rows in reader.slices():
        held = {row["member_id"]: row for row in rows if control.takes(row["member_id"])}
        members = [
            member_of(row, definition.counts) for row in rows if row["member_id"] not in held
        ]
        async with jobs.held(runtime.uow, job) as work:
            store = SnapshotStore(work.connection)
            await store.add_members(job.job_id, members, cutter)
            await store.add_controls(job.job_id, list(held.values()))
        faults.reach("snapshot.slice")
    return cutter


async def _publish(runtime: Runtime, job: Job) -> bool:
    """Publish the next chunks, with the announcement behind the last; whether more are left."""
    async with jobs.held(runtime.uow, job) as work:
        store = SnapshotStore(work.connection)
        snapshot = await store.find(job.job_id)
        assert snapshot is not None, "a snapshot's row stays"
        chunks = snapshot.chunks or 0
        for chunk in await store.chunks(snapshot, snapshot.published, CHUNKS_AT_ONCE):
            work.emit(chunk)
        published = min(snapshot.published + CHUNKS_AT_ONCE, chunks)
        last = published == chunks
        await store.set_published(job.job_id, published, last=last)
        if last:
            work.emit(announcement(snapshot))
            await jobs.done(work, job)
        return not last


_DO: Final[dict[str, Callable[[Runtime, Job], Awaitable[None]]]] = {
    "count": _count,
    "freeze": _freeze,
}
