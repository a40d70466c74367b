"""tracking and deliveryIndicators: events become windows, windows and ledgers become indicators.

Each call does one bounded piece of work. Stopped, events wait in the log; links lead on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from services.delivery.approving import settings_of
from services.delivery.domain.indicators import indicators
from services.delivery.store.activity import ActivityStore
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.indicators import IndicatorStore, Saved
from services.delivery.store.tracking import TrackingStore
from services.delivery.store.windows import WindowStore
from services.delivery.tracking.logging import log_tracking
from services.delivery.tracking.targets import GOOD_FOR
from shared.schedules import Every
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow, wake

EVENTS_A_STEP: Final = 10_000
ROWS_PURGED_A_STEP: Final = 5_000
HOUR: Final = 3600.0
LIVE_DAYS: Final = timedelta(days=14)
MOVING_AGAIN: Final = timedelta(minutes=5)
"""How old the indicators of a delivery under way may get before a run counts them again."""


async def consolidate_tracking(work: Work) -> Step:
    """Do the first of tracking's pieces that has something to do."""
    for piece in (_consolidate, _forget):
        done = await piece(work)
        if done:
            return Step(rows_in=done, rows_out=done, more=True)
    return Step()


async def _consolidate(work: Work) -> int:
    taken = await WindowStore(work.connection).consolidate(EVENTS_A_STEP)
    await log_tracking(work, taken.single)
    if 0 < taken.events < EVENTS_A_STEP:
        await wake(work, "deliveryIndicators")
    return taken.events


async def _forget(work: Work) -> int:
    """Remove what is kept no longer: persons' events, then their totals, and copies of mails."""
    settings, windows = settings_of(work), WindowStore(work.connection)
    log_days = timedelta(days=settings.tracking_log_days)
    gone = await windows.purge_log(work.now - log_days, ROWS_PURGED_A_STEP)
    window_days = timedelta(days=settings.tracking_windows_days)
    gone += await windows.purge(work.now - window_days, ROWS_PURGED_A_STEP)
    gone += await TrackingStore(work.connection).drop_copies(
        kept_before=work.now - GOOD_FOR, limit=ROWS_PURGED_A_STEP
    )
    # The view itself forgets a run after a week.
    gone += await ActivityStore(work.connection).forget(still_since=work.now - LIVE_DAYS)
    return gone


async def count_indicators(work: Work) -> Step:
    """Count the indicators of a delivery that something happened to, else of one under way."""
    store = IndicatorStore(work.connection)
    marked = await store.take_marked()
    if marked is not None:
        return Step(rows_in=1, rows_out=int(await recompute(work, marked)), more=True)
    moving = await store.moving(work.now, older_than=MOVING_AGAIN)
    if moving is None or not await recompute(work, moving):
        return Step()
    return Step(rows_in=1, rows_out=1, more=True)


async def recompute(work: Work, delivery_id: UUID) -> bool:
    """Count a delivery's indicators and keep them; False when its rows are there no more."""
    store = IndicatorStore(work.connection)
    counted = await store.counted(delivery_id)
    if counted is None:
        return False
    await store.save(delivery_id, indicators(counted), work.now)
    return True


async def counted_now(work: Work, delivery_id: UUID) -> Saved | None:
    """Return a delivery's indicators, counted again where its rows are still there."""
    if await DeliveryStore(work.connection).find(delivery_id) is None:
        return None
    await recompute(work, delivery_id)
    return await IndicatorStore(work.connection).find(delivery_id)


TRACKING_WORKFLOWS: Final = (
    TechnicalWorkflow(
        name="tracking",
        label="Tracking",
        label_fr="Suivi des messages",
        package="Delivery",
        run=consolidate_tracking,
        schedule=Every(HOUR),
    ),
    TechnicalWorkflow(
        name="deliveryIndicators",
        label="Delivery indicators",
        label_fr="Indicateurs de diffusion",
        package="Mid-sourcing platform",
        run=count_indicators,
        schedule=Every(HOUR),
    ),
)
