"""What people do with an event: hold it back, let it go on, have it sent again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.events_status.announcing import announce
from services.events_status.domain import ALLOWED, Tracked, move, processing_of
from services.events_status.store import EventStore
from shared.errors import Refused
from shared.uow import Work
from shared.workflows import wake
from topics.events import EventControl, EventStatus
from topics.outside import Queue, event_id

SOURCE: Final = "/muster/events_status"
AGAIN: Final = frozenset(
    {EventStatus.SENT, EventStatus.IGNORED, EventStatus.DELIVERY_ERROR, EventStatus.EXPIRED}
)
"""What may be sent again; an event that was not covered is never processed again."""
_COPY: Final = """
INSERT INTO events (event_id, source, ce_id, event_type, queue, channel, address, recipient_key,
                    language, external_id, ctx, status, received_at, changed_at, origin, country,
                    email_format, resent_from)
SELECT $2, $3, $4, event_type, queue, channel, address, recipient_key, language, external_id, ctx,
       'pending', $5, $5, origin, country, email_format, event_id
FROM events WHERE event_id = $1
ON CONFLICT DO NOTHING RETURNING queue
"""


async def steer(work: Work, event: UUID, control: EventControl, cause: str, by: str) -> UUID:
    """Do what was asked with an event; return the event it is about: a new one for a resend.

    Args:
        work: the unit of work.
        event: the event.
        control: what is to be done.
        cause: the identity of the asking, so that it is done once.
        by: who asks, for the history.

    Raises:
        Refused: there is no such event, or its status does not allow it.
    """
    found = (await EventStore(work.connection).lock([event])).get(event)
    if found is None:
        raise Refused("there is no such event", field="event_id", code="unknown")
    if control is EventControl.RESEND:
        return await _resend(work, found, cause, by)
    to = EventStatus.PAUSED if control is EventControl.PAUSE else EventStatus.PENDING
    if found.status is to:
        return event
    if to not in ALLOWED[found.status] or found.status is None:
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
        unborn = Tracked(
            again, event.event_type, event.external_id, work.now, None, 0, event.channel
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
