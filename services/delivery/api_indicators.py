"""HTTP routes of indicators: counted from rows, or live; each says as of when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException

from services.delivery.domain.indicators import indicators
from services.delivery.store.activity import ActivityStore
from services.delivery.store.deliveries import DeliveryStore
from services.delivery.store.indicators import IndicatorStore, Saved
from services.delivery.tracking.workflows import counted_now
from services.delivery.wire import View
from shared.database import Connection
from shared.http import Here, may_read

indicators_router = APIRouter(dependencies=[Depends(may_read)])


class IndicatorsView(View):
    """A delivery's indicators (e-mails; proofs not counted), as of when they were counted.

    Rates are parts of one, ``None`` when there is nothing to divide by. ``machine_opens`` and
    ``machine_clicks`` are the recipients of whom only machines opened or clicked; they are part of
    ``opens`` and ``clicks``.
    """

    delivery_id: UUID
    as_of: datetime
    total_target: int
    rejected: int
    to_deliver: int
    processed: int
    success: int
    opens: int
    machine_opens: int
    estimated_opens: int
    clicks: int
    machine_clicks: int
    clicks_total: int
    click_persons: int
    forwards: int
    reactivity: float | None
    estimated_reactivity: float | None
    opt_outs: int
    mirror_pages: int
    transactions: int
    amount_minor: int
    complaints: int
    hard_bounces: int
    soft_bounces: int
    new_quarantines: int

    @classmethod
    def of(cls, delivery_id: UUID, saved: Saved) -> IndicatorsView:
        """Return the view of indicators that were kept."""
        return cls(delivery_id=delivery_id, as_of=saved.as_of, **asdict(saved.figures))


class LinkView(View):
    """A link of a delivery's content, and its clicks in the five-minute windows counted so far."""

    number: int
    part: str
    url: str
    label: str
    clicks: int
    machine_clicks: int


class ActivityFigures(View):
    """How much happened: messages sent, failed and deferred, opens and clicks."""

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    opens: int = 0
    clicks: int = 0


class LiveView(View):
    """A run as the live view shows it: a moving picture, not a book-keeping.

    ``minute`` and ``hour`` are what happened in the last one before ``as_of``, which is when the
    view was written last; ``total`` is what it has seen since the run began.
    """

    run_id: UUID
    as_of: datetime
    last_at: datetime
    minute: ActivityFigures
    hour: ActivityFigures
    total: ActivityFigures


@indicators_router.get("/deliveries/{delivery_id}/indicators")
async def read_indicators(delivery_id: UUID, runtime: Here) -> IndicatorsView:
    """Return the latest indicators; those of a delivery that has none yet are counted now."""
    async with runtime.pool.acquire() as connection:
        await _known(connection, delivery_id)
        saved = await IndicatorStore(connection).find(delivery_id)
        if saved is None:
            counted = await IndicatorStore(connection).counted(delivery_id)
            if counted is None:
                raise HTTPException(404, "the rows of this delivery were removed")
            saved = Saved(indicators(counted), runtime.clock.now())
    return IndicatorsView.of(delivery_id, saved)


@indicators_router.post("/deliveries/{delivery_id}/indicators")
async def count_indicators(delivery_id: UUID, runtime: Here) -> IndicatorsView:
    """Count a delivery's indicators now and return them."""
    async with runtime.uow.begin() as work:
        await _known(work.connection, delivery_id)
        saved = await counted_now(work, delivery_id)
    if saved is None:
        raise HTTPException(404, "the rows of this delivery were removed")
    return IndicatorsView.of(delivery_id, saved)


@indicators_router.get("/deliveries/{delivery_id}/links")
async def links(delivery_id: UUID, runtime: Here) -> list[LinkView]:
    """Return the links of a delivery's content that are followed, in order."""
    async with runtime.pool.acquire() as connection:
        await _known(connection, delivery_id)
        found = await IndicatorStore(connection).links(delivery_id)
    return [LinkView(**asdict(link)) for link in found]


@indicators_router.get("/deliveries/{delivery_id}/live")
async def live(delivery_id: UUID, runtime: Here) -> list[LiveView]:
    """Return what the live view shows of a delivery's runs, latest first."""
    async with runtime.pool.acquire() as connection:
        await _known(connection, delivery_id)
        shown = await ActivityStore(connection).of_delivery(delivery_id)
    return [LiveView(**row) for row in shown]


async def _known(connection: Connection, delivery_id: UUID) -> None:
    if await DeliveryStore(connection).find(delivery_id) is None:
        raise HTTPException(404, "there is no such delivery")
