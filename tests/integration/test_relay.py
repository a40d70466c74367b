"""The relay: everything committed is published, in order within a key, by one relay at a time."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from shared import kafka, relay
from shared.database import Pool
from shared.registry import Registry
from shared.relay import Relay
from shared.service import Runtime, Service
from shared.settings import role_url
from shared.uow import Work
from tests.conftest import Open
from tests.instances import make_topics
from tests.waiting import PATIENCE, eventually
from topics.names import TARGETING_EVENTS
from topics.targeting import TargetCounted, TargetCounts

NO_MIGRATIONS = Path(__file__).parent / "no_migrations"


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(Service("targeting", Registry(), NO_MIGRATIONS))
    await make_topics(opened.settings, TARGETING_EVENTS)
    return opened


@asynccontextmanager
async def relaying(runtime: Runtime, pool: Pool | None = None) -> AsyncIterator[Relay]:
    made = Relay(pool or runtime.pool, runtime.settings, "targeting")
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


class Topic:
    """What came out so far: (key, number, id) in the order of each partition."""

    def __init__(self, runtime: Runtime) -> None:
        self._client = kafka.reader(runtime.settings, [TARGETING_EVENTS.name])
        self.seen: list[tuple[UUID, int, str]] = []

    async def __aenter__(self) -> Topic:
        await self._client.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.stop()

    async def read(self) -> list[tuple[UUID, int, str]]:
        for records in (await self._client.getmany(timeout_ms=50)).values():
            for record in records:
                body = orjson.loads(record.value)
                found = dict(record.headers)
                self.seen.append(
                    (
                        UUID(body["campaign_id"]),
                        body["counts"]["records"],
                        found["ce_id"].decode(),
                    )
                )
        return self.seen

    async def numbers(self, count: int) -> list[int]:
        """Wait for ``count`` records; return their numbers."""

        async def there() -> bool:
            return len(await self.read()) >= count

        await eventually(there, what=f"{count} records on the topic")
        return [number for _, number, _ in self.seen]


def emit(work: Work, number: int, campaign: UUID | None = None) -> None:
    work.emit(
        TargetCounted(
            campaign_id=campaign or uuid4(),
            targeting_id=uuid4(),
            counts=TargetCounts(records=number),
        )
    )


async def say(runtime: Runtime, number: int) -> None:
    async with runtime.uow.begin() as work:
        emit(work, number)


async def test_order_within_a_key_holds_although_commits_overtake_each_other(
    runtime: Runtime,
) -> None:
    campaigns = [uuid4() for _ in range(4)]
    spread = random.Random(7)
    await runtime.pool.executemany(
        "INSERT INTO timers (kind, key, due_at, payload) VALUES ('row', $1, now(), $2)",
        [(str(campaign), {"n": 0}) for campaign in campaigns],
    )

    async def write(campaign: UUID) -> None:
        async with runtime.uow.begin() as work:
            payload = await work.connection.fetchval(
                "SELECT payload FROM timers WHERE kind = 'row' AND key = $1 FOR UPDATE",
                str(campaign),
            )
            number = payload["n"] + 1
            await work.connection.execute(
                "UPDATE timers SET payload = $2 WHERE kind = 'row' AND key = $1",
                str(campaign),
                {"n": number},
            )
            emit(work, number, campaign)
            await work.flush()  # the sequence is taken here, the commit comes in any order
            await asyncio.sleep(spread.uniform(0, 0.02))

    writes = [campaign for campaign in campaigns for _ in range(25)]
    spread.shuffle(writes)
    async with relaying(runtime), Topic(runtime) as topic:
        await asyncio.gather(*(write(campaign) for campaign in writes))
        await topic.numbers(100)
    by_key = defaultdict(list)
    for campaign, number, _ in topic.seen:
        by_key[campaign].append(number)
    assert by_key == {campaign: list(range(1, 26)) for campaign in campaigns}
    assert len({id_ for *_, id_ in topic.seen}) == 100


async def test_an_open_transaction_with_a_lower_sequence_neither_stops_the_relay_nor_is_skipped(
    runtime: Runtime,
) -> None:
    async with relaying(runtime), Topic(runtime) as topic:
        await say(runtime, 1)
        await topic.numbers(1)
        await eventually(
            lambda: runtime.pool.fetchval("SELECT waiting FROM relay_wake"), what="a sleeping relay"
        )
        async with runtime.uow.begin() as held:
            emit(held, 2)
            await held.flush()  # holds its number and, having woken the relay, the wake's row
            for number in range(3, 8):
                await say(runtime, number)
                assert (await topic.numbers(number - 1))[-1] == number
                await held.connection.execute("SELECT 1")  # the server ends it when it idles
        numbers = await topic.numbers(7)
    assert sorted(numbers) == list(range(1, 8))
    assert numbers[-1] == 2, "it was published once it was committed"


async def think_better_of_it(runtime: Runtime, number: int) -> None:
    async with runtime.uow.begin() as work:
        emit(work, number)
        await work.flush()
        raise LookupError


async def test_a_rolled_back_transaction_leaves_a_gap_that_is_passed(runtime: Runtime) -> None:
    async with relaying(runtime), Topic(runtime) as topic:
        for number in range(1, 6):
            with pytest.raises(LookupError):
                await think_better_of_it(runtime, -number)
            await say(runtime, number)
        assert sorted(await topic.numbers(5)) == [1, 2, 3, 4, 5]


class GatedPool:
    """A pool that holds one of the relay's statements back, like a process frozen there."""

    def __init__(self, pool: Pool, statement: str, *, after: bool) -> None:
        self._pool = pool
        self._statement = statement
        self._after = after
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        call: Callable[..., Awaitable[Any]] = getattr(self._pool, name)

        async def gated(query: str, *arguments: object) -> Any:
            if query != self._statement:
                return await call(query, *arguments)
            found = await call(query, *arguments) if self._after else None
            if not self._after or found:
                self.reached.set()
                await self.gate.wait()
            return found if self._after else await call(query, *arguments)

        return gated


