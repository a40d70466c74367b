"""The messaging core's speed: one process from Kafka to rows to Kafka, beside the raw clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg

from shared import kafka, topics_admin
from shared.ids import new_id
from shared.registry import Registry
from shared.service import Service, open_runtime, run
from shared.settings import Settings
from shared.uow import Work
from tests.bench.databases import instance
from tests.bench.results import Figure
from tests.records import record_of
from tests.servers import Servers
from topics.names import OPERATORS_STATE, TARGETING_COMMANDS, TARGETING_EVENTS
from topics.targeting import CountTarget, TargetCounted, TargetCounts

MESSAGES = 60_000
RUNS = 3
FLOOR = 8_000.0

registry = Registry()


@registry.on_batch(CountTarget)
async def one_row_each(commands: Sequence[CountTarget], work: Work) -> None:
    """Write one state row and emit one message for each command."""
    await work.connection.copy_records_to_table(
        "bench_state",
        records=[(command.campaign_id, command.targeting_id) for command in commands],
        columns=("campaign_id", "targeting_id"),
    )
    counts = TargetCounts(records=1)
    for command in commands:
        work.emit(
            TargetCounted(
                campaign_id=command.campaign_id, targeting_id=command.targeting_id, counts=counts
            )
        )


SERVICE = Service("targeting", registry, Path(__file__).parent / "migrations")


class Bench:
    """One database and one namespace per run, on shared servers."""

    def __init__(self, settings: Settings, owner: asyncpg.Connection[asyncpg.Record]) -> None:
        self.settings = settings
        self.owner = owner

    async def fill(self, messages: int) -> None:
        """Put commands on the input topic."""
        producer = kafka.plain_producer(self.settings, client_id="bench")
        await producer.start()
        topic = self.settings.kafka_namespace + TARGETING_COMMANDS.name
        futures = []
        for _ in range(messages):
            campaign_id = new_id()
            key, headers, value = record_of(
                CountTarget(campaign_id=campaign_id, targeting_id=campaign_id), source="/bench"
            )
            futures.append(await producer.send(topic, value, key=key, headers=headers))
        await asyncio.gather(*futures)
        await producer.stop()

    async def transactional(self, messages: int) -> float:
        """Return messages/s from the first batch to the last outbox row gone to Kafka."""
        runtime = await open_runtime(SERVICE, self.settings)
        stop = asyncio.Event()
        task = asyncio.create_task(run(runtime, stop))
        # Joining the group is not the core's speed: the clock starts with the first batch.
        while not (first := await self._handled()):  # noqa: ASYNC110 - rows have no event
            await asyncio.sleep(0.005)
        started = time.perf_counter()
        while await self._left(messages):  # noqa: ASYNC110 - a rare look costs the figure little
            await asyncio.sleep(0.1)
        elapsed = time.perf_counter() - started
        stop.set()
        await task
        return (messages - first) / elapsed

    async def _handled(self) -> int:
        count: int = await self.owner.fetchval("SELECT count(*) FROM targeting.bench_state")
        return count

    async def _left(self, messages: int) -> bool:
        outbox = await self.owner.fetchval("SELECT EXISTS (SELECT 1 FROM targeting.outbox)")
        return bool(outbox) or await self._handled() < messages

    async def raw_getmany(self, messages: int) -> float:
        """Return records/s of aiokafka alone over the same topic."""
        client = kafka.reader(self.settings, [TARGETING_COMMANDS.name])
        await client.start()
        seen, started = 0, time.perf_counter()
        while seen < messages:
            fetched = await client.getmany(timeout_ms=500, max_records=2000)
            seen += sum(len(records) for records in fetched.values())
        elapsed = time.perf_counter() - started
        await client.stop()
        return messages / elapsed

    async def raw_copy(self, rows: int) -> float:
        """Return rows/s of COPY alone into a table of the same shape."""
        await self.owner.execute("TRUNCATE targeting.bench_state")
        records = [(uuid4(), uuid4()) for _ in range(10_000)]
        started = time.perf_counter()
        for _ in range(rows // len(records)):
            await self.owner.copy_records_to_table(
                "bench_state", schema_name="targeting", records=records
            )
        return rows / (time.perf_counter() - started)


async def _one_run(servers: Servers, messages: int) -> tuple[float, float, float]:
    async with instance(servers, SERVICE, consumer_max_records="2000") as (settings, owner):
        await topics_admin.apply(
            settings, topics=[TARGETING_COMMANDS, TARGETING_EVENTS, OPERATORS_STATE]
        )
        bench = Bench(settings, owner)
        await bench.fill(messages)
        return (
            await bench.transactional(messages),
            await bench.raw_getmany(messages),
            await bench.raw_copy(messages),
        )


async def measure(servers: Servers, *, messages: int, runs: int) -> list[Figure]:
    """Measure the core and its raw parts side by side, ``runs`` times."""
    found = [await _one_run(servers, messages) for _ in range(runs)]
    core, getmany, copy = (list(one) for one in zip(*found, strict=True))
    return [
        Figure(
            "core.transactional_per_s",
            "messages/s",
            core,
            FLOOR,
            "one Python process: decoding, encoding and sending each message once",
        ),
        Figure("core.raw_getmany_per_s", "records/s", getmany, None, "aiokafka's record parsing"),
        Figure("core.raw_copy_per_s", "rows/s", copy, None, "asyncpg's COPY encoding, one core"),
    ]
