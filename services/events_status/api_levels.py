"""Service levels over HTTP: how Message Center does, and from when on that is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from services.events_status.level_store import LevelStore
from services.events_status.pages import NO_NUL
from shared.http import Here, may_read
from topics.levels import Level, MinuteFigures, Window
from topics.outside import MAX_TYPE

router = APIRouter(dependencies=[Depends(may_read)])


class LevelFilters(BaseModel):
    """What levels are narrowed to; an empty channel or type is the line of all of them."""

    model_config = ConfigDict(extra="forbid")

    window: Window | None = None
    channel: str | None = Field(default=None, max_length=50, pattern=NO_NUL)
    event_type: str | None = Field(default=None, max_length=MAX_TYPE, pattern=NO_NUL)

    def let_through(self, level: Level) -> bool:
        """Whether a level is asked for."""
        return (
            self.window in {None, level.window}
            and self.channel in {None, level.channel}
            and self.event_type in {None, level.event_type}
        )


class LevelPage(BaseModel):
    """Service levels as the live view shows them.

    ``told_until`` is the time of the latest summary in them; ``is_late`` says that the view is
    behind, or does not run. ``minutes`` are the last hour in all.
    """

    as_of: datetime | None
    told_until: datetime | None
    is_late: bool
    levels: list[Level]
    minutes: list[MinuteFigures]


@router.get("/levels")
async def service_levels(filters: Annotated[LevelFilters, Query()], runtime: Here) -> LevelPage:
    """Return throughput, queue, times and error rate by channel, type and window."""
    async with runtime.pool.acquire() as connection:
        found = await LevelStore(connection).latest()
    if found is None:
        return LevelPage(as_of=None, told_until=None, is_late=True, levels=[], minutes=[])
    return LevelPage(
        as_of=found.as_of,
        told_until=found.told_until,
        is_late=found.is_late(runtime.clock.now()),
        levels=[one for one in found.levels if filters.let_through(one)],
        minutes=list(found.minutes),
    )
