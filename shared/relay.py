"""The relay: publishes a schema's outbox in order, one relay per schema, fenced twice.

A lease row says who relays; its epoch fences a predecessor's marks in PostgreSQL, and the Kafka
``transactional_id`` (the schema's name) fences its sends at the broker. A crash between send and
mark sends again with the same id, which every inbox knows.

Order within a key is the sequence: it is taken while the aggregate's row is locked, so whoever
sees a later row of a key sees the earlier ones. Rows are deleted once published; a late commit of a
lower sequence is found because the watermark only passes what no open transaction can still fill.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import asyncpg
from aiokafka import AIOKafkaProducer

from shared import faults, kafka, metrics, tracing
from shared.database import Pool, connect
from shared.errors import INFRASTRUCTURE
from shared.logs import logger
from shared.outbox import OutboxRow, unpack
from shared.producer import send_all, unpack_headers
from shared.settings import Settings, role_url

log = logger(__name__)

POLL_SECONDS: Final = 1.0
TRACEPARENT: Final = "traceparent"
# Seen after a broker had halted on a full disk: aiokafka never settled the batches it had sent.
PUBLISH_SECONDS: Final = 20.0

_ACQUIRE: Final = """
UPDATE relay_lease SET owner = $1, expires_at = now() + $2 * interval '1 second', epoch = epoch + 1
WHERE expires_at < now() OR owner = $1 RETURNING epoch
"""
_RENEW: Final = """
UPDATE relay_lease SET expires_at = now() + $2 * interval '1 second' WHERE epoch = $1 RETURNING 1
"""
# Rows of at most so many records together, one at the least.
_NEXT: Final = """
SELECT seq, topic, key, headers, value, records,
       extract(epoch FROM now() - created_at)::float AS age
FROM (SELECT *, sum(records) OVER (ORDER BY seq) - records AS before
      FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2) AS next
WHERE before < $2 ORDER BY seq
"""
_MARK: Final = """
WITH held AS (SELECT 1 FROM relay_lease WHERE epoch = $1 FOR SHARE),
     gone AS (DELETE FROM outbox WHERE seq = ANY ($2::bigint[]) AND EXISTS (SELECT 1 FROM held))
SELECT count(*) FROM held
"""
# Two statements, in this order: whoever took a number up to the last one had its transaction id
# before the snapshot is taken. The other way round, a number taken in between would be passed by.
# A sequence nobody has used says 1 as its last value: the first row must not be passed by.
_LAST: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_seq"
_SNAPSHOT: Final = """
SELECT pg_snapshot_xmin(s)::text::bigint AS xmin, pg_snapshot_xmax(s)::text::bigint AS xmax
FROM pg_current_snapshot() AS s
"""


_INTERRUPTIONS: Final = (*INFRASTRUCTURE, asyncpg.PostgresError, kafka.KafkaError)
_FALL_ASLEEP: Final = """
UPDATE relay_wake SET waiting = true WHERE single IN (
    SELECT single FROM relay_wake WHERE NOT waiting FOR UPDATE SKIP LOCKED)
