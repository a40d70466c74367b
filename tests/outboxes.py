"""What waits in a service's outbox, for tests that run without a relay."""

from __future__ import annotations

from typing import TypeVar

from shared.outbox import OutboxRow, unpack
from shared.producer import unpack_headers
from shared.service import Runtime
from topics.cloudevents import decode_envelope, decode_message
from topics.message import Message

M = TypeVar("M", bound=Message)


async def outbox_of(runtime: Runtime) -> list[OutboxRow]:
    """Return the records that wait, in order."""
    rows = await runtime.pool.fetch("SELECT topic, key, headers, value FROM outbox ORDER BY seq")
    return [one for row in rows for one in unpack(OutboxRow(**dict(row)))]


async def emitted_by(runtime: Runtime, kind: type[M]) -> list[M]:
    """Return the messages of a type that wait, in order."""
    found = []
    for row in await outbox_of(runtime):
        envelope = decode_envelope(unpack_headers(row.headers), row.value)
        if envelope.type == kind.ce_type:
            message = decode_message(envelope)
            assert isinstance(message, kind)
            found.append(message)
    return found
