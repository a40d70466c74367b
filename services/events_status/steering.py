"""What people do with an event: hold it back, let it go on, have it sent again or recycled."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from services.events_status.addresses import copy_addresses
from services.events_status.announcing import announce
from services.events_status.domain import Tracked, move, processing_of
from services.events_status.recycling import SOURCE, recycle
from services.events_status.store import EventStore
from shared.errors import Refused
from shared.uow import Work
from shared.workflows import wake
from topics.events import ControlEvent, EventControl, EventStatus
from topics.outside import Queue, event_id

AGAIN: Final = frozenset(
    {EventStatus.SENT, EventStatus.IGNORED, EventStatus.DELIVERY_ERROR, EventStatus.EXPIRED}
)
"""What may be sent again; an event that was not covered is never processed again."""
_STEERED: Final = {
    EventControl.PAUSE: (EventStatus.PENDING, EventStatus.PAUSED),
    EventControl.RESUME: (EventStatus.PAUSED, EventStatus.PENDING),
}
_COPY: Final = """
INSERT INTO events (event_id, source, ce_id, event_type, queue, channel, address, recipient_key,
                    language, external_id, ctx, status, received_at, changed_at, origin, country,
                    email_format, tried_channels, resent_from)
SELECT $2, $3, $4, event_type, queue, channel, address, recipient_key, language, external_id, ctx,
       'pending', $5, $5, origin, country, email_format, tried_channels, event_id
FROM events WHERE event_id = $1
ON CONFLICT DO NOTHING RETURNING queue
"""
MOST_FORGOTTEN: Final = 20_000
_NOTE: Final = """
INSERT INTO event_controls (source, command_id, event_id, control, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING 1
"""
_FORGET: Final = """
DELETE FROM event_controls WHERE (source, command_id) IN (
    SELECT source, command_id FROM event_controls WHERE at < $1 ORDER BY at LIMIT $2)
"""


async def first_time(work: Work, command: ControlEvent) -> bool:
    """Note a control that came as a message; return whether it is its first time.

    Also one that is refused: what it asks may have become possible when it is replayed.
    """
    if work.cause is None:
        return True
    identity = work.cause.source, work.cause.id
    noted = await work.connection.fetchval(
        _NOTE, *identity, command.event_id, command.control.value, work.now
    )
    return bool(noted)


async def forget_controls(work: Work, before: datetime) -> None:
    """Forget controls that no topic holds any more."""
    await work.connection.execute(_FORGET, before, MOST_FORGOTTEN)


async def steer(work: Work, command: ControlEvent, cause: str) -> UUID:
    """Do what was asked with an event; return the event it is about: a new one for a resend.

    Args:
        work: the unit of work.
        command: what is asked, with which event, by whom.
        cause: the identity of the asking, so that it is done once.

    Raises:
        Refused: there is no such event, or its status does not allow it.
    """
    event, control, by = command.event_id, command.control, command.actor.id
    if command.channel is not None and control is not EventControl.RECYCLE:
        raise Refused("it is for recycling only", field="channel")
    found = (await EventStore(work.connection).lock([event])).get(event)
    if found is None:
        raise Refused("there is no such event", field="event_id", code="unknown")
    if control is EventControl.RESEND:
        return await _resend(work, found, cause, by)
    if control is EventControl.RECYCLE:
        return await recycle(work, found, command.channel, by)
    before, to = _STEERED[control]
    if found.status is to:
        return event
    if found.status is not before:
        raise Refused(f"an event that is {found.status} cannot be {control}d", field="control")
    await _move(work, found, to, f"{control} by {by}")
    if to is EventStatus.PENDING:
        await wake(work, processing_of(await _queue(work, event)))
    return event


async def _resend(work: Work, event: Tracked, cause: str, by: str) -> UUID:
    if event.status not in AGAIN:
        raise Refused(f"an event that is {event.status} is not sent again", field="control")
    erased = await work.connection.fetchval(
        "SELECT erased_at IS NOT NULL FROM events WHERE event_id = $1", event.event_id
    )
    if erased:
        raise Refused("its address was erased", field="event_id")
    ce_id = f"{event.event_id}/{cause}"
    again = event_id(SOURCE, ce_id)
    queue = await work.connection.fetchval(_COPY, event.event_id, again, SOURCE, ce_id, work.now)
    if queue is not None:
        await copy_addresses(work, event.event_id, again)
        unborn = Tracked(
            again,
            event.event_type,
            event.external_id,
            work.now,
            None,
            0,
            event.channel,
            queue=queue,
        )
        await _move(work, unborn, EventStatus.PENDING, f"{event.event_id} sent again by {by}")
        await wake(work, processing_of(Queue(queue)))
    return again


async def _queue(work: Work, event: UUID) -> Queue:
    return Queue(
        await work.connection.fetchval("SELECT queue FROM events WHERE event_id = $1", event)
    )


async def _move(work: Work, event: Tracked, to: EventStatus, reason: str) -> None:
    moved = move(event, to, at=work.now, reason=reason)
    await EventStore(work.connection).move([moved])
    announce(work, [moved])
