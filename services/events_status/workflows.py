"""The technical workflows of Message Center: two queues to process, and statuses to copy."""

from __future__ import annotations

from typing import Final

from services.events_status.announcing import announce
from services.events_status.archive.synchronising import CONTROL, SYNCHRONISATIONS
from services.events_status.at_once import take_tally
from services.events_status.copying import UPDATING, update_statuses
from services.events_status.domain import (
    due_timer,
    processing_of,
)
from services.events_status.enrichment.enriching import set_aside
from services.events_status.purge import purge_events
from services.events_status.recycling import RECYCLING, recycle_events
from services.events_status.routes import RouteStore
from services.events_status.routing import given, route
from services.events_status.settings import settings_of
from services.events_status.statistics import count_events
from services.events_status.store import EventStore
from services.events_status.tries import await_tries
from services.events_status.watching import watch_service_levels
from shared.schedules import Cron
from shared.timers import take_due
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow, is_started, wake
from topics.outside import Queue

PACKAGE: Final = "Transactional message execution (Message Center - Execution)"
# Each routed event is four rows and three messages. Small: what comes in shares the cores with a
# step under way.
CHUNK: Final = 200
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
    before = await take_tally(work, processing_of(queue))
    waiting = await store.pending(queue, CHUNK)
    if not waiting:
        return before
    published = await RouteStore(work.connection).published(one.event.event_type for one in waiting)
    longest = settings_of(work.settings).longest_wait
    aside, failed = await set_aside(work, queue, waiting, published)
    routed = [
        route(one, published, work.now, longest)
        for one in waiting
        if one.event.event_id not in aside
    ]
    messages = [one.message for one in routed if one.message]
    moves = [*(one.move for one in routed), *failed]
    await store.move(moves, given(routed))
    await await_tries(work, failed)
    announce(work, moves)
    for message in messages:
        work.emit(message)
    return Step(
        before.rows_in + len(waiting),
        before.rows_out + len(messages),
        more=len(waiting) == CHUNK,
    )


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
        gives_way=True,
    ),
    TechnicalWorkflow(
        UPDATING,
        "Update event status",
        "Mise à jour du statut des événements",
        PACKAGE,
        update_statuses,
    ),
    TechnicalWorkflow(
        RECYCLING,
        "Recycling of events in delivery error",
        "Recyclage des événements en erreur de diffusion",
        PACKAGE,
        recycle_events,
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
        "messageCenterLevels",
        "Service levels of Message Center",
        "Niveaux de service de Message Center",
        CONTROL,
        watch_service_levels,
        schedule=Cron("* * * * *"),
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