async def take_over(runtime: Runtime) -> None:
    """Do what a successor does once the lease has run out."""

    async def taken() -> object:
        return await runtime.pool.fetchval(relay._ACQUIRE, "successor", 1.0)

    await eventually(taken, what="the lease running out")


async def test_a_relay_frozen_between_send_and_mark_cannot_mark_once_another_leads(
    runtime: Runtime,
) -> None:
    pool = GatedPool(runtime.pool, relay._MARK, after=False)
    await say(runtime, 1)
    async with Topic(runtime) as topic, relaying(runtime, cast("Pool", pool)):
        await asyncio.wait_for(pool.reached.wait(), PATIENCE)
        await topic.numbers(1)
        await take_over(runtime)
        await say(runtime, 2)
        pool.gate.set()

        async def led_again() -> bool:
            return bool(await runtime.pool.fetchval("SELECT epoch FROM relay_lease") > 2)

        assert await runtime.pool.fetchval("SELECT count(*) FROM outbox") == 2
        await eventually(led_again, what="a new lease after the lost one")
        await topic.numbers(3)
    assert sorted(number for _, number, _ in topic.seen) == [1, 1, 2]
    assert len({id_ for *_, id_ in topic.seen}) == 2, "sent twice under one id"


async def test_a_relay_frozen_before_it_sends_is_fenced_by_its_successor(runtime: Runtime) -> None:
    pool = GatedPool(runtime.pool, relay._NEXT, after=True)
    await say(runtime, 1)
    async with Topic(runtime) as topic, relaying(runtime, cast("Pool", pool)):
        await asyncio.wait_for(pool.reached.wait(), PATIENCE)
        async with relaying(runtime):
            await topic.numbers(1)
            pool.gate.set()
            for number in range(2, 6):
                await say(runtime, number)
            assert sorted(await topic.numbers(5)) == [1, 2, 3, 4, 5]
            await eventually(
                lambda: runtime.pool.fetchval("SELECT NOT EXISTS (SELECT 1 FROM outbox)")
            )
            await topic.read()
    assert len(topic.seen) == 5, "the frozen one's batch never appeared"


async def test_twenty_writers_wake_a_sleeping_relay_by_one_notification(runtime: Runtime) -> None:
    heard: list[str] = []
    url = role_url(runtime.settings, "targeting")
    listener: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    await listener.add_listener("outbox_targeting", lambda *args: heard.append(str(args[2])))
    await runtime.pool.execute("UPDATE targeting.relay_wake SET waiting = true")
    await asyncio.gather(*(say(runtime, number) for number in range(20)))
    await listener.fetchval("SELECT 1")  # notifications come before this answer
    await listener.close()
    assert len(heard) == 1


async def test_a_notification_wakes_the_relay_without_its_poll(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relaying(runtime), Topic(runtime) as topic:
        await say(runtime, 1)
        await topic.numbers(1)
        monkeypatch.setattr(relay, "POLL_SECONDS", 300.0)
        for number in range(2, 6):
            await eventually(
                lambda: runtime.pool.fetchval("SELECT waiting FROM relay_wake"),
                what="a sleeping relay",
            )
            await say(runtime, number)
            await topic.numbers(number)


async def test_two_relays_publish_once_and_the_lease_names_one(runtime: Runtime) -> None:
    async with relaying(runtime), relaying(runtime), Topic(runtime) as topic:
        for number in range(1, 21):
            await say(runtime, number)
        await topic.numbers(20)
        assert await runtime.pool.fetchval("SELECT epoch FROM relay_lease") == 1
    assert len(topic.seen) == 20


async def test_packed_records_leave_in_their_order_between_single_ones(runtime: Runtime) -> None:
    campaign = uuid4()
    await say(runtime, 0)
    async with runtime.uow.begin() as work:
        for number in range(1, 451):
            emit(work, number, campaign)
    async with runtime.uow.begin() as work:
        emit(work, 451, campaign)
    rows = await runtime.pool.fetch("SELECT topic = '' AS packed, records FROM outbox ORDER BY seq")
    assert [tuple(row) for row in rows] == [
        (False, 1), (True, 200), (True, 200), (True, 50), (False, 1)
    ]  # fmt: skip
    smaller = runtime.settings.model_copy(update={"relay_batch": 300})
    made = Relay(runtime.pool, smaller, "targeting")
    task = asyncio.create_task(made.run())
    async with Topic(runtime) as topic:
        await topic.numbers(452)
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    assert [number for key, number, _ in topic.seen if key == campaign] == list(range(1, 452))
    assert len({id_ for *_, id_ in topic.seen}) == 452
