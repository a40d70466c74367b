"""What is published of a change of status: the change, the latest state, what it did in sum."""

from __future__ import annotations

from collections.abc import Sequence

from services.events_status.activity import note_activity
from services.events_status.domain import Move
from shared.uow import Work
from topics.events import EventState, EventStatusChanged


def announce(work: Work, moves: Sequence[Move]) -> None:
    """Emit changes and the states they lead to; the events' rows are locked by the caller."""
    for one in moves:
        emit_change(work, one)
    for one in {one.event.event_id: one for one in moves}.values():
        emit_state(work, one)
    note_activity(work, moves)


def emit_change(work: Work, one: Move) -> None:
    """Emit one change of status; whoever calls it notes the activity."""
    event = one.event
    work.emit(
        EventStatusChanged(
            event_id=event.event_id,
            event_type=event.event_type,
            before=one.before,
            after=one.after,
            reason=one.reason,
            at=one.at,
            errors=event.errors,
            next_try_at=one.next_try_at,
        )
    )


def emit_state(work: Work, one: Move) -> None:
    """Emit the state that an event's last change in this transaction leads to."""
    event = one.event
    work.emit(
        EventState(
            event_id=event.event_id,
            event_type=event.event_type,
            status=one.after,
            external_id=event.external_id,
            received_at=event.received_at,
            changed_at=one.at,
            version=event.version,
            channel=event.channel,
            queue=event.queue,
        )
    )
