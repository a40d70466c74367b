"""A record whose header name is no text stops nobody but itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as aiokafka_producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared import kafka
from shared.registry import Registry
from shared.service import Runtime, Service
from shared.uow import Work
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.test_core import running, send
from tests.records import record_of
from tests.waiting import eventually
from topics.names import TARGETING_COMMANDS
from topics.targeting import CountTarget


class NoText(str):
    """A header name as a careless client in another language may send it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return bytes that are no UTF-8."""
        del encoding, errors
        return b"\xff\xfe"


@pytest.fixture
async def counted(open_service: Open) -> tuple[Runtime, list[str]]:
    seen: list[str] = []
    registry = Registry()

    async def count(command: CountTarget, _: Work) -> None:
        seen.append(str(command.targeting_id))

    registry.on(CountTarget)(count)
    runtime = await open_service(
        Service("targeting", registry, Path(__file__).parent / "no_migrations")
    )
    await make_topics(runtime.settings, *runtime.topics)
    return runtime, seen


def commands(count: int) -> list[CountTarget]:
    campaign = uuid4()  # one key, so one partition
    return [CountTarget(campaign_id=campaign, targeting_id=uuid4()) for _ in range(count)]


async def send_poison(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, batch: Sequence[CountTarget]
) -> None:
    """Send a batch whose second record has a header name that cannot be decoded."""
    with monkeypatch.context() as patched:
        for module in (message_accumulator, aiokafka_producer):
            patched.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        producer = kafka.plain_producer(runtime.settings, client_id="careless")
        await producer.start()
        topic = runtime.settings.kafka_namespace + TARGETING_COMMANDS.name
        waiting = []
        for i, command in enumerate(batch):
            key, headers, value = record_of(command)
            bad = [(NoText("x"), b"1")] if i == 1 else []
            waiting.append(await producer.send(topic, value, key=key, headers=headers + bad))
        await producer.flush()
        for sent in waiting:
            await sent
        await producer.stop()


async def test_an_undecodable_batch_is_a_dead_letter_and_what_comes_after_it_is_handled(
    counted: tuple[Runtime, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, seen = counted
    story = commands(10)
    before, poisoned, after = story[:3], story[3:7], story[7:]
    await send(runtime, *before)
    await send_poison(runtime, monkeypatch, poisoned)
    await send(runtime, *after, *commands(5))
    async with running(runtime):
        wanted = {str(one.targeting_id) for one in (*before, *after)}
        await eventually(lambda: wanted <= set(seen))
        row = await eventually(
            lambda: runtime.pool.fetchrow("SELECT topic, reason, kafka_offset FROM dead_letters")
        )
        assert row["topic"] == TARGETING_COMMANDS.name
        assert "a header's name is no UTF-8 text" in row["reason"]
        assert len(seen) == len(set(seen)), "nothing was handled twice"
        again = commands(2)
        await send(runtime, *again)
        await eventually(lambda: {str(one.targeting_id) for one in again} <= set(seen))
        assert await runtime.pool.fetchval("SELECT count(*) FROM dead_letters") == 1
