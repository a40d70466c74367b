"""Taking events in: each once, pending, or routed at once while nothing waits before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.events_status.activity import note_activity
from services.events_status.addresses import keep_addresses
from services.events_status.announcing import emit_change, emit_state
from services.events_status.at_once import is_at_hand, tally
from services.events_status.domain import (
    Published,
    Received,
    Route,
    Tracked,
    due_timer,
    move,
    processing_of,
)
from services.events_status.routes import RouteStore
from services.events_status.routing import Routed, Waiting, given, route
from services.events_status.rules import RuleStore
from services.events_status.store import EventStore, Taken
from services.events_status.tries import next_second
from shared import registry
from shared.ids import recipient_key
from shared.timers import set_timer
from shared.uow import Work
from shared.workflows import wake
from topics.events import EventStatus
from topics.outside import Queue

Templates = Mapping[Route, Published]


async def take_in(events: Sequence[registry.Taken[Received]], work: Work, queue: Queue) -> None:
    """Keep events once each; route them, or have their queue processed."""
    templates = await _templates_at_once(work, queue, [event for _, event in events])
    store = EventStore(work.connection)
    enriched: frozenset[str] = frozenset()
    if templates is not None:
        rules = RuleStore(work.connection)
        enriched = await rules.enriched(event.event_type for _, event in events)
    taken, routed = [], {}
    for _, event in events:
        one = _pending(event, work)
        at_once = not _is_ahead(event, work.now) and event.event_type not in enriched
        if templates is not None and at_once:
            found = routed[event.event_id] = route(_waiting(one), templates, work.now)
            one = Taken(event, one.recipient_key, (*one.moves, found.move), found.published)
        taken.append(one)
    fresh = await store.add(taken, work.now)
    kept = [
        (cause, one)
        for (cause, _), one in zip(events, taken, strict=True)
        if one.event.event_id in fresh
    ]
    done = [routed[one.event.event_id] for _, one in kept if one.event.event_id in routed]
    await keep_addresses(work, [one.event for _, one in kept if one.event.others])
    moves = [move for _, one in kept for move in one.moves]
    await store.note_moves(moves, given(done))
    for cause, one in kept:
        work.cause = cause
        _emit(work, one, routed.get(one.event.event_id))
    note_activity(work, moves)
    if done:
        await tally(work, processing_of(queue), rows_in=len(done), rows_out=len(given(done)))
    await _have_processed(work, queue, [one for _, one in kept])


async def _templates_at_once(
    work: Work, queue: Queue, events: Sequence[Received]
) -> Templates | None:
    """Return the templates to route by; ``None`` when routing is left to the workflow.

    Batch events always are: their workflow looks for real-time ones first.
    """
    if queue is not Queue.REALTIME or await EventStore(work.connection).has_pending(queue):
        return None
    if not await is_at_hand(work, processing_of(queue), due_timer(queue)):
        return None
    return await RouteStore(work.connection).published(event.event_type for event in events)


def _pending(event: Received, work: Work) -> Taken:
    due_at = max(event.scheduled or work.now, work.now)
    kind, name = event.event_type, event.external_id
    unborn = Tracked(
        event.event_id,
        kind,
        name,
        work.now,
        None,
        0,
        event.channel,
        due_at=due_at,
        queue=event.queue,
    )
    key = recipient_key(work.settings.secret, *event.known_by)
    return Taken(event, key, (move(unborn, EventStatus.PENDING, at=work.now),))


def _waiting(one: Taken) -> Waiting:
    event = one.event
    return Waiting(
        one.moves[-1].event,
        event.address,
        one.recipient_key,
        event.language,
        event.ctx,
        event.expiration,
        event.email_format,
    )


def _emit(work: Work, one: Taken, routed: Routed | None) -> None:
    for each in one.moves:
        emit_change(work, each)
    emit_state(work, one.moves[-1])
    if routed is not None and routed.message is not None:
        work.emit(routed.message)


def _is_ahead(event: Received, now: datetime) -> bool:
    return event.scheduled is not None and event.scheduled > now


async def _have_processed(work: Work, queue: Queue, kept: Sequence[Taken]) -> None:
    left = [one.event for one in kept if one.moves[-1].after is EventStatus.PENDING]
    for at in sorted({event.scheduled for event in left if event.scheduled is not None}):
        if at > work.now:
            await _await_schedule(work, queue, at)
    if not all(_is_ahead(event, work.now) for event in left):
        await wake(work, processing_of(queue))


async def _await_schedule(work: Work, queue: Queue, at: datetime) -> None:
    """Have a queue processed at a time; one timer serves all events of the same second."""
    second = next_second(at)
    await set_timer(work, due_timer(queue), second.isoformat(), second)
