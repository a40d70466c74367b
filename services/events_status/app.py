"""The events_status service: what it plugs into a runtime, and its second consumer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from services.events_status.api import router
from services.events_status.handlers import batch_registry, registry
from services.events_status.settings import EventsStatusSettings
from services.events_status.workflows import WORKFLOWS
from shared.consumer import Batcher, Consumer
from shared.service import Runtime, Service

BATCH_CONSUMER: Final = "events_status_batch"


async def consume_batch_queue(runtime: Runtime, stop: asyncio.Event) -> None:
    """Take batch events in with a consumer of their own, until ``stop`` is set."""
    batcher = Batcher(runtime.uow, batch_registry, name=BATCH_CONSUMER)
    consumer = Consumer(batcher, runtime.settings, batch_registry)
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stop))
        group.create_task(consumer.run_retries(stop))


SERVICE: Final = Service(
    "events_status",
    registry,
    Path(__file__).parent / "migrations",
    settings=EventsStatusSettings,
    workflows=WORKFLOWS,
    router=router,
    tasks=(consume_batch_queue,),
)
