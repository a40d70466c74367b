"""Pushed events on their way to Kafka: what is asked meanwhile goes along with the next batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import Final, TypeAlias

from aiokafka import AIOKafkaProducer

from shared import kafka
from shared.kafka import KafkaError
from shared.logs import logger
from shared.producer import send_all
from shared.settings import Settings

log = logger(__name__)

PUBLISH_SECONDS: Final = 15.0
START_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0

Record: TypeAlias = tuple[str, bytes | None, list[tuple[str, bytes]], bytes]


class BrokerAway(Exception):
    """Kafka did not acknowledge the events in time; some may be there all the same."""


class Publisher:
    """One idempotent producer, started at the first event and again after it failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._waiting: list[tuple[Sequence[Record], asyncio.Future[None]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def publish(self, records: Sequence[Record]) -> None:
        """Return once every in-sync replica has the records (topic, key, headers, value).

        Raises:
            BrokerAway: Kafka does not answer, or not in time.
        """
        if not records:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, done))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_waiting())
        await done

    async def _send_waiting(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            error: BrokerAway | None = None
            try:
                await self._send(list(chain.from_iterable(records for records, _ in taken)))
            except Exception as problem:
                # Whatever it is, the callers wait for an answer; what they sent may come again.
                known = isinstance(problem, (KafkaError, TimeoutError, OSError))
                log.warning("intake.broker_away", exc_info=None if known else problem)
                error = BrokerAway("Kafka did not take the events")
                await self.close()
            for _, done in taken:
                if done.done():
                    continue  # its caller went away meanwhile
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    async def _send(self, records: Sequence[Record]) -> None:
        producer = await self._started()
        prefix = self._settings.kafka_namespace
        async with asyncio.timeout(PUBLISH_SECONDS):
            await send_all(
                producer,
                ((prefix + topic, key, headers, value) for topic, key, headers, value in records),
            )

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = kafka.plain_producer(self._settings, client_id="muster.intake")
            try:
                async with asyncio.timeout(START_SECONDS):
                    await producer.start()
            except BaseException:
                await _stop(producer)
                raise
            self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Close the producer; the next event starts another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except Exception as problem:  # noqa: BLE001 - a client that is left may raise anything
        log.warning("intake.producer_not_closed", error=type(problem).__name__)
