"""Counts and freezes that were asked for, as rows: read outside the transaction that asked.

Counting reads the whole directory and may run text that somebody wrote, so no handler does it. A
job is claimed by lease; its epoch is checked in every transaction that writes for it, so a worker
that was frozen and woken changes nothing. The answer and the job's end commit together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.errors import INTERRUPTIONS
from shared.ids import new_id
from shared.uow import UnitOfWork, Work
from shared.waiting import wait_or_stop
from topics.cloudevents import Envelope

LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 4.0
ATTEMPTS: Final = 5

_ADD_COUNT: Final = """
INSERT INTO target_jobs (job_id, kind, campaign_id, targeting_id, asked_at, cause)
VALUES ($1, 'count', $2, $3, $4, $5)
ON CONFLICT (campaign_id, targeting_id) WHERE kind = 'count' DO UPDATE
SET cause = excluded.cause, asked_at = excluded.asked_at, attempts = 0, not_before = '-infinity',
    lease_until = '-infinity', epoch = target_jobs.epoch + 1
"""
_ADD_FREEZE: Final = """
INSERT INTO target_jobs (job_id, kind, campaign_id, targeting_id, asked_at, cause)
VALUES ($1, 'freeze', $2, $3, $4, $5) ON CONFLICT (job_id) DO NOTHING
"""
_CLAIM: Final = """
UPDATE target_jobs
SET lease_until = now() + $3 * interval '1 second', epoch = epoch + 1, attempts = attempts + 1
WHERE job_id = (SELECT job_id FROM target_jobs
                WHERE kind = $1 AND lease_until < now() AND not_before <= $2
                ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING job_id, kind, campaign_id, targeting_id, asked_at, cause, attempts, epoch
"""
_HOLD: Final = """
UPDATE target_jobs SET lease_until = now() + $3 * interval '1 second'
WHERE job_id = $1 AND epoch = $2 RETURNING 1
"""


class Lost(Exception):
    """The job is somebody else's by now: stop, and leave everything as it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """One count or freeze that this process has claimed."""

    job_id: UUID
    kind: str
    campaign_id: UUID
    targeting_id: UUID
    asked_at: datetime
    cause: dict[str, Any]
    attempts: int
    epoch: int

    @property
    def snapshot_id(self) -> UUID | None:
        """The snapshot a freeze makes."""
        return self.job_id if self.kind == "freeze" else None


async def add_count(work: Work, campaign_id: UUID, targeting_id: UUID) -> None:
    """Ask for a count; one under way begins again, so the answer is never older than the asking."""
    await work.connection.execute(
        _ADD_COUNT, new_id(), campaign_id, targeting_id, work.now, _cause(work)
    )


async def add_freeze(work: Work, snapshot_id: UUID, campaign_id: UUID, targeting_id: UUID) -> None:
    """Ask for a snapshot; one under way goes on."""
    await work.connection.execute(
        _ADD_FREEZE, snapshot_id, campaign_id, targeting_id, work.now, _cause(work)
    )


def _cause(work: Work) -> dict[str, Any]:
    if work.cause is None:
        return {}
    names = ("source", "id", "type", "correlation_id", "traceparent")
    return {name: getattr(work.cause, name) for name in names}


async def claim(uow: UnitOfWork, kind: str) -> Job | None:
    """Return the job of a kind that waits longest, claimed; ``None`` when none is due."""
    async with uow.begin() as work:
        row = await work.connection.fetchrow(_CLAIM, kind, work.now, LEASE_SECONDS)
    return Job(**dict(row)) if row else None


@asynccontextmanager
async def held(uow: UnitOfWork, job: Job) -> AsyncIterator[Work]:
    """Yield a unit of work for a job; what it emits carries on the trace of who asked.

    Raises:
        Lost: the job is no longer this process's.
    """
    async with uow.begin() as work:
        if not await work.connection.fetchval(_HOLD, job.job_id, job.epoch, LEASE_SECONDS):
            raise Lost
        if job.cause:
            work.cause = Envelope(time=None, data=b"", **job.cause)
        yield work


@asynccontextmanager
async def kept(uow: UnitOfWork, job: Job) -> AsyncIterator[None]:
    """Renew a job's lease while the block runs: one long read may outlast it."""
    stop = asyncio.Event()
    renewing = asyncio.create_task(_renew(uow, job, stop))
    try:
        yield
    finally:
        stop.set()
        await renewing


async def _renew(uow: UnitOfWork, job: Job, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await wait_or_stop(stop, RENEW_SECONDS)
        if stop.is_set():
            return
        try:
            async with held(uow, job):
                pass
        except Lost:
            return
        except INTERRUPTIONS:
            continue  # the next write notices when the lease is gone


async def done(work: Work, job: Job) -> None:
    """Forget a job, in the transaction that answers it."""
    await work.connection.execute("DELETE FROM target_jobs WHERE job_id = $1", job.job_id)


async def postpone(uow: UnitOfWork, job: Job, *, seconds: float) -> None:
    """Give a job back, to be claimed again after a while."""
    async with held(uow, job) as work:
        await work.connection.execute(
            "UPDATE target_jobs SET lease_until = '-infinity', not_before = $2 WHERE job_id = $1",
            job.job_id,
            work.now + timedelta(seconds=seconds),
        )
