"""Messages about event templates: what the events of a type and channel are answered with.

An event template links them to a template of the delivery, its draft. Publishing pins the draft's
content as version 1, 2, …; events are sent with the latest published version alone.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event
from topics.names import EVENTS_COMMANDS, EVENTS_STATUS
from topics.outside import EMAIL, EventChannel


class PublishEventTemplate(Command, topic=EVENTS_COMMANDS, key="event_type"):
    """Have events use the draft's content as it is now, until another is published.

    ``content_hash`` is the content that was looked at; without it, whatever the draft holds.
    Answers: ``EventTemplatePublished`` or ``EventTemplateRefused``.
    """

    event_type: str = Field(min_length=1, max_length=200)
    channel: EventChannel = EMAIL
    content_hash: str | None = Field(default=None, max_length=64)
    actor: Actor


class UnpublishEventTemplate(Command, topic=EVENTS_COMMANDS, key="event_type"):
    """Leave events of the type and channel uncovered from now on; the draft stays.

    Answers: ``EventTemplateUnpublished`` or ``EventTemplateRefused``.
    """

    event_type: str = Field(min_length=1, max_length=200)
    channel: EventChannel = EMAIL
    actor: Actor


class DeleteEventTemplate(Command, topic=EVENTS_COMMANDS, key="event_type"):
    """Forget a draft; refused while it is published.

    Answers: ``EventTemplateDeleted`` or ``EventTemplateRefused``.
    """

    event_type: str = Field(min_length=1, max_length=200)
    channel: EventChannel = EMAIL
    actor: Actor


class EventTemplatePublished(Event, topic=EVENTS_STATUS, key="event_type"):
    """Events that are routed from now on use this version, wholly."""

    event_type: str
    channel: str
    version: int
    template_id: UUID
    content_hash: str
    actor: Actor


class EventTemplateUnpublished(Event, topic=EVENTS_STATUS, key="event_type"):
    """Events are not covered from now on; ``version`` was the published one."""

    event_type: str
    channel: str
    version: int
    actor: Actor


class EventTemplateDeleted(Event, topic=EVENTS_STATUS, key="event_type"):
    """The draft is gone; versions that were published before stay known."""

    event_type: str
    channel: str
    actor: Actor


class EventTemplateRefused(Event, topic=EVENTS_STATUS, key="event_type"):
    """It was not published, unpublished or deleted: which field, and why."""

    event_type: str
    channel: str
    command: str
    reason: str
    field: str | None = None
    actor: Actor
