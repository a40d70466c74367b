"""Messages of the Message Center: outside events and their statuses."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from topics.message import Actor, Command, Event, State
from topics.names import EVENTS_COMMANDS, EVENTS_STATE, EVENTS_STATUS
from topics.outside import EMAIL, EventChannel


class EventStatus(StrEnum):
    """The statuses of an event (source: Adobe Campaign, technical workflow updateEventsStatus)."""

    PENDING = "pending"
    PENDING_DELIVERY = "pending_delivery"
    SENT = "sent"
    IGNORED = "ignored"
    DELIVERY_ERROR = "delivery_error"
    NOT_COVERED = "not_covered"
    EXPIRED = "expired"
    PAUSED = "paused"


class RouteEventType(Command, topic=EVENTS_COMMANDS, key="event_type"):
    """Link an event type and channel to the template that is its draft.

    With ``publish`` (what a sender of before there were drafts means) it is published at once, so
    that events use it from now on. ``template_id`` ``None`` unpublishes; the draft stays.
    Answers: ``EventTypeRouted`` or ``RouteRefused``.
    """

    event_type: str = Field(min_length=1, max_length=200)
    template_id: UUID | None
    actor: Actor
    channel: EventChannel = EMAIL
    publish: bool = True


class EventTypeRouted(Event, topic=EVENTS_STATUS, key="event_type"):
    """The template is the type's draft; events use it from now on when it was published too."""

    event_type: str
    template_id: UUID | None
    actor: Actor
    channel: str = EMAIL
    version: int | None = Field(default=None, description="the published version, if there is one")


class RouteRefused(Event, topic=EVENTS_STATUS, key="event_type"):
    """The link could not be made."""

    event_type: str
    reason: str
    actor: Actor


class EventControl(StrEnum):
    """What people do with an event."""

    PAUSE = "pause"
    RESUME = "resume"
    RESEND = "resend"
    RECYCLE = "recycle"


class ControlEvent(Command, topic=EVENTS_COMMANDS, key="event_id"):
    """Hold a pending event back, let it go on, or send its message again as a new event.

    To recycle one in delivery error is to re-create it, once, on another ``channel``.
    Answers: ``EventControlled`` or ``EventControlRefused``.
    """

    event_id: UUID
    control: EventControl
    actor: Actor
    channel: str | None = Field(default=None, max_length=40)


class EventControlled(Event, topic=EVENTS_STATUS, key="event_id"):
    """It was done; ``result_id`` is the event it is about: the new one, if it made one."""

    event_id: UUID
    control: EventControl
    result_id: UUID
    actor: Actor


class EventControlRefused(Event, topic=EVENTS_STATUS, key="event_id"):
    """It was not done."""

    event_id: UUID
    control: EventControl
    reason: str
    actor: Actor


class SetEventRules(Command, topic=EVENTS_COMMANDS, key="event_type"):
    """Say what is done with the events of a type beside routing them, from now on.

    Answers: ``EventRulesSet`` or ``EventRulesRefused``.
    """

    event_type: str = Field(min_length=1, max_length=200)
    enrich: bool = Field(
        default=False, description="ask the enrichment service for more of their ctx first"
    )
    recycle_to: str | None = Field(
        default=None,
        max_length=40,
        description="the channel that those in delivery error are re-created on; none by default",
    )
    actor: Actor


class EventRulesSet(Event, topic=EVENTS_STATUS, key="event_type"):
    """The rules of the type hold for what happens to its events from now on."""

    event_type: str
    enrich: bool
    recycle_to: str | None
    actor: Actor


class EventRulesRefused(Event, topic=EVENTS_STATUS, key="event_type"):
    """The rules could not be set."""

    event_type: str
    reason: str
    actor: Actor


class FindEvents(Command, topic=EVENTS_COMMANDS, key="search_id"):
    """Find events by id, by their recipient's key, or by their sender's name; by one of them.

    Answers: ``EventsFound``, empty for who may not manage events.
    """

    search_id: UUID
    event_id: UUID | None = None
    recipient_key: str | None = Field(default=None, max_length=64)
    external_id: str | None = Field(default=None, max_length=200)
    actor: Actor


class FoundChange(BaseModel):
    """A status that a found event had, since when, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: EventStatus
    reason: str
    at: datetime


class FoundEvent(BaseModel):
    """A found event; neither address nor ``ctx``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: UUID
    event_type: str
    queue: str
    status: EventStatus
    external_id: str | None
    received_at: datetime
    history: tuple[FoundChange, ...]
    channel: str = "email"
    errors: int = 0
    next_try_at: datetime | None = None
    recycles_to: tuple[str, ...] = Field(
        default=(), description="the channels it may be recycled to now"
    )
    archived: bool = Field(default=False, description="it was purged: the archive alone knows it")


class EventsFound(Event, topic=EVENTS_STATUS, key="search_id"):
    """The latest events that were found, with their statuses; ``more`` when there are others."""

    search_id: UUID
    actor: Actor
    events: tuple[FoundEvent, ...]
    more: bool = False


class EventStatusChanged(Event, topic=EVENTS_STATUS, key="event_id"):
    """An event went from one status to another; ``before`` is ``None`` at intake.

    From pending to pending a try has failed: ``errors`` counts those, and the next is at
    ``next_try_at``.
    """

    event_id: UUID
    event_type: str
    before: EventStatus | None
    after: EventStatus
    reason: str = ""
    at: datetime
    errors: int = 0
    next_try_at: datetime | None = None


class EventState(State, topic=EVENTS_STATE, key="event_id"):
    """The latest status of an event; carries neither address nor ``ctx``.

    With ``channel`` and ``queue`` the archive and the statistics can be rebuilt from it; states of
    before they were there have none.
    """

    event_id: UUID
    event_type: str
    status: EventStatus
    external_id: str | None = None
    received_at: datetime
    changed_at: datetime
    channel: str | None = None
    queue: str | None = None
