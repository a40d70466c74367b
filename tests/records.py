"""Messages as Kafka records, the way a client outside the outbox sends them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shared import kafka
from shared.settings import Settings
from tests.waiting import PATIENCE
from topics.cloudevents import as_kafka_headers, encode_headers
from topics.message import Message
from topics.names import Topic


def record_of(
    message: Message, *, message_id: str | None = None, source: str = "/test"
) -> tuple[bytes, list[tuple[str, bytes]], bytes]:
    """Return a message's record key, headers and value."""
    key = message.partition_key
    headers = encode_headers(
        message=message,
        key=key,
        source=source,
        message_id=message_id or str(uuid4()),
        time=datetime.now(UTC).isoformat(),
    )
    return key.encode(), as_kafka_headers(headers), message.model_dump_json().encode()


async def records_of(settings: Settings, topic: Topic) -> list[Any]:
    """Return all records that a topic holds, as the client has them."""
    client = kafka.reader(settings, [topic.name])
    await client.start()
    try:
        ends = await client.end_offsets(client.assignment())
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE):
            # Not by number: a transaction's end takes an offset too.
            while any([await client.position(part) < end for part, end in ends.items()]):
                for some in (await client.getmany(timeout_ms=100)).values():
                    found += some
        return found
    finally:
        await client.stop()
