"""Messages as Kafka records, the way a client outside the outbox sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from topics.cloudevents import as_kafka_headers, encode_headers
from topics.message import Message


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
