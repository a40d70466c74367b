"""The messaging core against a real broker and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared import dead_letters, kafka
from shared.errors import Permanent, Refused, Transient
from shared.registry import Registry
from shared.service import Runtime, Service, run
from shared.uow import Work
from tests.conftest import Open
from tests.instances import make_topics
from tests.records import record_of
from tests.waiting import PATIENCE, eventually
from topics.message import Message
from topics.names import TARGETING_COMMANDS, TARGETING_EVENTS
from topics.targeting import CountTarget, TargetCounted, TargetCounts, TargetRefused


class Story:
    """A service of two messages, whose failures a test scripts by targeting id."""

    def __init__(self) -> None:
        self.handled: list[UUID] = []
        self.failures: dict[UUID, list[Exception]] = {}
        self.registry = Registry()
        self.registry.on(CountTarget, refusal=self._refused, ordered_strict=True)(self._count)

    async def _count(self, command: CountTarget, work: Work) -> None:
        planned = self.failures.get(command.targeting_id)
        if planned:
            raise planned.pop(0)
        self.handled.append(command.targeting_id)
        work.emit(
            TargetCounted(
                campaign_id=command.campaign_id,
                targeting_id=command.targeting_id,
                counts=TargetCounts(records=1),
            )
        )

    def _refused(self, command: CountTarget, refusal: Refused) -> TargetRefused:
        return TargetRefused(
            campaign_id=command.campaign_id,
            targeting_id=command.targeting_id,
            reason=refusal.reason,
        )

    def service(self) -> Service:
        return Service("targeting", self.registry, Path(__file__).parent / "no_migrations")


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(runtime, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def send(runtime: Runtime, *messages: Message, ids: list[str] | None = None) -> None:
    """Publish messages the way a service's relay does, without one."""
    producer = kafka.plain_producer(runtime.settings, client_id="test")
    await producer.start()
    for i, message in enumerate(messages):
        key, headers, value = record_of(message, message_id=ids[i] if ids else None)
        topic = runtime.settings.kafka_namespace + message.topic.name
        await producer.send_and_wait(topic, value, key=key, headers=headers)
    await producer.stop()


async def published(runtime: Runtime, count: int) -> list[str]:
    """Return the types of the first ``count`` answers on the events topic."""
    client = kafka.reader(runtime.settings, [TARGETING_EVENTS.name])
    await client.start()
    found: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                for records in (await client.getmany(timeout_ms=200)).values():
                    found += [dict(record.headers)["ce_type"].decode() for record in records]
    finally:
        await client.stop()
    return found


@pytest.fixture
async def story(open_service: Open) -> AsyncIterator[tuple[Story, Runtime]]:
    told = Story()
    runtime = await open_service(told.service())
    await make_topics(runtime.settings, *runtime.topics, TARGETING_EVENTS)
    async with running(runtime):
        yield told, runtime


def count(campaign: UUID) -> CountTarget:
    return CountTarget(campaign_id=campaign, targeting_id=uuid4())


async def test_a_message_delivered_three_times_has_one_effect_and_one_answer(
    story: tuple[Story, Runtime],
) -> None:
    told, runtime = story
    command, last = count(uuid4()), count(uuid4())
    await send(runtime, command, command, command, ids=["same", "same", "same"])
    await send(runtime, last)
    await eventually(lambda: last.targeting_id in told.handled)
    assert told.handled.count(command.targeting_id) == 1
    assert await published(runtime, 2) == [TargetCounted.ce_type] * 2


async def test_a_retried_message_keeps_its_keys_order_and_other_keys_go_on(
    story: tuple[Story, Runtime],
) -> None:
    told, runtime = story
    campaign, other = uuid4(), uuid4()
    first, second, third, aside = count(campaign), count(campaign), count(campaign), count(other)
    told.failures[first.targeting_id] = [Transient("not yet")] * 4
    await send(runtime, first, second, aside, third)
    await eventually(lambda: third.targeting_id in told.handled)
    order = [first.targeting_id, second.targeting_id, third.targeting_id]
    assert [one for one in told.handled if one in order] == order
    assert told.handled.index(aside.targeting_id) < told.handled.index(first.targeting_id)


async def test_a_poison_message_in_a_batch_harms_only_itself(story: tuple[Story, Runtime]) -> None:
    told, runtime = story
    commands = [count(uuid4()) for _ in range(20)]
    poison = commands[7]
    told.failures[poison.targeting_id] = [Permanent("never")] * 50
    await send(runtime, *commands)
    await eventually(lambda: len(set(told.handled)) == 19)
    assert await published(runtime, 19) == [TargetCounted.ce_type] * 19
    row = await eventually(
        lambda: runtime.pool.fetchrow("SELECT reason, key, ce_type FROM dead_letters")
    )
    assert dict(row) == {
        "reason": "never",
        "key": str(poison.campaign_id),
        "ce_type": CountTarget.ce_type,
    }


async def test_a_strictly_ordered_key_waits_behind_its_dead_letter_until_it_is_replayed(
    story: tuple[Story, Runtime],
) -> None:
    told, runtime = story
    campaign = uuid4()
    first, second, elsewhere = count(campaign), count(campaign), count(uuid4())
    told.failures[first.targeting_id] = [Permanent("mend me")] * 10
    await send(runtime, first, second, elsewhere)
    await eventually(lambda: elsewhere.targeting_id in told.handled)
    letter = await eventually(lambda: runtime.pool.fetchval("SELECT id FROM dead_letters"))
    assert second.targeting_id not in told.handled
    told.failures.clear()
    async with runtime.uow.begin() as work:
        assert await dead_letters.replay(work, letter)
    await eventually(lambda: second.targeting_id in told.handled)
    assert told.handled[-2:] == [first.targeting_id, second.targeting_id]


async def test_a_refusal_is_answered_and_nothing_else_of_the_handler_leaves(
    story: tuple[Story, Runtime],
) -> None:
    told, runtime = story
    command = count(uuid4())
    told.failures[command.targeting_id] = [Refused("no such targeting")]
    await send(runtime, command)
    assert await published(runtime, 1) == [TargetRefused.ce_type]
    assert await runtime.pool.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_a_malformed_record_lands_in_the_dead_letters_with_a_reason(
    story: tuple[Story, Runtime],
) -> None:
    _, runtime = story
    producer = kafka.plain_producer(runtime.settings, client_id="test")
    await producer.start()
    topic = runtime.settings.kafka_namespace + TARGETING_COMMANDS.name
    await producer.send_and_wait(topic, b"hello", headers=[("ce_id", b"1")])
    await producer.stop()
    reason = await eventually(lambda: runtime.pool.fetchval("SELECT reason FROM dead_letters"))
    assert reason == "attribute 'source' is missing"


async def test_the_first_message_of_a_schema_leaves_even_when_the_relay_was_there_before_it(
    story: tuple[Story, Runtime],
) -> None:
    _, runtime = story
    # The relay has looked at the empty outbox and gone to sleep more than once.
    await eventually(lambda: runtime.pool.fetchval("SELECT waiting FROM relay_wake"))
    await asyncio.sleep(2.5)
    async with runtime.uow.begin() as work:
        work.emit(TargetRefused(campaign_id=uuid4(), targeting_id=uuid4(), reason="first"))
    assert await published(runtime, 1) == [TargetRefused.ce_type]
