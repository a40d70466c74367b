"""The technical workflows of Message Center: two queues to process, and statuses to copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.events_status.announcing import announce
from services.events_status.archive.synchronising import CONTROL, SYNCHRONISATIONS
from services.events_status.domain import (
    Move,
    Published,
    Route,
    Told,
    copy_outcomes,
    due_timer,
    move,
    processing_of,
)
from services.events_status.purge import purge_events
from services.events_status.routes import RouteStore
from services.events_status.statistics import count_events
from services.events_status.store import EventStore, Waiting
from shared.schedules import Cron
from shared.timers import take_due
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow, is_started, wake
from topics.delivery import SendMessage
from topics.events import EventStatus
from topics.outside import Queue

PACKAGE: Final = "Transactional message execution (Message Center - Execution)"
# Each routed event is four rows and three messages: a chunk stays far under a second.
CHUNK: Final = 500
NOT_COVERED: Final = "no template is published for this event type and channel"
TOO_LATE: Final = "it was to be sent before its expiration only"
MOST_TIMERS: Final = 100


async def process_realtime(work: Work) -> Step:
    """Route a chunk of real-time events; batch ones follow once none is left."""
    step = await route_chunk(work, Queue.REALTIME)
    if not step.more and await EventStore(work.connection).has_pending(Queue.BATCH):
        await wake(work, processing_of(Queue.BATCH))
    return step


async def process_batch(work: Work) -> Step:
    """Route a chunk of batch events, unless real-time ones wait and are being processed."""
    store = EventStore(work.connection)
    if await store.has_pending(Queue.REALTIME) and await is_started(
        work, processing_of(Queue.REALTIME)
    ):
        return Step()
    return await route_chunk(work, Queue.BATCH)


async def route_chunk(work: Work, queue: Queue) -> Step:
    """Give each pending event of a chunk its message, or say that it is not covered."""
    store = EventStore(work.connection)
    due = await take_due(work, due_timer(queue), limit=MOST_TIMERS)
    released = await store.release_due(queue, work.now, CHUNK)
    if released == CHUNK or len(due) == MOST_TIMERS:
        await wake(work, processing_of(queue))
    waiting = await store.pending(queue, CHUNK)
    if not waiting:
        return Step()
    published = await RouteStore(work.connection).published(one.event.event_type for one in waiting)
    moves, given = _route(work, waiting, published)
    await store.give_messages(given, work.now)
    await store.move(moves)
    announce(work, moves)
    return Step(len(waiting), len(given), more=len(waiting) == CHUNK)


def _route(
    work: Work, waiting: Sequence[Waiting], published: dict[Route, Published]
) -> tuple[list[Move], dict[UUID, Published]]:
    moves: list[Move] = []
    given: dict[UUID, Published] = {}
    for one in waiting:
        if one.expires_at is not None and one.expires_at <= work.now:
            moves.append(move(one.event, EventStatus.EXPIRED, at=work.now, reason=TOO_LATE))
            continue
        template = published.get(Route(one.event.event_type, one.channel))
        if template is None:
            moves.append(move(one.event, EventStatus.NOT_COVERED, at=work.now, reason=NOT_COVERED))
            continue
        given[one.event.event_id] = template
        moves.append(move(one.event, EventStatus.PENDING_DELIVERY, at=work.now))
        work.emit(_message(one, template))
    return moves, given


def _message(one: Waiting, template: Published) -> SendMessage:
    return SendMessage(
        message_id=one.event.event_id,
        template_id=template.template_id,
        content_hash=template.content_hash,
        address=one.address,
        recipient_key=one.recipient_key,
        language=one.language,
        ctx=one.ctx,
    )


async def update_statuses(work: Work) -> Step:
    """Copy a chunk of the delivery's outcomes into the statuses of their events."""
    store = EventStore(work.connection)
    told = await store.told(CHUNK)
    if not told:
        return Step()
    events = await store.lock({one.event_id for one in told})
    by_event: defaultdict[UUID, list[Told]] = defaultdict(list)
    for one in told:
        by_event[one.event_id].append(one)
    moves: list[Move] = []
    for event_id, event in events.items():
        moves += copy_outcomes(event, by_event[event_id], now=work.now)
    await store.move(moves)
    await store.mark_copied(told, work.now)
    announce(work, moves)
    return Step(len(told), len(moves), more=len(told) == CHUNK)


WORKFLOWS: Final = (
    TechnicalWorkflow(
        "rtEventsProcessing",
        "Processing real time events",
        "Traitement des événements temps réel",
        PACKAGE,
        process_realtime,
        timers=(due_timer(Queue.REALTIME),),
    ),
    TechnicalWorkflow(
        "batchEventsProcessing",
        "Processing batch events",
        "Traitement des événements batch",
        PACKAGE,
        process_batch,
        timers=(due_timer(Queue.BATCH),),
    ),
    TechnicalWorkflow(
        "updateEventsStatus",
        "Update event status",
        "Mise à jour du statut des événements",
        PACKAGE,
        update_statuses,
    ),
    TechnicalWorkflow(
        "agg_messageCenter_full",
        "MessageCenter full aggregate calculation",
        "Calcul complet de l'agrégat MessageCenter",
        CONTROL,
        count_events,
        schedule=Cron("0 3 * * *"),
    ),
    TechnicalWorkflow(
        "messageCenterPurge",
        "Purge of events and statistics",
        "Purge des événements et statistiques",
        CONTROL,
        purge_events,
        schedule=Cron("0 4 * * *"),
    ),
    *SYNCHRONISATIONS,
)
