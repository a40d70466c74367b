"""Recycling: an event whose delivery failed is created anew on another channel, once for each.

Source: Adobe Campaign, Message Center, recycling of events in delivery error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.events_status.announcing import announce
from services.events_status.domain import Move, Tracked, move, processing_of
from services.events_status.rules import RECYCLED_TO, RuleStore
from services.events_status.store import EventStore
from shared.errors import Refused
from shared.uow import Work
from shared.workflows import Step, wake
from topics.events import EventStatus
from topics.outside import Queue, event_id

SOURCE: Final = "/muster/events_status"
RECYCLING: Final = "eventsRecycling"
CHUNK: Final = 200
_READ: Final = """
SELECT e.channel, e.expires_at, e.erased_at, coalesce(e.tried_channels, '{}') AS tried_channels,
       ARRAY(SELECT a.channel FROM event_addresses a WHERE a.event_id = e.event_id) AS others,
       ARRAY(SELECT r.channel FROM events r WHERE r.recycled_from = e.event_id) AS done
FROM events e WHERE e.event_id = $1
"""
_COPY: Final = """
INSERT INTO events (event_id, source, ce_id, event_type, queue, channel, address, recipient_key,
                    language, external_id, ctx, status, received_at, changed_at, origin, country,
                    email_format, expires_at, recycled_from, tried_channels)
SELECT $2, $3, $4, e.event_type, e.queue, a.channel, a.address, a.recipient_key, e.language,
       e.external_id, e.ctx, 'pending', $5, $5, e.origin, e.country, e.email_format, e.expires_at,
       e.event_id, coalesce(e.tried_channels, '{}') || e.channel
FROM events e JOIN event_addresses a USING (event_id)
WHERE e.event_id = $1 AND a.channel = $6
ON CONFLICT DO NOTHING RETURNING queue
"""
# Its old channel's address stays with the new event, so that whoever is forgotten is there too.
_ADDRESSES: Final = """
INSERT INTO event_addresses (event_id, channel, address, recipient_key)
SELECT $2::uuid, channel, address, recipient_key FROM event_addresses
WHERE event_id = $1 AND channel <> $3
UNION ALL
SELECT $2::uuid, channel, address, recipient_key FROM events
WHERE event_id = $1 AND address <> ''
"""
# Whoever works beside takes others; what is taken here is gone when this transaction ends.
_TAKE: Final = """
DELETE FROM recycling_due WHERE event_id IN (
    SELECT event_id FROM recycling_due ORDER BY at, event_id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING event_id
"""
_DUE: Final = """
INSERT INTO recycling_due (event_id, at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Recyclable:
    """What decides whether an event may be recycled, and where to; ``done`` is where it was."""

    channel: str
    expires_at: datetime | None
    erased_at: datetime | None
    tried_channels: tuple[str, ...]
    others: tuple[str, ...]
    done: tuple[str, ...] = ()

    def offers(self, status: EventStatus | None, now: datetime) -> tuple[str, ...]:
        """Return the channels that an event may be recycled to and was not yet."""
        return tuple(
            one
            for one in RECYCLED_TO
            if one not in self.done and self.refusal(status, one, now) is None
        )

    def refusal(self, status: EventStatus | None, to: str, now: datetime) -> Refused | None:
        """Return why an event cannot be recycled to a channel; ``None`` when it can."""
        if to not in RECYCLED_TO:
            return Refused(f"is neither {' nor '.join(RECYCLED_TO)}", field="channel")
        if status is not EventStatus.DELIVERY_ERROR:
            return Refused(f"an event that is {status} is not recycled", field="control")
        if self.erased_at is not None:
            return Refused("its address was erased", field="event_id")
        if self.expires_at is not None and self.expires_at <= now:
            return Refused("its expiration is over", field="event_id")
        return self._no_address(to)

    def _no_address(self, to: str) -> Refused | None:
        if to == self.channel or to in self.tried_channels:
            return Refused(f"it was tried by {to} already", field="channel")
        if to not in self.others:
            return Refused(f"it has no address for {to}", field="channel")
        return None


async def recycle(work: Work, event: Tracked, to: str | None, by: str) -> UUID:
    """Create a locked event anew on a channel; return the new one's id: the same when asked twice.

    Raises:
        Refused: its status, its addresses or what was tried before do not allow it.
    """
    if to is None:
        raise Refused("say which channel it is recycled to", field="channel")
    found = await recyclable(work, event.event_id)
    refusal = found.refusal(event.status, to, work.now)
    if refusal is not None:
        raise refusal
    ce_id = f"{event.event_id}/recycled/{to}"
    again = event_id(SOURCE, ce_id)
    queue = await work.connection.fetchval(
        _COPY, event.event_id, again, SOURCE, ce_id, work.now, to
    )
    if queue is None:
        return again
    await work.connection.execute(_ADDRESSES, event.event_id, again, to)
    unborn = Tracked(again, event.event_type, event.external_id, work.now, None, 0, to)
    reason = f"recycled to {to} from {event.event_id} by {by}"
    born = move(unborn, EventStatus.PENDING, at=work.now, reason=reason)
    await EventStore(work.connection).move([born])
    announce(work, [born])
    await wake(work, processing_of(Queue(queue)))
    return again


async def recyclable(work: Work, event: UUID) -> Recyclable:
    """Return what decides whether an event of this id may be recycled."""
    [row] = await work.connection.fetch(_READ, event)
    return Recyclable(
        row["channel"],
        row["expires_at"],
        row["erased_at"],
        tuple(row["tried_channels"]),
        tuple(row["others"]),
        tuple(row["done"]),
    )


async def note_errors(work: Work, moves: Sequence[Move]) -> None:
    """Leave events that are in delivery error now, of types with that rule, to eventsRecycling."""
    failed = [one.event for one in moves if one.after is EventStatus.DELIVERY_ERROR]
    if not failed:
        return
    ruled = await RuleStore(work.connection).recycled(event.event_type for event in failed)
    due = [event.event_id for event in failed if event.event_type in ruled]
    if due:
        await work.connection.execute(_DUE, due, work.now)
        await wake(work, RECYCLING)


async def recycle_events(work: Work) -> Step:
    """Recycle a chunk of what failed, each as its type's rule is now; the rest stays in error."""
    rows = await work.connection.fetch(_TAKE, CHUNK)
    events = await EventStore(work.connection).lock([row["event_id"] for row in rows])
    ruled = await RuleStore(work.connection).recycled(one.event_type for one in events.values())
    recycled = 0
    for event in events.values():
        to = ruled.get(event.event_type)
        if to is None:
            continue
        found = await recyclable(work, event.event_id)
        if to in found.offers(event.status, work.now):
            await recycle(work, event, to, RECYCLING)
            recycled += 1
    return Step(len(rows), recycled, more=len(rows) == CHUNK)
