"""The addresses that events have for channels other than their own: what recycling needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.events_status.domain import Received
from shared.ids import recipient_key
from shared.uow import Work

_KEEP: Final = """
INSERT INTO event_addresses (event_id, channel, address, recipient_key)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
ON CONFLICT DO NOTHING
"""
_COPY: Final = """
INSERT INTO event_addresses (event_id, channel, address, recipient_key)
SELECT $2::uuid, channel, address, recipient_key FROM event_addresses WHERE event_id = $1
"""


async def keep_addresses(work: Work, events: Sequence[Received]) -> None:
    """Keep the other addresses of events, each found by its own key."""
    others = [(one.event_id, *other) for one in events for other in one.others.items()]
    if not others:
        return
    ids, channels, addresses = zip(*others, strict=True)
    secret = work.settings.secret
    keys = [recipient_key(secret, channel, address) for _, channel, address in others]
    await work.connection.execute(_KEEP, ids, channels, addresses, keys)


async def copy_addresses(work: Work, event: UUID, again: UUID) -> None:
    """Give an event that repeats another the other's further addresses."""
    await work.connection.execute(_COPY, event, again)
