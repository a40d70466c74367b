"""Supervision: tells of workflows that failed and of services that are late, once each.

It is no technical workflow: nobody could be told that it is stopped.
"""

from __future__ import annotations

import asyncio

from services.workflows.supervisors import SupervisorStore
from services.workflows.troubles import TroubleStore
from shared.errors import INTERRUPTIONS, reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.uow import Work
from shared.waiting import wait_or_stop
from topics.workflows import TroubleCleared, TroubleRaised

log = logger(__name__)


async def keep_supervising(runtime: Runtime, stop: asyncio.Event) -> None:
    """Look for what is wrong at each sweep, until ``stop`` is set."""
    while not stop.is_set():
        try:
            async with runtime.uow.begin() as work:
                await supervise(work)
        except INTERRUPTIONS as problem:
            log.warning("supervision.interrupted", error=reason_of(problem))
        await wait_or_stop(stop, runtime.settings.workflow_sweep_seconds)


async def supervise(work: Work) -> None:
    """Note what is ill, tell of what stays so, and of what is well again."""
    store = TroubleStore(work.connection)
    if not await store.turn():
        return
    ill = {(one.name, one.trouble): one for one in await store.ill(work.now)}
    known = {(row.name, row.trouble): row for row in await store.known()}
    for key in known.keys() - ill.keys():
        row = known[key]
        await store.forget(row)
        if row.told:
            work.emit(TroubleCleared(name=row.name, trouble=row.trouble, since=row.since))
    for key, one in ill.items():
        row = known.get(key) or await store.note(one, work.now)
        if row.told or work.now - row.seen_at < one.patience:
            continue
        await store.tell(row, work.now)
        work.emit(
            TroubleRaised(
                name=one.name,
                trouble=one.trouble,
                names=one.names,
                since=row.since,
                error=one.error,
                supervisors=await SupervisorStore(work.connection).told(one.names),
            )
        )
