"""Progress of runs: what is to be swept, totals counted from rows, the end.

Whoever changes rows of a run adds a mark. This task takes a run's marks, counts its rows and
publishes the totals: at most about once a second, and always once more at the end. It also looks
for attempts whose sender is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

from services.delivery.approving import settings_of
from services.delivery.domain.runs import RunKind, Verdict, ambiguous_outcome
from services.delivery.proving import complete_proof
from services.delivery.results import write_results
from services.delivery.settings import DeliverySettings
from services.delivery.store.ledger import SWEEP_ROWS, LedgerStore
from services.delivery.store.queue import Lost, QueueStore
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.sending import Result, SendingStore
from services.delivery.store.slices import Abandoned, SliceStore
from services.delivery.store.snapshots import SnapshotStore
from services.delivery.store.waves import WaveStore
from shared import faults
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.uow import Work
from shared.waiting import wait_or_stop
from shared.workflows import wake
from topics.delivery import (
    Channel,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryProgressed,
    Outcome,
)

log = logger(__name__)

EXPIRED_AT_ONCE: Final = 1_000
EXPIRED_SLICES_AT_ONCE: Final = 10


async def run_progress(runtime: Runtime, stop: asyncio.Event) -> None:
    """Publish totals and find lost attempts until ``stop`` is set."""
    interval = cast("DeliverySettings", runtime.settings).progress_seconds
    while not stop.is_set():
        began = time.monotonic()
        try:
            await look(runtime)
        except Exception as problem:  # noqa: BLE001 - the next look is a second away
            log.warning("progress.interrupted", error=reason_of(problem))
        # Counting a big ledger may take a while: nine tenths of the time are left to the senders.
        spent = time.monotonic() - began
        await wait_or_stop(stop, max(interval, 9 * spent))


async def look(runtime: Runtime) -> None:
    """Give up lost attempts, then bring every marked run's totals up to date."""
    while await _give_up_lost(runtime):
        pass
    async with runtime.pool.acquire() as connection:
        marked = await RunStore(connection).marked()
    for run_id in marked:
        try:
            while await advance(runtime, run_id):
                pass
        except INTERRUPTIONS:
            raise
        except Exception as problem:
            log.warning("progress.failed", run_id=str(run_id), exc_info=problem)


async def _give_up_lost(runtime: Runtime) -> int:
    """Call attempts ambiguous whose holder is gone; return how many leases were given up."""
    async with runtime.uow.begin() as work:
        lost = await QueueStore(work.connection).lock_expired(EXPIRED_AT_ONCE)
        await _doubt(work, lost)
        slices = await SliceStore(work.connection).lock_expired(EXPIRED_SLICES_AT_ONCE)
        for part in slices:
            await _give_up_slice(work, part)
        if lost or slices:
            faults.reach("progress.giving_up")
        return len(lost) + len(slices)


async def _give_up_slice(work: Work, part: Abandoned) -> None:
    """Give every row of an abandoned window an attempt in doubt; the rest of the slice is free."""
    slices = SliceStore(work.connection)
    doubted = await slices.in_doubt(part)
    if doubted:
        members, numbers = [one for one, _ in doubted], [number for _, number in doubted]
        await SendingStore(work.connection).begin(
            [part.run_id] * len(doubted),
            members,
            numbers,
            part.lease_owner,
            part.window_at or work.now,
        )
        await _doubt(
            work, [Lost(part.run_id, one, number, RunKind.CAMPAIGN) for one, number in doubted]
        )
    await slices.give_back(part, work.now)
    await RunStore(work.connection).mark(part.run_id)


async def _doubt(work: Work, lost: Sequence[Lost]) -> None:
    settings = settings_of(work)
    await write_results(
        work,
        [
            Result(
                run_id=one.run_id,
                member_id=one.member_id,
                number=one.number,
                kind=one.kind,
                verdict=Verdict.AMBIGUOUS,
                code="",
                outcome=ambiguous_outcome(one.kind, settings.policy_of(one.channel)),
                reason="",
                next_at=work.now,
            )
            for one in lost
        ],
    )
    if lost:
        log.warning("sender.attempts_lost", count=len(lost), policy=settings.ambiguous_policy)


