"""Generating actions over a snapshot, one bounded step after another, and what follows a run.

The steps run beside the consumer, not in a handler: a snapshot of a million members is fifty
transactions of at most 20,000 rows, so that no batch, relay or reader waits for it, and memory
stays flat because the rows never leave the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from services.actions.domain import Generated
from services.actions.moving import move_step
from services.actions.settings import ActionsSettings
from services.actions.store.generations import GenerationStore, Job
from services.actions.store.members import MemberStore
from services.actions.store.totals import TotalsStore
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.uow import UnitOfWork, Work
from shared.waiting import wait_or_stop
from topics.actions import ActionsCompleted, ActionsGenerated

log = logger(__name__)

IDLE_SECONDS: Final = 0.25
PRUNE_SECONDS: Final = 60.0
CHUNKS_FORGOTTEN_AT_ONCE: Final = 40


async def generate_step(uow: UnitOfWork) -> bool:
    """Generate the next slices of the job that waited longest, or complete one.

    Answers: ``ActionsGenerated`` for slices, ``ActionsCompleted`` after the last.

    Returns:
        Whether there was anything to do.
    """
    async with uow.begin() as work:
        generated = await generate_slices(work)
    return generated or await _complete(uow)


async def generate_slices(work: Work) -> bool:
    """Generate over the next slices of a job, in the caller's transaction."""
    job = await GenerationStore(work.connection).claim()
    if job is not None:
        await _generate(job, work)
    return job is not None


async def _generate(job: Job, work: Work) -> None:
    made = await GenerationStore(work.connection).generate(job, work.now)
    totals = TotalsStore(work.connection)
    await totals.lock(job.campaign_id)
    await totals.add(job.campaign_id, made)
    work.emit(
        ActionsGenerated(
            campaign_id=job.campaign_id,
            run_id=job.run_id,
            index=job.next_chunk,
            actions=made.actions,
            deals=made.deals,
            dossier_items=made.dossier_items,
        )
    )


async def _complete(uow: UnitOfWork) -> bool:
    # Members and links do not change while a run is open, so they are counted before anything is
    # locked: a writing transaction would hold the relay back for as long as the count takes.
    async with uow.begin() as work:
        job = await GenerationStore(work.connection).next_to_complete()
        reached = await GenerationStore(work.connection).reached(job) if job else (0, 0)
    if job is None:
        return False
    async with uow.begin() as work:
        if not await GenerationStore(work.connection).complete(job.run_id, reached, work.now):
            return True
        totals = TotalsStore(work.connection)
        await totals.lock(job.campaign_id)
        after = await totals.add(job.campaign_id, Generated())
        work.emit(
            ActionsCompleted(
                campaign_id=job.campaign_id,
                run_id=job.run_id,
                counts=after.counts(),
                organisations=reached[0],
                persons=reached[1],
                revision=after.revision,
            )
        )
    return True


async def forget_step(uow: UnitOfWork, keep_days: int) -> bool:
    """Remove slices of snapshots that nobody needs any more; return whether any were left."""
    async with uow.begin() as work:
        before = work.now - timedelta(days=keep_days)
        gone = await MemberStore(work.connection).forget(before, chunks=CHUNKS_FORGOTTEN_AT_ONCE)
    return gone == CHUNKS_FORGOTTEN_AT_ONCE


async def generating(runtime: Runtime, stop: asyncio.Event) -> None:
    """Generate while there are jobs (a task of the service)."""
    await _keep_going(lambda: generate_step(runtime.uow), stop, IDLE_SECONDS)


async def moving(runtime: Runtime, stop: asyncio.Event) -> None:
    """Carry out queued moves (a task of the service)."""
    await _keep_going(lambda: move_step(runtime.uow), stop, IDLE_SECONDS)


async def forgetting(runtime: Runtime, stop: asyncio.Event) -> None:
    """Forget members of old snapshots (a task of the service)."""
    settings = runtime.settings
    days = settings.actions_keep_members_days if isinstance(settings, ActionsSettings) else 30
    await _keep_going(lambda: forget_step(runtime.uow, days), stop, PRUNE_SECONDS)


async def _keep_going(
    step: Callable[[], Awaitable[bool]], stop: asyncio.Event, idle_seconds: float
) -> None:
    while not stop.is_set():
        try:
            worked = await step()
        except INTERRUPTIONS as problem:
            log.warning("actions.interrupted", error=reason_of(problem))
            worked = False
        if not worked:
            await wait_or_stop(stop, idle_seconds)
