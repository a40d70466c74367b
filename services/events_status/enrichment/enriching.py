"""Enriching events: they are set aside by routing, asked about by a task, and then routed.

The call is claimed in one transaction and what came of it written in another, with nothing locked
in between; killed anywhere, it is made again when its lease has run out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from services.events_status.announcing import announce
from services.events_status.domain import Move, Published, Route, processing_of
from services.events_status.enrichment.connector import (
    Answers,
    Asked,
    Connector,
    Failure,
)
from services.events_status.enrichment.isolating import answers_of
from services.events_status.enrichment.store import MOST_CALLS, EnrichmentStore
from services.events_status.routing import Waiting
from services.events_status.rules import RuleStore
from services.events_status.settings import settings_of
from services.events_status.store import EventStore
from services.events_status.tries import await_tries, failed_try
from shared import faults
from shared.errors import INTERRUPTIONS, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.service import Runtime
from shared.uow import Work
from shared.waiting import wait_or_stop
from shared.workflows import wake
from topics.events import EventStatus
from topics.outside import Queue

log = logger(__name__)
IDLE_SECONDS: Final = 0.1
UNUSED_SECONDS: Final = 60.0
NOT_SET: Final = "EVENTS_ENRICHMENT_URL names no enrichment service"
BROKEN_OFF: Final = f"the call of the enrichment service was broken off {MOST_CALLS} times"
# Halving makes several calls of one claim: two of each size, from all down to one.
CALLS_OF_A_CLAIM: Final = 16


async def set_aside(
    work: Work, queue: Queue, waiting: Sequence[Waiting], published: Mapping[Route, Published]
) -> tuple[set[UUID], list[Move]]:
    """Take out of a chunk what is to be enriched first; return it, and what failed of it at once.

    Only what has a template and has not expired is worth a call.
    """
    ruled = await RuleStore(work.connection).enriched(one.event.event_type for one in waiting)
    wanted = {
        one.event.event_id: one.event
        for one in waiting
        if one.event.event_type in ruled
        and Route(one.event.event_type, one.event.channel) in published
        and (one.expires_at is None or one.expires_at > work.now)
    }
    if not wanted:
        return set(), []
    store = EnrichmentStore(work.connection)
    left = set(wanted) - await store.enriched(wanted)
    if settings_of(work.settings).events_enrichment_url is None:
        return left, [failed_try(work, wanted[one], NOT_SET) for one in left]
    if left:
        await store.set_aside(left, queue, work.now)
    return left, []


class Enricher:
    """Asks the enrichment service about events, one call after another."""

    def __init__(self, runtime: Runtime, connector: Connector | None) -> None:
        self._uow = runtime.uow
        self._clock = runtime.clock
        self._connector = connector
        self._settings = settings_of(runtime.settings)

    async def step(self, stop: asyncio.Event) -> bool:
        """Have some events enriched; return whether there were any."""
        claim = new_id()
        lease = self._settings.events_enrichment_seconds * CALLS_OF_A_CLAIM + 10
        async with self._uow.begin() as work:
            store = EnrichmentStore(work.connection)
            events = await store.claim(claim, self._settings.events_enrichment_batch, lease)
        if not events:
            return False
        faults.reach("enricher.before_call")
        answers = await self._asked(events, stop)
        faults.reach("enricher.after_call")
        async with self._uow.begin() as work:
            if answers is None:
                await EnrichmentStore(work.connection).release(claim)
            else:
                await write(work, claim, answers)
        return True

    async def _asked(self, events: Sequence[Asked], stop: asyncio.Event) -> Answers | None:
        """Return the service's answers; ``None`` when this process is to stop first."""
        if self._connector is None:
            return {one.event_id: Failure(NOT_SET) for one in events}
        if events[0].level >= MOST_CALLS:
            return {one.event_id: Failure(BROKEN_OFF) for one in events}
        ask = partial(self._connector.ask, now=self._clock.now())
        asking = asyncio.create_task(answers_of(ask, events))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            stopping.cancel()
            await asyncio.wait({asking, stopping})


async def write(work: Work, claim: UUID, answers: Answers) -> None:
    """Write what came of a call: enriched events may be routed, failed ones are tried again.

    An event that was erased, expired or taken over meanwhile stays as it is.
    """
    locked = await EventStore(work.connection).lock(answers)
    store = EnrichmentStore(work.connection)
    held = await store.held(claim)
    open_ = {
        event_id: event
        for event_id, event in locked.items()
        if event_id in held and event.status in {EventStatus.PENDING, EventStatus.PAUSED}
    }
    ctxs = {one: answer for one in open_ if not isinstance(answer := answers[one], Failure)}
    if ctxs:
        await store.done(ctxs, work.now)
    await store.give_back(sorted(held - set(ctxs)))
    # One that a person holds back has not failed: it is asked about again once it goes on.
    failed = [
        failed_try(work, event, answer.reason)
        for one, event in open_.items()
        if isinstance(answer := answers[one], Failure) and event.status is EventStatus.PENDING
    ]
    if failed:
        await EventStore(work.connection).move(failed)
        await await_tries(work, failed)
        announce(work, failed)
    await wake(work, *(processing_of(queue) for queue in Queue))


async def enrich_events(runtime: Runtime, stop: asyncio.Event) -> None:
    """Have events enriched while the service runs (a task of the service), where there is a rule.

    Without an enrichment service only what waited when it was taken away is looked for.
    """
    settings = settings_of(runtime.settings)
    connector = Connector.of(settings)
    if connector is None:
        await _work(Enricher(runtime, None), stop, idle_seconds=UNUSED_SECONDS)
        return
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(settings.events_enrichment_connections):
                group.create_task(_work(Enricher(runtime, connector), stop))
    finally:
        await connector.close()


async def _work(
    enricher: Enricher, stop: asyncio.Event, *, idle_seconds: float = IDLE_SECONDS
) -> None:
    while not stop.is_set():
        try:
            worked = await enricher.step(stop)
        except INTERRUPTIONS as problem:
            log.warning("enricher.interrupted", error=reason_of(problem))
            worked = False
        if not worked:
            await wait_or_stop(stop, idle_seconds)
