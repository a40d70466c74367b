"""Outside events as an outside system sends them, and a stand-in for the delivery service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
from confluent_kafka import Producer

from services.events_status import invariants
from shared import kafka
from shared.http import create_app
from shared.ids import new_id
from shared.kafka import Record
from shared.service import Runtime
from tests.waiting import PATIENCE
from topics.cloudevents import decode_envelope, decode_message
from topics.delivery import MessageOutcome, Outcome, SendMessage
from topics.message import Actor, Message, Via
from topics.names import (
    DELIVERY_BATCH_MESSAGES,
    DELIVERY_MESSAGES,
    EVENTS_ACTIVITY,
    EVENTS_ACTIVITY_CHANGELOG,
    EVENTS_BATCH,
    EVENTS_REALTIME,
    EVENTS_STATE,
    EVENTS_STATUS,
    HEARTBEATS,
    WORKFLOWS_EVENTS,
    WORKFLOWS_STATE,
    Topic,
)
from topics.operators import OperatorState, Role

SOURCE = "/shop/orders"
ADDRESS = "ann.lee@example.org"
KIND = "order.confirmed"
MANAGER, READER, SUPERVISOR = new_id(), new_id(), new_id()
ROLES = {MANAGER: Role.MANAGER, READER: Role.REVIEWER, SUPERVISOR: Role.SUPERVISOR}
WRITTEN = (
    EVENTS_ACTIVITY,
    EVENTS_ACTIVITY_CHANGELOG,
    EVENTS_BATCH,
    EVENTS_STATUS,
    EVENTS_STATE,
    DELIVERY_BATCH_MESSAGES,
    DELIVERY_MESSAGES,
    HEARTBEATS,
    WORKFLOWS_EVENTS,
    WORKFLOWS_STATE,
)


def actor(operator: UUID) -> Actor:
    return Actor(id=str(operator), via=Via.WEB)


async def know_operators(runtime: Runtime) -> None:
    for operator, role in ROLES.items():
        await runtime.execute(
            OperatorState(operator_id=operator, version=1, name=role, roles=(role,))
        )


def binary(ce_id: str, *, kind: str = KIND) -> list[tuple[str, bytes]]:
    names = {"specversion": "1.0", "id": ce_id, "source": SOURCE, "type": kind}
    headers = [(f"ce_{name}", value.encode()) for name, value in names.items()]
    return [*headers, ("content-type", b"application/json")]


def data(address: str = ADDRESS, **more: Any) -> bytes:
    return orjson.dumps({"email": address, "ctx": {"order": "A-17"}} | more)


def structured(ce_id: str, *, kind: str = KIND, **more: Any) -> bytes:
    names = {"specversion": "1.0", "id": ce_id, "source": SOURCE, "type": kind}
    return orjson.dumps(names | {"data": {"email": ADDRESS, "ctx": {}} | more})


STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def record(value: bytes, headers: list[tuple[str, bytes]], *, topic: Topic, offset: int) -> Record:
    return Record(topic.name, 0, offset, None, headers, value)


class Outside:
    """An outside system with a plain confluent-kafka producer."""

    def __init__(self, runtime: Runtime) -> None:
        self._namespace = runtime.settings.kafka_namespace
        self._producer = Producer({"bootstrap.servers": runtime.settings.kafka_bootstrap})

    async def send(
        self,
        value: bytes,
        headers: list[tuple[str, bytes]],
        *,
        topic: Topic = EVENTS_REALTIME,
        key: str | None = None,
    ) -> None:
        self._producer.produce(
            self._namespace + topic.name, value=value, headers=[*headers], key=key or uuid4().hex
        )
        left = await asyncio.to_thread(self._producer.flush, 10)
        assert left == 0

    async def event(
        self, ce_id: str, *, kind: str = KIND, topic: Topic = EVENTS_REALTIME, **more: Any
    ) -> None:
        await self.send(data(**more), binary(ce_id, kind=kind), topic=topic)


async def read_all(runtime: Runtime, *topics: Topic, count: int) -> list[Message]:
    """Return the first ``count`` messages of some topics."""
    client = kafka.reader(runtime.settings, [topic.name for topic in topics])
    await client.start()
    found: list[Message] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                for records in (await client.getmany(timeout_ms=200)).values():
                    found += [
                        decode_message(decode_envelope(one.headers, one.value)) for one in records
                    ]
    finally:
        await client.stop()
    return found


async def asked(runtime: Runtime, count: int) -> list[SendMessage]:
    """Return the messages that the delivery was asked to send."""
    found = await read_all(runtime, DELIVERY_MESSAGES, DELIVERY_BATCH_MESSAGES, count=count)
    return [one for one in found if isinstance(one, SendMessage)]


def outcome_of(
    message: SendMessage, outcome: Outcome, runtime: Runtime, *, reason: str = ""
) -> MessageOutcome:
    return MessageOutcome(
        message_id=message.message_id, outcome=outcome, reason=reason, at=runtime.clock.now()
    )


async def statuses(runtime: Runtime) -> Mapping[str, str]:
    """Return the status of each event by its CloudEvents id."""
    rows = await runtime.pool.fetch("SELECT ce_id, status FROM events ORDER BY seq")
    return {row["ce_id"]: row["status"] for row in rows}


async def counted(runtime: Runtime) -> dict[str, int]:
    """Return how many rows each table of events has."""
    tables = ("events", "event_history", "event_messages", "outcomes")
    return {name: await runtime.pool.fetchval(f"SELECT count(*) FROM {name}") for name in tables}


async def broken(runtime: Runtime) -> list[str]:
    """Return what does not hold of the rows of events."""
    async with runtime.pool.acquire() as connection, connection.transaction():
        zone = runtime.settings.muster_zone
        await connection.execute("SELECT set_config('TimeZone', $1, true)", zone)
        return await invariants.broken(connection)


@asynccontextmanager
async def held_back(runtime: Runtime, workflow: str = "rtEventsProcessing") -> AsyncIterator[None]:
    """Hold back what a workflow does: what comes in meanwhile waits, as behind a long queue."""
    change = "UPDATE technical_workflows SET status = $2 WHERE name = $1"
    await runtime.pool.execute(change, workflow, "stopped")
    yield
    await runtime.pool.execute(change, workflow, "started")


@asynccontextmanager
async def calling(runtime: Runtime, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the service's own routes."""
    transport = httpx.ASGITransport(app=create_app(runtime))
    base = "http://here/api/v1/events_status"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as opened:
        yield opened
