"""Routing: what is published for an event's type and channel, and the message that it gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.events_status.domain import Move, Published, Route, Tracked, message_id, move
from topics.delivery import Channel, SendBatchMessage, SendMessage
from topics.events import EventStatus
from topics.outside import WEBHOOK, Queue

NOT_COVERED: Final = "no template is published for this event type and channel"
TOO_LONG: Final = "it waited longer in its queue than events may"
TOO_LATE: Final = "it was to be sent before its expiration only"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending event with what its message needs."""

    event: Tracked
    address: str
    recipient_key: str
    language: str
    ctx: dict[str, Any]
    expires_at: datetime | None
    email_format: str | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """What becomes of a pending event: its change of status, and its message if it gets one."""

    move: Move
    published: Published | None = None
    message: SendMessage | None = None


def route(
    one: Waiting,
    published: Mapping[Route, Published],
    now: datetime,
    longest: timedelta | None = None,
) -> Routed:
    """Return what becomes of a pending event, given what is published for types and channels.

    ``longest`` is how long it may have waited since it was due, if that is limited.
    """
    if longest is not None and one.event.due_at is not None and now - one.event.due_at > longest:
        return Routed(move(one.event, EventStatus.EXPIRED, at=now, reason=TOO_LONG))
    if one.expires_at is not None and one.expires_at <= now:
        return Routed(move(one.event, EventStatus.EXPIRED, at=now, reason=TOO_LATE))
    template = published.get(Route(one.event.event_type, one.event.channel))
    if template is None:
        return Routed(move(one.event, EventStatus.NOT_COVERED, at=now, reason=NOT_COVERED))
    message = _message(one, template)
    return Routed(move(one.event, EventStatus.PENDING_DELIVERY, at=now), template, message)


def _message(one: Waiting, template: Published) -> SendMessage:
    """Return an event's message; what a webhook tells of its event travels with that alone."""
    event = one.event
    told: dict[str, Any] = {}
    if event.channel == WEBHOOK:
        told = {
            "event_type": event.event_type,
            "external_id": event.external_id,
            "received_at": event.received_at,
        }
    kind = SendBatchMessage if event.queue == Queue.BATCH else SendMessage
    return kind(
        message_id=message_id(event.event_id, event.errors),
        template_id=template.template_id,
        content_hash=template.content_hash,
        address=one.address,
        recipient_key=one.recipient_key,
        language=one.language,
        ctx=one.ctx,
        channel=Channel(event.channel),
        email_format=one.email_format,
        **told,
    )


def given(routed: Iterable[Routed]) -> dict[UUID, Published]:
    """Return what each event that gets a message is sent with."""
    return {one.move.event.event_id: one.published for one in routed if one.published}
