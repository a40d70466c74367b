"""Event templates: a draft is linked to a type and channel, published, unpublished, deleted.

Each change is one transaction that locks the draft's row, and routing reads what is published in
one query: an event has one version, wholly, whoever publishes meanwhile.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from services.events_status.domain import Draft, Route
from services.events_status.routes import RouteStore
from shared.errors import Refused
from shared.ids import new_id_text
from shared.registry import Registry
from shared.rights import Right, require
from shared.uow import Work
from topics.delivery import TemplateState
from topics.event_templates import (
    DeleteEventTemplate,
    EventTemplateDeleted,
    EventTemplatePublished,
    EventTemplateRefused,
    EventTemplateUnpublished,
    PublishEventTemplate,
    UnpublishEventTemplate,
)
from topics.events import EventTypeRouted, RouteEventType, RouteRefused

Change: TypeAlias = PublishEventTemplate | UnpublishEventTemplate | DeleteEventTemplate
registry: Final = Registry()


def _route_refused(command: RouteEventType, refusal: Refused) -> RouteRefused:
    return RouteRefused(event_type=command.event_type, reason=refusal.reason, actor=command.actor)


def _refused(command: Change, refusal: Refused) -> EventTemplateRefused:
    return EventTemplateRefused(
        event_type=command.event_type,
        channel=command.channel,
        command=type(command).__name__,
        reason=refusal.reason,
        field=refusal.field,
        actor=command.actor,
    )


@registry.on(RouteEventType, refusal=_route_refused)
async def route_event_type(command: RouteEventType, work: Work) -> None:
    """Link a type and channel to its draft, and publish that unless told not to; or unpublish.

    A template that is not known here yet may be linked: senders link it right after they saved it.
    """
    await require(work, command.actor, Right.MANAGE_EVENTS)
    if not await _first_time(work, command):
        return
    store = RouteStore(work.connection)
    route, by = Route(command.event_type, command.channel), command.actor.id
    if command.template_id is not None:
        _fits(route, await store.channel_of(command.template_id))
        await store.link(route, command.template_id, by=by, at=work.now)
    draft = await store.lock(route)
    live = draft.published if draft else None
    if draft is not None and command.template_id is None:
        await store.unpublish(route, by=by, at=work.now)
        live = None
    elif draft is not None and command.publish and draft.to_publish:
        live = await store.publish(route, draft, by=by, at=work.now)
    work.emit(
        EventTypeRouted(
            event_type=command.event_type,
            template_id=command.template_id,
            actor=command.actor,
            channel=command.channel,
            version=live.version if live else None,
        )
    )


@registry.on(PublishEventTemplate, refusal=_refused)
async def publish_event_template(command: PublishEventTemplate, work: Work) -> None:
    """Have events use the draft's content from now on; what is published already stays so."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    if not await _first_time(work, command):
        return
    store, route = RouteStore(work.connection), Route(command.event_type, command.channel)
    draft = await _draft(store, route)
    _fits(route, await store.channel_of(draft.template_id))
    content_hash = _content(draft, command.content_hash)
    live = draft.published
    if live is None or draft.to_publish:
        live = await store.publish(route, draft, by=command.actor.id, at=work.now)
    work.emit(
        EventTemplatePublished(
            event_type=command.event_type,
            channel=command.channel,
            version=live.version,
            template_id=live.template_id,
            content_hash=content_hash,
            actor=command.actor,
        )
    )


@registry.on(UnpublishEventTemplate, refusal=_refused)
async def unpublish_event_template(command: UnpublishEventTemplate, work: Work) -> None:
    """Leave events of the type and channel uncovered from now on."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    if not await _first_time(work, command):
        return
    store, route = RouteStore(work.connection), Route(command.event_type, command.channel)
    live = (await _draft(store, route)).published
    if live is None:
        raise Refused("is not published", field="event_type", code="not_published")
    await store.unpublish(route, by=command.actor.id, at=work.now)
    work.emit(
        EventTemplateUnpublished(
            event_type=command.event_type,
            channel=command.channel,
            version=live.version,
            actor=command.actor,
        )
    )


@registry.on(DeleteEventTemplate, refusal=_refused)
async def delete_event_template(command: DeleteEventTemplate, work: Work) -> None:
    """Forget a draft."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    if not await _first_time(work, command):
        return
    store, route = RouteStore(work.connection), Route(command.event_type, command.channel)
    live = (await _draft(store, route)).published
    if live is not None:
        reason = f"version {live.version} is published; unpublish it first"
        raise Refused(reason, field="event_type", code="published")
    await store.delete(route)
    work.emit(
        EventTemplateDeleted(
            event_type=command.event_type, channel=command.channel, actor=command.actor
        )
    )


@registry.on(TemplateState)
async def copy_template(state: TemplateState, work: Work) -> None:
    """Keep the names and contents of templates, to publish them and to show where a route leads."""
    await RouteStore(work.connection).save_template(state)


async def _first_time(work: Work, command: RouteEventType | Change) -> bool:
    """Note a command; return whether it is its first time.

    Also one that is refused: replayed much later, a deletion must not succeed after all.
    """
    cause = work.cause
    return await RouteStore(work.connection).remember(
        Route(command.event_type, command.channel),
        type(command).__name__,
        identity=(cause.source, cause.id) if cause else (f"/muster/{work.service}", new_id_text()),
        template_id=command.template_id if isinstance(command, RouteEventType) else None,
        by=command.actor.id,
        at=work.now,
    )


async def _draft(store: RouteStore, route: Route) -> Draft:
    draft = await store.lock(route)
    if draft is None:
        reason = f"there is no event template for {route.event_type} by {route.channel}"
        raise Refused(reason, field="event_type", code="unknown")
    return draft


def _fits(route: Route, channel: str | None) -> None:
    """Refuse a template that is for another channel; of one not known here, nothing is known."""
    if channel is not None and channel != route.channel:
        reason = f"is a template for {channel}, not for {route.channel}"
        raise Refused(reason, field="template_id", code="wrong_channel")


def _content(draft: Draft, seen: str | None) -> str:
    """Return the draft's content, which must be known here and be the one that was looked at."""
    if draft.content_hash is None:
        reason = f"the content of template {draft.template_id} is not known here; save it again"
        raise Refused(reason, field="template_id", code="unknown_content")
    if seen is not None and seen != draft.content_hash:
        reason = "is not the draft's content any more; look at it and publish that"
        raise Refused(reason, field="content_hash", code="stale")
    return draft.content_hash
