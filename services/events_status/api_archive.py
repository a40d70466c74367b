"""The archive of Message Center over HTTP: how it stands, and its deliveries."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Depends

from services.events_status.archive.pages import (
    DeliveriesPage,
    Overview,
    deliveries_page,
    overview,
)
from services.events_status.settings import settings_of
from shared.http import Here, may_read

router = APIRouter(prefix="/archive", dependencies=[Depends(may_read)])


@router.get("")
async def read_archive(runtime: Here) -> Overview:
    """Say how far each execution account's synchronisation has come, and what waits for it."""
    async with runtime.pool.acquire() as connection:
        return await overview(connection, settings_of(runtime.settings), runtime.clock.now())


@router.get("/deliveries")
async def list_deliveries(
    runtime: Here, since: date | None = None, until: date | None = None
) -> DeliveriesPage:
    """Count archived events by template and by the week of their last change."""
    async with runtime.pool.acquire() as connection:
        return await deliveries_page(connection, since, until)
