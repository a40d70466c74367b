"""The consumer: a batch of records, one transaction, then the offsets.

Inbox, handlers' state and outbox commit together, offsets after: a crash in between hands the batch
out again, and the inbox knows it. A message that fails is found by halving its batch, then retried
with its key held back, or dead-lettered. Failing servers say nothing about a message: the same
batch is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared import dead_letters, faults, inbox, kafka, metrics, retries, tracing
from shared.batch import Broken, Item, in_runs, read
from shared.errors import INFRASTRUCTURE, INTERRUPTIONS, is_permanent, reason_of
from shared.kafka import Record
from shared.logs import logger
from shared.registry import Registry, answer
from shared.undecodable import Gap, fetch
from shared.uow import UnitOfWork, Work
from shared.waiting import give_way, wait_or_stop

log = logger(__name__)

POLL_MS: Final = 500
SMALLER: Final = 5
"""How many times smaller the batches of a consumer are that gives way: each takes the cores."""
HALT_AFTER: Final = 50
"""Dead letters in a row that stop a partition: a bad deploy must not drain a topic.

What outside producers write wrong on an intake topic does not count: it hurts nobody else.
"""


class Batcher:
    """Handles records of one consumer in transactions; knows no Kafka client."""

    def __init__(self, uow: UnitOfWork, registry: Registry, *, name: str) -> None:
        self._uow = uow
        self._registry = registry
        self.name = name
        self._spread = random.Random()

    async def handle(self, records: Sequence[Record]) -> set[Record]:
        """Handle a batch whole; return the records that went to the dead letters by our doing.

        Raises:
            BaseException: one of ``INFRASTRUCTURE``; nothing of the failing part was kept.
        """
        try:
            with metrics.BATCH_SECONDS.labels(self._uow.service).time():
                return await self._transaction(records)
        except INFRASTRUCTURE:
            raise
        except Exception as problem:  # noqa: BLE001 - any failure of a handler is isolated here
            if len(records) == 1:
                return await self._put_aside(records[0], problem)
        half = len(records) // 2
        return await self.handle(records[:half]) | await self.handle(records[half:])

    async def _transaction(self, records: Sequence[Record]) -> set[Record]:
        read_records = [read(record, self._registry) for record in records]
        items = [item for item in read_records if isinstance(item, Item)]
        broken = [item for item in read_records if isinstance(item, Broken)]
        if not items and not broken:
            return set()
        with tracing.span(self._uow.service, "consume batch", records=len(records)):
            async with self._uow.begin() as work:
                ready = await self._admit(work, items)
                for run in in_runs(ready):
                    await handle_run(run, work)
                for item in broken:
                    await dead_letters.bury(work, self.name, item.record, reason=item.reason)
        self._count(ready, broken)
        return {item.record for item in broken if not item.outside}

    async def _admit(self, work: Work, items: Sequence[Item]) -> list[Item]:
        """Return the items to handle now: new to the inbox, no earlier one of the key waiting."""
        if not items:
            return []
        taken = await inbox.take(
            work.connection,
            self.name,
            [item.identity for item in items],
            [retries.key_of(item.record) for item in items],
        )
        ready = []
        for item in items:
            if item.identity not in taken.fresh:
                metrics.DUPLICATES.labels(work.service).inc()
                continue
            taken.fresh.discard(item.identity)
            if retries.key_of(item.record) in taken.parked_keys:
                await retries.park(work.connection, self.name, item.record, reason="parked behind")
                metrics.PARKED.labels(work.service).inc()
            else:
                ready.append(item)
        return ready

    async def _put_aside(self, record: Record, problem: Exception) -> set[Record]:
        """Park a failed record with its key, or bury it, in a transaction of its own."""
        item = read(record, self._registry)
        if not isinstance(item, Item):
            return set()
        async with self._uow.begin() as work:
            for fresh in await self._admit(work, [item]):
                buried = await self._settle(work, fresh, problem)
                return {record} if buried else set()
        return set()

    async def _settle(self, work: Work, item: Item, problem: Exception) -> bool:
        reason = reason_of(problem)
        settings = self._uow.settings
        if is_permanent(problem):
            seq = None
            if item.entry is not None and item.entry.ordered_strict:
                seq = await retries.park(
                    work.connection, self.name, item.record, dead=True, reason=reason
                )
            await dead_letters.bury(work, self.name, item.record, reason=reason, retry_seq=seq)
            metrics.DEAD_LETTERS.labels(work.service, item.record.topic).inc()
            log.warning("consumer.dead_letter", type=item.envelope.type, reason=reason)
            return True
        delay = retries.backoff(0, base_seconds=settings.retry_base_seconds, spread=self._spread)
        await retries.park(
            work.connection, self.name, item.record, attempts=1, delay_seconds=delay, reason=reason
        )
        metrics.PARKED.labels(work.service).inc()
        log.warning("consumer.parked", type=item.envelope.type, reason=reason, exc_info=problem)
        return False

    async def bury_unread(self, record: Record, reason: str) -> None:
        """Put a record that could not even be read into the dead letters."""
        async with self._uow.begin() as work:
            await dead_letters.bury(work, self.name, record, reason=reason)
        metrics.DEAD_LETTERS.labels(self._uow.service, record.topic).inc()
        log.warning("consumer.undecodable", topic=record.topic, reason=reason)

    def _count(self, ready: Sequence[Item], broken: Sequence[Broken]) -> None:
        for item in ready:
            metrics.HANDLED.labels(self._uow.service, item.envelope.type).inc()
        for lost in broken:
            metrics.DEAD_LETTERS.labels(self._uow.service, lost.record.topic).inc()
            log.warning("consumer.malformed", topic=lost.record.topic, reason=lost.reason)

    async def retry_one(self) -> bool:
        """Try the next record whose turn has come; return whether there was one."""
        waiting: retries.Waiting | None = None
        try:
            async with self._uow.begin() as work:
                waiting = await retries.claim(work.connection, self.name)
                if waiting is None:
                    return False
                item = read(waiting.record, self._registry)
                if isinstance(item, Item):
                    await handle_run([item], work)
                await retries.done(work.connection, waiting.seq)
                faults.reach("retry.before_commit")
        except INFRASTRUCTURE:
            raise
        except Exception as problem:
            if waiting is None:
                raise
            await self._failed_again(waiting, problem)
        return True

    async def _failed_again(self, waiting: retries.Waiting, problem: Exception) -> None:
        settings, reason = self._uow.settings, reason_of(problem)
        attempts = waiting.attempts + 1
        final = is_permanent(problem) or attempts > settings.retry_max_attempts
        async with self._uow.begin() as work:
            if not final:
                delay = retries.backoff(
                    waiting.attempts, base_seconds=settings.retry_base_seconds, spread=self._spread
                )
                await retries.postpone(
                    work.connection,
                    waiting.seq,
                    attempts=attempts,
                    delay_seconds=delay,
                    reason=reason,
                )
                return
            await self._bury_waiting(work, waiting, reason)
        metrics.DEAD_LETTERS.labels(self._uow.service, waiting.record.topic).inc()
        log.warning("consumer.gave_up", topic=waiting.record.topic, reason=reason)

    async def _bury_waiting(self, work: Work, waiting: retries.Waiting, reason: str) -> None:
        item = read(waiting.record, self._registry)
        strict = isinstance(item, Item) and item.entry is not None and item.entry.ordered_strict
        await dead_letters.bury(
            work,
            self.name,
            waiting.record,
            reason=reason,
            retry_seq=waiting.seq if strict else None,
        )
        if strict:
            await retries.keep_dead(work.connection, waiting.seq, reason)
        else:
            await retries.done(work.connection, waiting.seq)


async def handle_run(run: Sequence[Item], work: Work) -> None:
    """Hand a run of items to its handler; ``work.cause`` is the message being handled."""
    first = run[0]
    work.cause = first.envelope
    with tracing.span(
        work.service,
        f"handle {first.envelope.type}",
        parent=first.envelope.traceparent,
        links=(item.envelope.traceparent for item in run[1:]),
        messages=len(run),
    ):
        await _hand(run, work)


async def _hand(run: Sequence[Item], work: Work) -> None:
    first = run[0]
    if first.intake is not None:
        await first.intake.handle([(item.envelope, item.message) for item in run], work)
    elif first.entry is not None and first.entry.batched:
        await first.entry.handle([item.message for item in run], work)
    elif first.entry is not None:
        await answer(first.entry, first.message, work)


class Consumer:
    """Feeds one consumer group's records to a :class:`Batcher`, and retries what waits.

    Attributes:
        name: what its group, its inbox, its retries and its dead letters go by.
        registry: the handlers, and so the topics.
        batcher: handles the records.
    """

    def __init__(self, uow: UnitOfWork, registry: Registry, *, name: str) -> None:
        self.name = name
        self.registry = registry
        self.batcher = Batcher(uow, registry, name=name)
        self._uow = uow
        self._settings = uow.settings
        self._topics = [topic.name for topic in registry.topics]
        self._buried_in_a_row: dict[TopicPartition, int] = defaultdict(int)
        self._halted: set[TopicPartition] = set()
        self._client: AIOKafkaConsumer | None = None
        self.group = f"muster.{name}"

    @property
    def halted(self) -> tuple[str, ...]:
        """Partitions that too many dead letters in a row have stopped (for readiness)."""
        return tuple(f"{tp.topic}[{tp.partition}]" for tp in sorted(self._halted))

    async def ask(self) -> None:
        """Ask the broker that keeps the group's place; return once it answered.

        Raises:
            KafkaError: no broker answers, or the consumer has no place in its group yet.
        """
        if not self._topics:
            return
        if self._client is None:
            raise kafka.KafkaError
        # A poll of a broker that is gone just returns nothing. This is one small answer of the
        # group's coordinator; the list of topics would be that of everybody's on the brokers.
        name = self._settings.kafka_namespace + self._topics[0]
        await self._client.committed(TopicPartition(name, 0))

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set: finish the batch, commit, leave."""
        if not self._topics:
            await stop.wait()
            return
        while not stop.is_set():
            client = kafka.consumer(
                self._settings,
                self._topics,
                group=self.group,
                instance=f"{self.group}.{self._settings.muster_instance}",
                held=self._halted,
            )
            try:
                await client.start()
                self._client = client
                await self._loop(client, stop)
            except (kafka.KafkaError, *INTERRUPTIONS) as problem:
                log.warning("consumer.interrupted", error=type(problem).__name__)
                await wait_or_stop(stop, 1)
            finally:
                self._client = None
                await self._close(client, stop)

    async def _close(self, client: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Leave the group when told to stop; keep the place in it when the work goes on."""
        try:
            await (kafka.leave(client) if stop.is_set() else client.stop())
        except (kafka.KafkaError, OSError) as problem:
            log.warning("consumer.not_closed", error=type(problem).__name__)

    async def _loop(self, client: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        limit = self._settings.consumer_max_records
        if self.registry.gives_way:
            limit = max(1, limit // SMALLER)
        while not stop.is_set():
            raws, gap = await fetch(client, timeout_ms=POLL_MS, limit=limit)
            records = [kafka.as_record(self._settings, raw) for raw in raws]
            if records:
                buried = await self._handle_surely(records, stop)
                if buried is None:
                    return
                faults.reach("consumer.after_commit")
                await self._commit(client, records)
                self._watch_partitions(client, records, buried)
            if gap is not None:
                await self._leave_behind(client, gap)

    async def _leave_behind(self, client: AIOKafkaConsumer, gap: Gap) -> None:
        """Note what nobody can read in the dead letters, and go on after it."""
        await self.batcher.bury_unread(gap.as_record(self._settings), gap.reason)
        try:
            await client.commit({gap.partition: gap.after})
        except (CommitFailedError, IllegalStateError):
            log.info("consumer.offsets_not_ours")

    async def _handle_surely(
        self, records: Sequence[Record], stop: asyncio.Event
    ) -> set[Record] | None:
        """Handle a batch, trying again while servers fail; ``None`` when told to stop meanwhile."""
        attempt = 0
        while not stop.is_set():
            try:
                if self.registry.gives_way:
                    await give_way(self._uow.pool, stop)
                return await self.batcher.handle(records)
            except INTERRUPTIONS as problem:
                log.warning("consumer.batch_again", error=type(problem).__name__, attempt=attempt)
                await wait_or_stop(stop, min(0.2 * 2**attempt, 5.0))
                attempt += 1
        return None

    async def _commit(self, client: AIOKafkaConsumer, records: Sequence[Record]) -> None:
        ends: dict[TopicPartition, int] = {}
        for record in records:
            ends[self._partition(record)] = record.offset + 1
        try:
            await client.commit(ends)
        except (CommitFailedError, IllegalStateError):
            # The partitions moved meanwhile: their new owner meets the inbox.
            log.info("consumer.offsets_not_ours")

    def _partition(self, record: Record) -> TopicPartition:
        return TopicPartition(self._settings.kafka_namespace + record.topic, record.partition)

    def _watch_partitions(
        self, client: AIOKafkaConsumer, records: Sequence[Record], buried: set[Record]
    ) -> None:
        for record in records:
            partition = self._partition(record)
            in_a_row = self._buried_in_a_row[partition] + 1 if record in buried else 0
            self._buried_in_a_row[partition] = in_a_row
            if in_a_row >= HALT_AFTER and partition not in self._halted:
                self._halt(client, partition)

    def _halt(self, client: AIOKafkaConsumer, partition: TopicPartition) -> None:
        self._halted.add(partition)
        client.pause(partition)
        metrics.PARTITION_HALTED.labels(self.name, partition.topic, str(partition.partition)).set(1)
        log.error("consumer.partition_halted", topic=partition.topic, partition=partition.partition)

    async def run_retries(self, stop: asyncio.Event) -> None:
        """Try what waits, as its turn comes, until ``stop`` is set."""
        while not stop.is_set():
            try:
                found = await self.batcher.retry_one()
            except INTERRUPTIONS as problem:
                log.warning("retries.interrupted", error=type(problem).__name__)
                found = False
            if not found:
                await wait_or_stop(stop, 0.3)
