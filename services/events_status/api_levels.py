"""Service levels over HTTP: how Message Center does, and from when on that is told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from services.events_status.level_store import LevelStore
from services.events_status.pages import NO_NUL
from services.events_status.threshold_store import ThresholdStore
from services.events_status.thresholds import Kept
from shared.http import Caller, Here, carry_out, may_read
from topics.levels import MOST_VALUE, Grade, Indicator, Level, MinuteFigures, SetThreshold, Window
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


class ThresholdRow(BaseModel):
    """A threshold with how its level stands; ``value`` is the one looked at last."""

    indicator: Indicator
    channel: str
    event_type: str
    window: Window
    below: bool
    warning: float | None
    alert: float | None
    minimum_events: int
    minutes: int
    grade: Grade
    since: datetime | None = Field(description="when it got this grade")
    value: float | None
    changed_by: str
    changed_at: datetime


class ThresholdPage(BaseModel):
    """All thresholds."""

    thresholds: list[ThresholdRow]


class ThresholdBody(BaseModel):
    """From when on a level is told; a channel and type left out stand for all."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(default="", max_length=50, pattern=NO_NUL)
    event_type: str = Field(default="", max_length=MAX_TYPE, pattern=NO_NUL)
    window: Window = Window.HOUR
    below: bool = Field(default=False, description="values under it are the bad ones")
    warning: float | None = Field(default=None, ge=0, le=MOST_VALUE)
    alert: float | None = Field(default=None, ge=0, le=MOST_VALUE)
    minimum_events: int = Field(default=0, ge=0, le=1_000_000_000)
    minutes: int = Field(default=2, ge=0, le=1440)


@router.get("/thresholds")
async def list_thresholds(runtime: Here) -> ThresholdPage:
    """List from when on which service levels are told, and how each stands."""
    async with runtime.pool.acquire() as connection:
        found = await ThresholdStore(connection).listed()
    return ThresholdPage(thresholds=[_row(one) for one in found])


@router.put("/thresholds/{indicator}", status_code=204)
async def put_threshold(
    indicator: Indicator, body: ThresholdBody, actor: Caller, runtime: Here
) -> None:
    """Say from when on a level is told; with neither value it is told no more."""
    await carry_out(runtime, SetThreshold(indicator=indicator, actor=actor, **dict(body)))


@router.delete("/thresholds/{indicator}", status_code=204)
async def delete_threshold(
    indicator: Indicator,
    actor: Caller,
    runtime: Here,
    channel: Annotated[str, Query(max_length=50, pattern=NO_NUL)] = "",
    event_type: Annotated[str, Query(max_length=MAX_TYPE, pattern=NO_NUL)] = "",
) -> None:
    """Have a level told no more."""
    await carry_out(
        runtime,
        SetThreshold(indicator=indicator, channel=channel, event_type=event_type, actor=actor),
    )


def _row(kept: Kept) -> ThresholdRow:
    return ThresholdRow(
        **asdict(kept.threshold),
        grade=kept.standing.grade,
        since=kept.since,
        value=kept.value,
        changed_by=kept.changed_by,
        changed_at=kept.changed_at,
    )
