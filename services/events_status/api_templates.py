"""Event templates over HTTP: linked, published, unpublished, deleted; what is published."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.events_status.domain import Route
from services.events_status.pages import NO_NUL
from services.events_status.template_pages import (
    EventTemplateDetail,
    EventTemplatePage,
    template_detail,
    template_page,
)
from shared.http import Caller, Here, carry_out, may_read
from shared.service import Runtime
from topics.event_templates import (
    DeleteEventTemplate,
    PublishEventTemplate,
    UnpublishEventTemplate,
)
from topics.events import RouteEventType
from topics.outside import EMAIL, MAX_TYPE, EventChannel

router = APIRouter(dependencies=[Depends(may_read)])
EventType = Annotated[str, Path(min_length=1, max_length=MAX_TYPE, pattern=NO_NUL)]
Channel = Annotated[EventChannel, Query(description="email, sms or webhook")]


class DraftBody(BaseModel):
    """The template that becomes a type and channel's draft."""

    model_config = ConfigDict(extra="forbid")

    template_id: UUID
    publish: bool = Field(default=False, description="publish it at once")


class PublishBody(BaseModel):
    """What is to be published."""

    model_config = ConfigDict(extra="forbid")

    content_hash: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="the draft's content that was looked at; refused when it is another by now",
    )


@router.get("/templates")
async def list_templates(
    runtime: Here,
    after: Annotated[str | None, Query(max_length=MAX_TYPE, pattern=NO_NUL)] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="how many event types")] = 50,
) -> EventTemplatePage:
    """List event templates: their drafts, what is published of them, and what changed since."""
    async with runtime.pool.acquire() as connection:
        return await template_page(connection, after, limit)


@router.get("/templates/{event_type:path}")
async def read_template(
    event_type: EventType, runtime: Here, channel: Channel = EMAIL
) -> EventTemplateDetail:
    """Return an event template with every version that was published."""
    return await _detail(runtime, Route(event_type, channel))


@router.put("/templates/{event_type:path}")
async def link_template(
    event_type: EventType,
    body: DraftBody,
    actor: Caller,
    runtime: Here,
    channel: Channel = EMAIL,
) -> EventTemplateDetail:
    """Link an event type and channel to a template, its draft."""
    await carry_out(
        runtime,
        RouteEventType(
            event_type=event_type,
            channel=channel,
            template_id=body.template_id,
            publish=body.publish,
            actor=actor,
        ),
    )
    return await _detail(runtime, Route(event_type, channel))


@router.post("/templates/{event_type:path}/publish")
async def publish_template(
    event_type: EventType,
    actor: Caller,
    runtime: Here,
    body: PublishBody | None = None,
    channel: Channel = EMAIL,
) -> EventTemplateDetail:
    """Send events from now on with the draft's content as it is."""
    await carry_out(
        runtime,
        PublishEventTemplate(
            event_type=event_type,
            channel=channel,
            content_hash=body.content_hash if body else None,
            actor=actor,
        ),
    )
    return await _detail(runtime, Route(event_type, channel))


@router.post("/templates/{event_type:path}/unpublish")
async def unpublish_template(
    event_type: EventType, actor: Caller, runtime: Here, channel: Channel = EMAIL
) -> EventTemplateDetail:
    """Leave events of the type and channel uncovered from now on; the draft stays."""
    await carry_out(
        runtime, UnpublishEventTemplate(event_type=event_type, channel=channel, actor=actor)
    )
    return await _detail(runtime, Route(event_type, channel))


@router.delete("/templates/{event_type:path}", status_code=204)
async def delete_template(
    event_type: EventType, actor: Caller, runtime: Here, channel: Channel = EMAIL
) -> None:
    """Forget a draft; one that is published is refused."""
    await carry_out(
        runtime, DeleteEventTemplate(event_type=event_type, channel=channel, actor=actor)
    )


async def _detail(runtime: Runtime, route: Route) -> EventTemplateDetail:
    async with runtime.pool.acquire() as connection:
        found = await template_detail(connection, route)
    if found is None:
        raise HTTPException(404, f"there is no event template for this type by {route.channel}")
    return found
