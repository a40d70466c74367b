"""The whole way of a delivery through Kafka, PostgreSQL and the mail catcher."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from services.delivery.app import SERVICE
from services.delivery.invariants import broken
from shared import kafka
from shared.service import Runtime
from tests.conftest import Open
from tests.instances import make_topics
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    member,
    operator,
)
from tests.integration.test_core import running, send
from tests.waiting import PATIENCE, eventually
from topics.cloudevents import decode_envelope, decode_message
from topics.delivery import (
    ApprovalDecided,
    ApprovalRequested,
    Decision,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryPrepared,
    DeliveryProgressed,
    DeliveryStarted,
    ProofSent,
)
from topics.message import Message
from topics.names import (
    APPROVALS_STATE,
    DELIVERY_ACTIVITY,
    DELIVERY_ACTIVITY_CHANGELOG,
    DELIVERY_EVENTS,
    DELIVERY_LOGS,
    HEARTBEATS,
    SUPPLIER_COMMANDS,
    TARGETING_COMMANDS,
    TEMPLATES_STATE,
    WORKFLOWS_EVENTS,
    WORKFLOWS_STATE,
)
from topics.operators import Role

M = TypeVar("M", bound=Message)
EMITTED = (
    *(DELIVERY_EVENTS, APPROVALS_STATE, TEMPLATES_STATE, SUPPLIER_COMMANDS, TARGETING_COMMANDS),
    *(HEARTBEATS, WORKFLOWS_EVENTS, WORKFLOWS_STATE),
    *(DELIVERY_ACTIVITY, DELIVERY_ACTIVITY_CHANGELOG, DELIVERY_LOGS),
)


class Told:
    """What the service says on its events topic."""

    def __init__(self, client: AIOKafkaConsumer, settings_of: Runtime) -> None:
        self._client = client
        self._settings = settings_of.settings
        self.messages: list[Message] = []

    async def until(self, kind: type[M]) -> M:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [one for one in self.messages if isinstance(one, kind)]
                if found:
                    return found[-1]
                await self._more()

    async def _more(self) -> None:
        for records in (await self._client.getmany(timeout_ms=200)).values():
            for raw in records:
                record = kafka.as_record(self._settings, raw)
                envelope = decode_envelope(record.headers, record.value)
                self.messages.append(decode_message(envelope))


@asynccontextmanager
async def listening(runtime: Runtime) -> AsyncIterator[Told]:
    client = kafka.reader(runtime.settings, [DELIVERY_EVENTS.name])
    await client.start()
    try:
        yield Told(client, runtime)
    finally:
        await client.stop()


@pytest.fixture
async def runtime(open_service: Open, catcher: Catcher) -> AsyncIterator[Runtime]:
    found = await open_service(SERVICE, SMTP_PORT=str(catcher.port))
    await make_topics(found.settings, *found.topics, *EMITTED)
    async with running(found):
        yield found


async def test_a_delivery_goes_through_kafka_whatever_comes_first_or_twice(
    runtime: Runtime, catcher: Catcher
) -> None:
    domain = f"{uuid4().hex[:12]}.example"
    addresses = [f"{name}@{domain}" for name in ("a", "b", "c", "B", "d")]
    case = Case([member(address) for address in addresses], domain=domain)
    for chunk in case.chunks:
        await send(runtime, chunk, chunk)
    await send(runtime, operator(MANAGER, Role.MANAGER), operator(REVIEWER, Role.REVIEWER))
    await eventually(lambda: runtime.pool.fetchval("SELECT count(*) = 2 FROM operators"))
    async with listening(runtime) as told:
        await send(runtime, case.template())
        await eventually(lambda: runtime.pool.fetchval("SELECT count(*) FROM templates"))
        prepare = case.prepare()
        await send(runtime, prepare, prepare, ids=["one", "one"])
        case.content_hash = (await told.until(DeliveryPrepared)).content_hash
        await send(runtime, case.proof(), case.proof())
        assert (await told.until(ProofSent)).recipients == 1
        asked = await told.until(ApprovalRequested)
        approve = case.decide(asked, Decision.APPROVE)
        await send(runtime, approve, approve, ids=["click", "click"])
        await told.until(ApprovalDecided)
        await send(runtime, case.start(), case.start())
        end = await told.until(DeliveryFinished)
    assert end.counts == DeliveryCounts(targeted=5, sent=4, ignored=1, emails_sent=4)
    kinds = Counter(type(one) for one in told.messages)
    for once in (ProofSent, ApprovalRequested, ApprovalDecided, DeliveryStarted, DeliveryFinished):
        assert kinds[once] == 1
    progress = [one for one in told.messages if isinstance(one, DeliveryProgressed)]
    assert [one.revision for one in progress] == sorted(one.revision for one in progress)
    got = await catcher.listed()
    assert got[0] == (f"proof@{domain}", "[PROOF 1] Hello Ada")
    assert sorted(got[1:]) == [(f"{name}@{domain}", "Hello Ada") for name in "abcd"]
    assert await runtime.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    async with runtime.pool.acquire() as connection:
        assert await broken(connection) == []
