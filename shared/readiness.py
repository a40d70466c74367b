"""Whether the servers a service stands on answer it: asked again and again, told by readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

from shared import metrics
from shared.consumer import Consumer
from shared.database import Pool
from shared.errors import INTERRUPTIONS
from shared.kafka import KafkaError
from shared.logs import logger
from shared.waiting import wait_or_stop

log = logger(__name__)

LOOK_SECONDS: Final = 5.0
LOOK_AGAIN_SECONDS: Final = 0.3
# More than a transaction may take: a pool that is busy is not a server that is away.
PATIENCE_SECONDS: Final = 10.0


class Lookout:
    """Asks PostgreSQL and Kafka for an answer, over the connections that the work goes by.

    Attributes:
        silent: the servers that have not answered when they were asked last.
    """

    def __init__(self, service: str, pool: Pool, consumers: Sequence[Consumer]) -> None:
        self._service = service
        self._pool = pool
        self._consumers = consumers
        self._asks: dict[str, Callable[[], Awaitable[None]]] = {
            "PostgreSQL": self._ask_postgresql,
            "Kafka": self._ask_kafka,
        }
        self.silent: tuple[str, ...] = ()

    def expect(self) -> None:
        """Take every server for silent until it has answered."""
        self.silent = tuple(self._asks)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop`` is set; again soon while a server is silent."""
        while not stop.is_set():
            silent = tuple([name for name, ask in self._asks.items() if not await _answers(ask)])
            metrics.READY.labels(self._service).set(not silent)
            if silent != self.silent:
                self.silent = silent
                if silent:
                    log.warning("service.not_ready", service=self._service, silent=silent)
                else:
                    log.info("service.ready", service=self._service)
            await wait_or_stop(stop, LOOK_AGAIN_SECONDS if silent else LOOK_SECONDS)

    async def _ask_postgresql(self) -> None:
        await self._pool.fetchval("SELECT 1")

    async def _ask_kafka(self) -> None:
        for consumer in self._consumers:
            await consumer.ask()


async def _answers(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ask()
    except (KafkaError, asyncpg.PostgresError, *INTERRUPTIONS):
        return False
    return True
