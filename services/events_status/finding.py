"""Events found for the bot: a few of the latest, with every status they had."""

from __future__ import annotations

from typing import Any, Final

from services.events_status.archive.finding import find_archived
from services.events_status.recycling import recyclable
from shared.uow import Work
from topics.events import EventsFound, EventStatus, FindEvents, FoundChange, FoundEvent

MOST: Final = 5
MOST_CHANGES: Final = 10
_FIND: Final = """
SELECT event_id, event_type, queue, status, external_id, received_at, channel, errors,
       CASE WHEN errors > 0 AND status = 'pending' AND isfinite(waits_until) THEN waits_until END
           AS next_try_at
FROM events
WHERE ($1::uuid IS NULL OR event_id = $1) AND ($2::text IS NULL OR recipient_key = $2)
  AND ($3::text IS NULL OR external_id = $3)
ORDER BY seq DESC LIMIT $4
"""
_HISTORY: Final = """
SELECT event_id, after, reason, at FROM event_history
WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id, version
"""


async def find_events(work: Work, search: FindEvents) -> EventsFound:
    """Return what is found by an id, a recipient key or an external id; nothing by none of them."""
    wanted = (search.event_id, search.recipient_key, search.external_id)
    rows, archived = [], []
    if any(wanted):
        rows = await work.connection.fetch(_FIND, *wanted, MOST + 1)
        archived = await find_archived(work.connection, *wanted, limit=MOST + 1 - len(rows))
    shown = rows[:MOST]
    offers = {
        row["event_id"]: (await recyclable(work, row["event_id"])).offers(
            EventStatus.DELIVERY_ERROR, work.now
        )
        for row in shown
        if row["status"] == EventStatus.DELIVERY_ERROR
    }
    changes = await work.connection.fetch(_HISTORY, [row["event_id"] for row in shown])
    return EventsFound(
        search_id=search.search_id,
        actor=search.actor,
        more=len(rows) + len(archived) > MOST,
        events=tuple(
            FoundEvent(
                **dict(row),
                recycles_to=offers.get(row["event_id"], ()),
                history=tuple(
                    FoundChange(
                        status=EventStatus(one["after"]), reason=one["reason"], at=one["at"]
                    )
                    for one in changes
                    if one["event_id"] == row["event_id"]
                )[-MOST_CHANGES:],
            )
            for row in shown
        )
        + tuple(_archived(row) for row in archived[: MOST - len(shown)]),
    )


def _archived(row: Any) -> FoundEvent:
    """Return a purged event: of its history the archive has the end."""
    end = FoundChange(status=EventStatus(row["status"]), reason=row["reason"], at=row["changed_at"])
    return FoundEvent(
        event_id=row["event_id"],
        event_type=row["event_type"],
        queue=row["queue"],
        status=end.status,
        external_id=row["external_id"],
        received_at=row["received_at"],
        channel=row["channel"],
        history=(end,),
        archived=True,
    )
