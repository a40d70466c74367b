"""Three brokers: what is acknowledged outlives one of them, and a folder keeps their number."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded.cluster import EmbeddedCluster
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import accepts
from shared import topics_admin
from tests.instances import Instance
from tests.waiting import eventually
from topics.names import HEARTBEATS

TOPIC = "orders"

pytestmark = pytest.mark.long


async def write(cluster: EmbeddedCluster, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.kafka_bootstrap, enable_idempotence=True, acks="all"
    )
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def read(cluster: EmbeddedCluster, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=cluster.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[bytes | None] = []
    try:
        async with asyncio.timeout(60):
            while len(found) < count:
                fetched = await consumer.getmany(timeout_ms=500)
                found += [record.value for part in fetched.values() for record in part]
    finally:
        await consumer.stop()
    return found


async def describe(cluster: EmbeddedCluster, topic: str) -> list[int]:
    """Return how many replicas each partition of a topic has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.kafka_bootstrap)
    await admin.start()
    try:
        [found] = await admin.describe_topics([topic])
        return [len(part["replicas"]) for part in found["partitions"]]
    finally:
        await admin.close()


async def all_in_sync(cluster: EmbeddedCluster) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.kafka_bootstrap)
    await admin.start()
    try:
        [found] = await admin.describe_topics([TOPIC])
        return all(len(part["isr"]) == 3 for part in found["partitions"])
    finally:
        await admin.close()


async def make_topic(cluster: EmbeddedCluster) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 3)])
    finally:
        await admin.close()


@pytest.mark.timeout(240)
async def test_what_three_brokers_acknowledged_outlives_any_one_of_them(tmp_path: Path) -> None:
    cluster = EmbeddedCluster(tmp_path, brokers=3, postgres=False, mail=False)
    try:
        await cluster.start()
        await make_topic(cluster)
        await write(cluster, b"by three")
        await cluster.kill_broker(2)
        await write(cluster, b"by two")
        assert await read(cluster, 2) == [b"by three", b"by two"]
        await cluster.restart_broker(2)
        # Two may not be gone at once: a broker that comes back has first to catch up.
        await eventually(partial(all_in_sync, cluster), seconds=60, what="broker 2 catching up")
        await cluster.kill_broker(3)
        await write(cluster, b"by another two")
        await cluster.start()
        instance = Instance("postgresql://a:b@localhost/c", cluster.kafka_bootstrap, "", "", 0, "")
        await topics_admin.apply(instance.settings(), topics=[HEARTBEATS])
        assert set(await describe(cluster, HEARTBEATS.name)) == {3}
        ports = [port for one in await cluster.status() for port in one.ports.values()]
        same = EmbeddedCluster(tmp_path, postgres=False, mail=False)
        assert all(one.answers for one in await same.status())
    finally:
        await cluster.stop()
    assert len(ports) == 6
    assert not any(map(accepts, ports))
    with pytest.raises(EmbeddedError, match="set up with 3 Kafka brokers, not 1"):
        EmbeddedCluster(tmp_path, brokers=1)
