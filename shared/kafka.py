"""The one place that knows aiokafka: how its clients are made from the settings."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, ProducerFenced

from shared.settings import Settings

__all__ = ["KafkaError", "ProducerFenced", "Record", "admin", "consumer", "leave", "producer"]

MAX_RECORD_BYTES: Final = 1_000_000
LEAVE_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One Kafka record as the core handles it; from the broker or from a row put aside.

    Compared by identity: two deliveries of the same message are two records.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    headers: Sequence[tuple[str, bytes]]
    value: bytes


def _security(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context()
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def producer(settings: Settings, *, transactional_id: str) -> AIOKafkaProducer:
    """Return a transactional producer; a later one with the same id fences this one."""
    return AIOKafkaProducer(
        **_security(settings),
        client_id=transactional_id,
        transactional_id=settings.kafka_namespace + transactional_id,
        transaction_timeout_ms=10_000,
        acks="all",
        linger_ms=0,
        max_batch_size=262_144,
        request_timeout_ms=15_000,
    )


def plain_producer(settings: Settings, *, client_id: str) -> AIOKafkaProducer:
    """Return an idempotent producer without transactions (event intake acknowledges each)."""
    return AIOKafkaProducer(
        **_security(settings),
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        max_batch_size=262_144,
        request_timeout_ms=15_000,
    )


def consumer(
    settings: Settings,
    topics: Sequence[str],
    *,
    group: str,
    instance: str | None,
    held: Collection[TopicPartition] = (),
) -> AIOKafkaConsumer:
    """Return a consumer of committed records; offsets are committed by the caller.

    Partitions that are ``held`` when they are assigned are not read: a rebalance forgets a pause.

    ``instance`` makes the membership static: a worker that died and is started again takes its
    partitions back without a rebalance; see :func:`leave` for one that is told to stop.
    """
    client = AIOKafkaConsumer(
        **_security(settings),
        client_id=f"{group}-{instance or 'reader'}",
        group_id=settings.kafka_namespace + group,
        group_instance_id=instance,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=max(300, settings.kafka_session_timeout_ms // 4),
        max_poll_interval_ms=300_000,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=4 * MAX_RECORD_BYTES,
        metadata_max_age_ms=60_000,
    )
    if topics:
        names = [settings.kafka_namespace + topic for topic in topics]
        client.subscribe(names, listener=_Holding(client, held))
    return client


class _Holding(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """Pauses partitions as they are assigned."""

    def __init__(self, client: AIOKafkaConsumer, held: Collection[TopicPartition]) -> None:
        self._client = client
        self._held = held

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Do nothing: what is no longer ours is not read."""

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause those that are held."""
        self._client.pause(*(set(assigned) & set(self._held)))


async def leave(client: AIOKafkaConsumer) -> None:
    """Stop a consumer and leave its group, so that others take its partitions at once.

    aiokafka keeps a static member in the group when it stops, for the whole session timeout; as a
    dynamic one it leaves. Its member id goes with the request, so a successor of the same instance,
    who has another, stays.

    Raises:
        TimeoutError: the broker did not answer within ``LEAVE_SECONDS``.
    """
    coordinator = client._coordinator
    if coordinator is not None:
        coordinator._group_instance_id = None
    async with asyncio.timeout(LEAVE_SECONDS):
        await client.stop()


def reader(settings: Settings, topics: Sequence[str]) -> AIOKafkaConsumer:
    """Return a consumer outside any group, from the beginning, for checks and rebuilds."""
    return AIOKafkaConsumer(
        *(settings.kafka_namespace + topic for topic in topics),
        **_security(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client (topics, groups)."""
    client = AIOKafkaAdminClient(**_security(settings), client_id="muster-admin")
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def as_record(settings: Settings, raw: Any) -> Record:
    """Return aiokafka's record as ours, its topic without the instance's namespace."""
    return Record(
        raw.topic.removeprefix(settings.kafka_namespace),
        raw.partition,
        raw.offset,
        _text(raw.key) if raw.key is not None else None,
        raw.headers,
        raw.value or b"",
    )


def _text(key: bytes) -> str:
    """Return a record's key as text a row can hold."""
    return key.decode("utf-8", "replace").replace("\x00", "\ufffd")
