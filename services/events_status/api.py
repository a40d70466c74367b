"""Message Center over HTTP: events with their history, and the routes of event types."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.events_status.pages import (
    NO_NUL,
    Counts,
    EventDetail,
    EventPage,
    Filters,
    StatisticsPage,
    event_counts,
    event_detail,
    event_page,
    statistics_page,
)
from services.events_status.route_pages import RoutePage, route_page
from shared.http import Caller, Here, carry_out, may_read
from shared.ids import recipient_key
from shared.rights import Right, require
from topics.events import ControlEvent, EventControl, EventControlled, RouteEventType
from topics.outside import MAX_TYPE
from topics.phones import reached_by

router = APIRouter(dependencies=[Depends(may_read)])
EventType = Annotated[str, Path(min_length=1, max_length=MAX_TYPE, pattern=NO_NUL)]


class Search(Filters):
    """A search that may name an address or a number, in the body: no log of paths has it."""

    address: str | None = Field(default=None, min_length=3, max_length=254, pattern=NO_NUL)


class ControlBody(BaseModel):
    """What a control needs beside its event: the channel that one is recycled to."""

    model_config = ConfigDict(extra="forbid")

    channel: str | None = Field(default=None, max_length=40, pattern=NO_NUL)


class Controlled(BaseModel):
    """The event that was controlled; for a resend or a recycling, the new one."""

    event_id: UUID


class RouteBody(BaseModel):
    """Where events of a type lead from now on."""

    model_config = ConfigDict(extra="forbid")

    template_id: UUID


@router.get("/events")
async def list_events(filters: Annotated[Filters, Query()], runtime: Here) -> EventPage:
    """List events by status, type, external id and queue, latest first."""
    async with runtime.pool.acquire() as connection:
        return await event_page(connection, filters)


@router.post("/events/search")
async def search_events(search: Search, actor: Caller, runtime: Here) -> EventPage:
    """Search events, by address or number too: that asks for the right to manage event types."""
    key = None
    async with runtime.uow.begin() as work:
        if search.address is not None:
            await require(work, actor, Right.MANAGE_EVENTS)
            key = recipient_key(work.settings.secret, *reached_by(search.address))
        return await event_page(work.connection, search, recipient_key=key)


@router.get("/events/counts")
async def count_events(runtime: Here) -> Counts:
    """Count events by queue and status; say which workflows hold them back."""
    async with runtime.pool.acquire() as connection:
        return await event_counts(connection)


@router.get("/events/{event_id}")
async def read_event(event_id: UUID, runtime: Here) -> EventDetail:
    """Return an event with every status it had."""
    async with runtime.pool.acquire() as connection:
        found = await event_detail(connection, event_id)
    if found is None:
        raise HTTPException(404, "there is no such event")
    return found


@router.post("/events/{event_id}/{control}")
async def control(
    event_id: UUID,
    control: EventControl,
    actor: Caller,
    runtime: Here,
    body: ControlBody | None = None,
) -> Controlled:
    """Hold a pending event back, let it go on, send it again or recycle it as a new event."""
    channel = body.channel if body else None
    said = await carry_out(
        runtime,
        ControlEvent(event_id=event_id, control=control, channel=channel, actor=actor),
    )
    [done] = [one for one in said if isinstance(one, EventControlled)]
    return Controlled(event_id=done.result_id)


@router.get("/statistics")
async def statistics(
    runtime: Here, since: date | None = None, until: date | None = None
) -> StatisticsPage:
    """Return events by day, channel, type and status, as agg_messageCenter_full counted them."""
    async with runtime.pool.acquire() as connection:
        return await statistics_page(connection, since, until)


@router.get("/routes")
async def list_routes(
    runtime: Here,
    after: Annotated[str | None, Query(max_length=MAX_TYPE, pattern=NO_NUL)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RoutePage:
    """List which template the events of each type use: what is published."""
    async with runtime.pool.acquire() as connection:
        return await route_page(connection, after, limit)


@router.put("/routes/{event_type:path}", status_code=204)
async def link(event_type: EventType, body: RouteBody, actor: Caller, runtime: Here) -> None:
    """Link an event type to a template, and publish that at once."""
    await carry_out(
        runtime,
        RouteEventType(event_type=event_type, template_id=body.template_id, actor=actor),
    )


@router.delete("/routes/{event_type:path}", status_code=204)
async def unlink(event_type: EventType, actor: Caller, runtime: Here) -> None:
    """Unpublish an event type's template: its events are not covered from now on."""
    await carry_out(runtime, RouteEventType(event_type=event_type, template_id=None, actor=actor))
