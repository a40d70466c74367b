"""What Message Center does with each message: events from outside, outcomes, what people ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from services.events_status.copying import note_told
from services.events_status.domain import (
    Received,
    Told,
)
from services.events_status.finding import find_events
from services.events_status.intake import read_event
from services.events_status.publishing import registry as event_templates
from services.events_status.rules import set_rules
from services.events_status.steering import first_time, steer
from services.events_status.taking import take_in
from shared.errors import Refused
from shared.ids import new_id_text
from shared.registry import Registry, Taken
from shared.rights import Right, require
from shared.uow import Work
from topics.delivery import MessageOutcome
from topics.events import (
    ControlEvent,
    EventControlled,
    EventControlRefused,
    EventRulesRefused,
    EventsFound,
    FindEvents,
    SetEventRules,
)
from topics.names import EVENTS_BATCH, EVENTS_REALTIME
from topics.outside import Queue

registry: Final = Registry()
registry.include(event_templates)
# The batch queue has a consumer of its own: real-time events never wait behind it.
batch_registry: Final = Registry(gives_way=True)


@registry.on_topic(EVENTS_REALTIME, read=partial(read_event, queue=Queue.REALTIME))
async def take_realtime(events: Sequence[Taken[Received]], work: Work) -> None:
    """Keep real-time events, and route them."""
    await take_in(events, work, Queue.REALTIME)


@batch_registry.on_topic(EVENTS_BATCH, read=partial(read_event, queue=Queue.BATCH))
async def take_batch(events: Sequence[Taken[Received]], work: Work) -> None:
    """Keep batch events, for their workflow."""
    await take_in(events, work, Queue.BATCH)


def _control_refused(command: ControlEvent, refusal: Refused) -> EventControlRefused:
    return EventControlRefused(
        event_id=command.event_id,
        control=command.control,
        reason=refusal.reason,
        actor=command.actor,
    )


@registry.on(ControlEvent, refusal=_control_refused)
async def control_event(command: ControlEvent, work: Work) -> None:
    """Hold an event back, let it go on, have it sent again or recycled."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    if not await first_time(work, command):
        return
    cause = work.cause.id if work.cause else new_id_text()
    result = await steer(work, command, cause)
    work.emit(
        EventControlled(
            event_id=command.event_id,
            control=command.control,
            result_id=result,
            actor=command.actor,
        )
    )


def _rules_refused(command: SetEventRules, refusal: Refused) -> EventRulesRefused:
    return EventRulesRefused(
        event_type=command.event_type, reason=refusal.reason, actor=command.actor
    )


@registry.on(SetEventRules, refusal=_rules_refused)
async def set_event_rules(command: SetEventRules, work: Work) -> None:
    """Say what is done with the events of a type beside routing them."""
    await require(work, command.actor, Right.MANAGE_EVENTS)
    await set_rules(work, command)


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
    await note_told(
        work,
        [
            Told(one.message_id, one.outcome, one.reason[:500], one.at, one.not_taken)
            for one in outcomes
        ],
    )