async def advance(runtime: Runtime, run_id: UUID) -> bool:
    """Sweep, count and publish one run; return whether there is more to sweep at once."""
    async with runtime.uow.begin() as work:
        runs = RunStore(work.connection)
        run = await runs.lock_free(run_id)
        if run is None:
            return False
        await runs.take_marks(run_id)
        if run.state == "finished":
            await _republish(work, run)
        if run.state != "started":
            return False
        swept = await _sweep(work, run)
        await publish_progress(work, run, paused=run.paused)
        if run.rest == "left":
            await wake(work, "deliveryMgt")  # a later run may wait for this one to be at rest
        if swept == SWEEP_ROWS:
            await runs.mark(run_id)
        return swept == SWEEP_ROWS


async def _sweep(work: Work, run: Run) -> int:
    """End rows that a stop or the supplier's answer decided; return how many."""
    ledger = LedgerStore(work.connection)
    swept = 0
    if run.stop_reason is not None:
        await SliceStore(work.connection).drop_free(run.run_id)
        channels = [Channel.EMAIL]
        # Letters at the supplier cannot be called back from here: their answer is awaited.
        if not run.letters_handed_over:
            channels.append(Channel.DIRECT_MAIL)
        swept = await ledger.sweep(
            run.run_id,
            channels=channels,
            outcome=Outcome.IGNORED,
            reason=run.left_out,
            at=work.now,
        )
    if run.letters_outcome is not None and swept < SWEEP_ROWS:
        swept = await ledger.sweep(
            run.run_id,
            channels=[Channel.DIRECT_MAIL],
            outcome=Outcome(run.letters_outcome),
            reason=run.letters_reason,
            at=work.now,
        )
    return swept


async def publish_progress(work: Work, run: Run, *, paused: bool) -> None:
    """Count a locked run's rows and publish the totals; end it when nothing is left."""
    counts = await LedgerStore(work.connection).counts(run.run_id)
    settled = not counts.pending and not counts.ambiguous and run.again_scope is None
    done = run.filled and run.state == "started" and settled
    if run.kind is RunKind.PROOF:
        if done:
            await RunStore(work.connection).change(
                run.run_id, state="finished", finished_at=work.now
            )
            await complete_proof(work, run, counts)
        return
    if run.kind in {RunKind.SEEDS, RunKind.TEST} and done:
        await RunStore(work.connection).change(run.run_id, state="finished", finished_at=work.now)
    if run.kind is RunKind.CAMPAIGN:
        await _publish(work, run, counts, paused=paused, done=done)


async def _republish(work: Work, run: Run) -> None:
    """Publish the totals of a run that has ended: a bounce came late, or its rest was taken.

    Not once its rows are being removed: they tell the totals no more.
    """
    ledger = LedgerStore(work.connection)
    if run.kind is RunKind.CAMPAIGN and await ledger.has_all(run):
        counts = await ledger.counts(run.run_id)
        await _publish(work, run, counts, paused=False, done=False)


async def finish_unstarted(work: Work, run: Run) -> None:
    """End a run that was stopped before it started: it targeted nobody."""
    await _publish(work, run, DeliveryCounts(), paused=False, done=True)


async def _publish(
    work: Work, run: Run, counts: DeliveryCounts, *, paused: bool, done: bool
) -> None:
    if run.campaign_id is None or run.delivery_id is None:
        return
    runs = RunStore(work.connection)
    revision = await runs.keep_counts(run.run_id, counts)
    in_flight = await SliceStore(work.connection).in_flight(run.run_id)
    work.emit(
        DeliveryProgressed(
            campaign_id=run.campaign_id,
            run_id=run.run_id,
            delivery_id=run.delivery_id,
            counts=counts,
            paused=paused and not done,
            prepared=done or run.prepared,
            waves=await WaveStore(work.connection).progress(run.run_id),
            in_flight=in_flight,
            revision=revision,
        )
    )
    if not done:
        return
    await runs.change(run.run_id, state="finished", finished_at=work.now)
    if run.snapshot_id is not None:
        await SnapshotStore(work.connection).spend(run.snapshot_id)
    work.emit(
        DeliveryFinished(
            campaign_id=run.campaign_id,
            run_id=run.run_id,
            delivery_id=run.delivery_id,
            counts=counts,
            revision=revision,
        )
    )
