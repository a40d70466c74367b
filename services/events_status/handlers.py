"""What Message Center does with each message: events from outside, outcomes, what people ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from services.events_status.activity import note_activity
from services.events_status.announcing import announce_one
from services.events_status.archive.incoming import keep_late
from services.events_status.domain import (
    Move,
    Received,
    Told,
    Tracked,
    due_timer,
    move,
    processing_of,
)
from services.events_status.finding import find_events
from services.events_status.intake import read_event
from services.events_status.publishing import registry as event_templates
from services.events_status.steering import steer
from services.events_status.store import EventStore
from shared.errors import Refused
from shared.ids import new_id_text
from shared.registry import Registry, Taken
from shared.rights import Right, require
from shared.timers import set_timer
from shared.uow import Work
from shared.workflows import wake
from topics.delivery import MessageOutcome
from topics.events import (
    ControlEvent,
    EventControlled,
    EventControlRefused,
    EventsFound,
    EventStatus,
    FindEvents,
)
from topics.names import EVENTS_BATCH, EVENTS_REALTIME
from topics.outside import Queue

registry: Final = Registry()
registry.include(event_templates)
# The batch queue has a consumer of its own: real-time events never wait behind it.
batch_registry: Final = Registry()


@registry.on_topic(EVENTS_REALTIME, read=partial(read_event, queue=Queue.REALTIME))
async def take_realtime(events: Sequence[Taken[Received]], work: Work) -> None:
    """Keep real-time events as pending."""
    await take_in(events, work, Queue.REALTIME)


@batch_registry.on_topic(EVENTS_BATCH, read=partial(read_event, queue=Queue.BATCH))
async def take_batch(events: Sequence[Taken[Received]], work: Work) -> None:
    """Keep batch events as pending."""
    await take_in(events, work, Queue.BATCH)


async def take_in(events: Sequence[Taken[Received]], work: Work, queue: Queue) -> None:
    """Keep events once each, as pending, and have their queue processed."""
    store = EventStore(work.connection)
    known = await store.add([event for _, event in events], work.settings.secret, work.now)
    fresh = [(cause, event) for cause, event in events if event.event_id not in known]
    taken: list[Move] = []
    for cause, event in fresh:
        taken.append(move(_unborn(event, work.now), EventStatus.PENDING, at=work.now))
        work.cause = cause
        announce_one(work, taken[-1])
    note_activity(work, taken)
    await store.note_moves(taken)
    await _have_processed(work, queue, [event for _, event in fresh])


async def _have_processed(work: Work, queue: Queue, events: Sequence[Received]) -> None:
    for at in sorted({event.scheduled for event in events if event.scheduled is not None}):
        if at > work.now:
            await await_schedule(work, queue, at)
    if any(event.scheduled is None or event.scheduled <= work.now for event in events):
        await wake(work, processing_of(queue))


def _unborn(event: Received, now: datetime) -> Tracked:
    due_at = max(event.scheduled or now, now)
    kind, name = event.event_type, event.external_id
    return Tracked(event.event_id, kind, name, now, None, 0, event.channel, due_at=due_at)


async def await_schedule(work: Work, queue: Queue, at: datetime) -> None:
    """Have a queue processed at a time; one timer serves all events of the same second."""
    second = at.replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)
    await set_timer(work, due_timer(queue), second.isoformat(), second)


def _control_refused(command: ControlEvent, refusal: Refused) -> EventControlRefused:
    return EventControlRefused(
        event_id=command.event_id,
        control=command.control,
        reason=refusal.reason,
        actor=command.actor,
    )


@registry.on(ControlEvent, refusal=_control_refused)
async def control_event(command: ControlEvent, work: Work) -> None:
    """Hold an event back, let it go on, or have it sent again."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    cause = work.cause.id if work.cause else new_id_text()
    result = await steer(work, command.event_id, command.control, cause, command.actor.id)
    work.emit(
        EventControlled(
            event_id=command.event_id,
            control=command.control,
            result_id=result,
            actor=command.actor,
        )
    )


@registry.on(FindEvents)
async def search_events(command: FindEvents, work: Work) -> None:
    """Answer a search; whoever may not manage events finds nothing."""
    try:
        await require(work, command.actor, Right.MANAGE_EVENTS)
    except Refused:
        work.emit(EventsFound(search_id=command.search_id, actor=command.actor, events=()))
        return
    work.emit(await find_events(work, command))


@registry.on_batch(MessageOutcome)
async def note_outcomes(outcomes: Sequence[MessageOutcome], work: Work) -> None:
    """Keep what the delivery said, for updateEventsStatus to copy."""
    told = [Told(one.message_id, one.outcome, one.reason[:500], one.at) for one in outcomes]
    await EventStore(work.connection).note(told)
    await keep_late(work.connection, told)
    await wake(work, "updateEventsStatus")
