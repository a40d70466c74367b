"""Waves of a delivery: planned once its recipients are known, opened one after the other.

A wave is a gate over the ledger's positions: what lies behind it is in no window, so a kill or a
replay finds each recipient on the side of the gate where it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.delivery.approving import settings_of
from services.delivery.store.ledger import LedgerStore
from services.delivery.store.runs import Run, RunStore
from services.delivery.store.waves import WaveStore
from shared.timers import set_timer, take_due
from shared.uow import Work
from shared.waves import waves_of

WAVE: Final = "delivery.wave"


async def plan_waves(work: Work, run: Run) -> None:
    """Write the waves of a run whose recipients are all in its ledger; the first opens at once."""
    if run.waves is None:
        return
    messages = await LedgerStore(work.connection).emails_count(run.run_id)
    waves = waves_of(run.waves, messages, work.now)
    await WaveStore(work.connection).plan(run.run_id, waves)
    if waves:
        await set_timer(work, WAVE, str(run.run_id), waves[0].at)
    else:
        await RunStore(work.connection).change(run.run_id, wave_until=None)


async def open_wave(work: Work) -> int:
    """Open the next wave of one run whose time has come; say whether there was one.

    None opens while a run is paused. Then, and after a stop of deliveryMgt, the equal waves keep
    their distance: they are not made up for all at once. Those of a calendar keep their dates.
    """
    await take_due(work, WAVE)
    store, runs = WaveStore(work.connection), RunStore(work.connection)
    run_id = await store.lock_due(work.now)
    run = await runs.lock(run_id) if run_id is not None else None
    wave = await store.next(run.run_id) if run is not None else None
    if run is None or wave is None:
        return 0
    until = None
    if wave.size is not None:
        until = await store.cut(run.run_id, first=run.wave_until or 0, size=wave.size)
    await store.open(run.run_id, wave.number, work.now)
    if until is None:
        await store.drop_rest(run.run_id)
    else:
        await _plan_next(work, run)
    hours = timedelta(hours=settings_of(work).sender_retry_hours)
    await runs.change(
        run.run_id, wave_until=until, retry_until=max(run.retry_until, work.now + hours)
    )
    await runs.mark(run.run_id)
    return 1


async def _plan_next(work: Work, run: Run) -> None:
    store = WaveStore(work.connection)
    following = await store.next(run.run_id)
    if following is None:
        return
    at = following.starts_at
    if run.waves is not None and run.waves.period_minutes is not None and not run.waves.calendar:
        at = max(at, work.now + timedelta(minutes=run.waves.period_minutes))
        await store.put_off(run.run_id, following.number, at)
    await set_timer(work, WAVE, str(run.run_id), at)


async def lift_gate(work: Work, run: Run) -> None:
    """Forget the waves of a stopped run that did not open: what goes again of it goes at once."""
    await WaveStore(work.connection).drop_rest(run.run_id)
    await RunStore(work.connection).change(run.run_id, wave_until=None)