"""


def _records(rows: Sequence[asyncpg.Record]) -> Iterator[OutboxRow]:
    for row in rows:
        yield from unpack(OutboxRow(row["topic"], row["key"], row["headers"], row["value"]))


def _count(rows: Sequence[asyncpg.Record]) -> int:
    return sum(row["records"] for row in rows)


def _traces_of(rows: Sequence[asyncpg.Record]) -> list[str]:
    """Return the traces of the first few rows; none while spans are off."""
    if not tracing.is_on():
        return []
    headers = (
        dict(unpack_headers(one.headers)) for one in islice(_records(rows), tracing.MOST_LINKS)
    )
    return [found[TRACEPARENT].decode() for found in headers if TRACEPARENT in found]


class LeaseLost(Exception):
    """Another relay took over; this one stops sending at once."""


@dataclass(slots=True)
class Watermark:
    """The sequence below which no row can appear any more.

    A row's transaction has its id before it takes a sequence number. So once every transaction
    that was open at a probe has ended, all numbers up to the probe's last are seen or void.
    """

    passed: int = 0
    probe_seq: int = 0
    probe_xmax: int = -1

    def observe(self, *, xmin: int, xmax: int, last: int) -> None:
        """Take a new probe once the former one has matured, and pass what it covered.

        Called only when no row up to ``probe_seq`` is left unpublished.
        """
        if self.probe_xmax < 0:
            self.probe_seq, self.probe_xmax = last, xmax
        elif xmin >= self.probe_xmax:
            self.passed = self.probe_seq
            self.probe_seq, self.probe_xmax = last, xmax


class Relay:
    """Publishes one schema's outbox while it holds the lease."""

    def __init__(self, pool: Pool, settings: Settings, service: str) -> None:
        self._pool = pool
        self._settings = settings
        self._service = service
        self._owner = f"{settings.muster_instance}:{id(self)}"
        self._wake = asyncio.Event()
        self._listener: asyncpg.Connection[asyncpg.Record] | None = None

    async def run(self) -> None:
        """Relay until cancelled; a lost lease or a failing server is tried again."""
        try:
            while True:
                try:
                    epoch = await self._acquire()
                    if epoch is not None:
                        await self._lead(epoch)
                except Exception as problem:
                    # Nobody awaits this task: were it to end, the schema would fall silent.
                    log.warning("relay.failed", error=type(problem).__name__, exc_info=problem)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            metrics.RELAY_LEADER.labels(self._service).set(0)
            await self._close_listener()

    async def _acquire(self) -> int | None:
        try:
            epoch: int | None = await self._pool.fetchval(
                _ACQUIRE, self._owner, self._settings.relay_lease_seconds
            )
        except _INTERRUPTIONS as problem:
            log.warning("relay.lease_unavailable", error=type(problem).__name__)
            return None
        return epoch

    async def _lead(self, epoch: int) -> None:
        producer = kafka.producer(self._settings, transactional_id=f"muster.{self._service}")
        try:
            await producer.start()
            metrics.RELAY_LEADER.labels(self._service).set(1)
            log.info("relay.leads", epoch=epoch)
            await self._publish_until_lost(producer, epoch)
        except (LeaseLost, kafka.ProducerFenced):
            log.warning("relay.lease_lost", epoch=epoch)
        except _INTERRUPTIONS as problem:
            log.warning("relay.interrupted", epoch=epoch, error=type(problem).__name__)
        finally:
            metrics.RELAY_LEADER.labels(self._service).set(0)
            await self._stop_producer(producer)

    async def _stop_producer(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(5):
                await producer.stop()
        except Exception as problem:  # noqa: BLE001 - a client that is left may raise anything
            log.warning("relay.producer_not_closed", error=type(problem).__name__)

    async def _publish_until_lost(self, producer: AIOKafkaProducer, epoch: int) -> None:
        watermark = Watermark()
        renewed_at = -math.inf
        while True:
            if time.monotonic() - renewed_at > self._settings.relay_lease_seconds / 3:
                renewed_at = time.monotonic()
                await self._renew(epoch)
            rows = await self._pool.fetch(_NEXT, watermark.passed, self._settings.relay_batch)
            self._measure(rows)
            if rows:
                await self._publish(producer, epoch, rows)
            if _count(rows) < self._settings.relay_batch:
                await self._advance(watermark)
                await self._sleep_until_woken(watermark.passed)

    async def _renew(self, epoch: int) -> None:
        held = await self._pool.fetchval(_RENEW, epoch, self._settings.relay_lease_seconds)
        if not held:
            raise LeaseLost

    async def _publish(
        self, producer: AIOKafkaProducer, epoch: int, rows: Sequence[asyncpg.Record]
    ) -> None:
        with tracing.span(
            self._service, "publish batch", links=_traces_of(rows), messages=_count(rows)
        ):
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._send(producer, rows)
        faults.reach("relay.between_send_and_mark")
        held = await self._pool.fetchval(_MARK, epoch, [row["seq"] for row in rows])
        if not held:
            raise LeaseLost
        metrics.RELAYED.labels(self._service).inc(_count(rows))

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]) -> None:
        """Send rows in one transaction; a failed one is aborted by the next producer's start.

        Aborting it here would wait for the very broker that does not answer.
        """
        prefix = self._settings.kafka_namespace
        await producer.begin_transaction()
        faults.reach("relay.before_send")
        await send_all(
            producer,
            (
                (
                    prefix + one.topic,
                    one.key.encode() if one.key is not None else None,
                    unpack_headers(one.headers),
                    one.value or None,  # a tombstone: no message has an empty body
                )
                for one in _records(rows)
            ),
        )
        await producer.commit_transaction()

    def _measure(self, rows: Sequence[asyncpg.Record]) -> None:
        metrics.RELAY_LAG.labels(self._service).set(rows[0]["age"] if rows else 0)

    async def _advance(self, watermark: Watermark) -> None:
        last = await self._pool.fetchval(_LAST)
        snapshot = await self._pool.fetchrow(_SNAPSHOT)
        left = await self._pool.fetchval(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE seq > $1 AND seq <= $2)",
            watermark.passed,
            watermark.probe_seq,
        )
        if snapshot is not None and not left:
            watermark.observe(xmin=snapshot["xmin"], xmax=snapshot["xmax"], last=last)

    async def _sleep_until_woken(self, passed: int) -> None:
        """Say that we sleep, look once more, then wait for the NOTIFY or the poll."""
        await self._listen()
        self._wake.clear()
        # A writer that flips the flag holds its row until it commits: poll rather than wait for it.
        await self._pool.execute(_FALL_ASLEEP)
        if await self._pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox WHERE seq > $1)", passed):
            return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _listen(self) -> None:
        if self._listener is not None and not self._listener.is_closed():
            return
        self._listener = await connect(role_url(self._settings, self._service), self._service)
        await self._listener.add_listener(f"outbox_{self._service}", self._on_notify)

    def _on_notify(self, *_: object) -> None:
        self._wake.set()

    async def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.terminate()
            self._listener = None
