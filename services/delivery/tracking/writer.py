"""Writing events before their answers, many in one transaction.

Whoever follows a link waits until its event is committed, but not longer than a second: with the
database away the link works all the same, and the event is kept here until it is back. What does
not fit any more, and what is still kept when the process ends, is counted as dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, cast
from weakref import WeakKeyDictionary

from prometheus_client import Counter, Gauge

from services.delivery.settings import DeliverySettings
from services.delivery.store.tracking import TrackingEvent, TrackingStore
from services.delivery.tracking.activity import ActivitySource
from shared import faults
from shared.errors import reason_of
from shared.logs import logger
from shared.service import Runtime
from shared.waiting import wait_or_stop

log = logger(__name__)

BATCH: Final = 1_000
AGAIN_SECONDS: Final = 0.5
STOP_SECONDS: Final = 3.0
WRITTEN: Final = Counter(
    "muster_tracking_events_total", "Opens, clicks and mirror pages written", ["kind"]
)
DROPPED: Final = Counter(
    "muster_tracking_dropped_total", "Opens, clicks and mirror pages that could not be kept"
)
WAITING: Final = Gauge("muster_tracking_waiting", "Events not written yet")


class EventWriter:
    """The events of one process on their way into the log."""

    def __init__(self, runtime: Runtime) -> None:
        settings = cast("DeliverySettings", runtime.settings)
        self._runtime = runtime
        self._most = settings.tracking_queue
        self._patience = settings.tracking_wait_seconds
        self._waiting: deque[tuple[TrackingEvent, asyncio.Future[None]]] = deque()
        self._some = asyncio.Event()
        self._source = ActivitySource("tracking")

    async def put(self, event: TrackingEvent) -> bool:
        """Give an event to be written; return whether it was, within the patience of a reader."""
        if len(self._waiting) >= self._most:
            DROPPED.inc()
            return False
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, written))
        self._some.set()
        done, _ = await asyncio.wait({written}, timeout=self._patience)
        return bool(done)

    async def run(self, stop: asyncio.Event) -> None:
        """Write what comes until ``stop`` is set, then what is left, within 3 s."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                some = asyncio.create_task(self._some.wait())
                await asyncio.wait({some, stopping}, return_when=asyncio.FIRST_COMPLETED)
                some.cancel()
                if not await self._write_some():
                    await wait_or_stop(stop, AGAIN_SECONDS)
        finally:
            stopping.cancel()
        await self._write_the_rest()

    async def _write_the_rest(self) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while self._waiting and await self._write_some():
                    pass
        except TimeoutError:
            log.info("tracking.stopped_late")
        if self._waiting:
            DROPPED.inc(len(self._waiting))
            log.warning("tracking.dropped", count=len(self._waiting))
            self._waiting.clear()

    async def _write_some(self) -> bool:
        """Write what waits, up to a batch; return False when the database would not have it."""
        taken = list(islice(self._waiting, BATCH))
        try:
            await self._write([event for event, _ in taken])
        except Exception as problem:  # noqa: BLE001 - whatever it is, links go on and it is tried again
            log.warning("tracking.waits", error=reason_of(problem), count=len(self._waiting))
            return False
        for _ in taken:
            _, written = self._waiting.popleft()
            if not written.done():
                written.set_result(None)
        if not self._waiting:
            self._some.clear()
        WAITING.set(len(self._waiting))
        return True

    async def _write(self, events: Sequence[TrackingEvent]) -> None:
        if not events:
            return
        async with self._runtime.uow.begin() as work:
            new = await TrackingStore(work.connection).write(events)
            self._source.tell_events(work, new)
            faults.reach("tracking.before_commit")
        for one in new:
            WRITTEN.labels(one.kind.name.lower()).inc(one.events)


_WRITERS: WeakKeyDictionary[Runtime, EventWriter] = WeakKeyDictionary()


def writer_of(runtime: Runtime) -> EventWriter:
    """Return the writer of a running service."""
    found = _WRITERS.get(runtime)
    if found is None:
        found = _WRITERS[runtime] = EventWriter(runtime)
    return found


async def run_tracking_writer(runtime: Runtime, stop: asyncio.Event) -> None:
    """Write a service's events until ``stop`` is set."""
    await writer_of(runtime).run(stop)
