"""The rows of events: what came in, each status they had, what the delivery said of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from services.events_status.domain import Move, Published, Received, Told, Tracked
from services.events_status.routing import Waiting
from services.events_status.tries import note_again, note_failures
from shared.database import Connection
from topics.delivery import Outcome
from topics.events import EventStatus
from topics.outside import Queue

_TRACKED: Final = (
    "event_id, event_type, external_id, received_at, status, version, channel, errors, queue,"
    " greatest(changed_at, scheduled_at) AS since, greatest(received_at, scheduled_at) AS due_at"
)
_ADD: Final = """
INSERT INTO events (event_id, source, ce_id, event_type, queue, channel, address, recipient_key,
                    language, external_id, ctx, status, version, reason, template_id,
                    template_version, content_hash, received_at, changed_at, origin, country,
                    email_format, scheduled_at, expires_at, waits_until)
SELECT e.event_id, e.source, e.ce_id, e.event_type, e.queue, e.channel, e.address, e.recipient_key,
       e.language, e.external_id, e.ctx, e.status, e.version, e.reason, e.template_id,
       e.template_version, e.content_hash, $1, $1,
       e.origin, e.country, e.email_format, e.scheduled_at, e.expires_at,
       CASE WHEN e.scheduled_at > $1 THEN e.scheduled_at END
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::text[], $14::text[],
            $15::text[], $16::timestamptz[], $17::timestamptz[], $18::text[], $19::bigint[],
            $20::text[], $21::uuid[], $22::integer[], $23::text[])
    WITH ORDINALITY AS e (event_id, source, ce_id, event_type, queue, channel, address,
        recipient_key, language, external_id, ctx, origin, country, email_format, scheduled_at,
        expires_at, status, version, reason, template_id, template_version, content_hash, place)
ORDER BY e.place
ON CONFLICT DO NOTHING RETURNING event_id
"""
_PENDING: Final = f"""
SELECT {_TRACKED}, address, recipient_key, language, ctx, expires_at, email_format
FROM events WHERE queue = $1 AND status = 'pending' AND waits_until IS NULL
ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_RELEASE: Final = """
UPDATE events SET waits_until = NULL WHERE event_id IN (
    SELECT event_id FROM events
    WHERE queue = $1 AND status = 'pending' AND waits_until <= $2
    ORDER BY waits_until LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
_MOVE: Final = """
UPDATE events e
SET status = m.status, version = m.version, reason = m.reason, changed_at = m.at,
    template_id = coalesce(m.template_id, e.template_id),
    template_version = coalesce(m.template_version, e.template_version),
    content_hash = coalesce(m.content_hash, e.content_hash)
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::uuid[],
            $7::integer[], $8::text[])
     AS m (event_id, status, version, reason, at, template_id, template_version, content_hash)
WHERE e.event_id = m.event_id
"""
_HISTORY: Final = """
INSERT INTO event_history (event_id, version, before, after, reason, at)
SELECT * FROM
    unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
"""
_GIVE: Final = """
INSERT INTO event_messages (event_id, template_id, asked_at)
SELECT *, $3::timestamptz FROM unnest($1::uuid[], $2::uuid[])
"""
# An outcome of a message that is not ours, no longer, or of an earlier try, is copied to nothing.
_NOTE: Final = """
INSERT INTO outcomes (event_id, outcome, at, reason, not_taken, copied_at)
SELECT coalesce(r.event_id, told.message_id), outcome, at, reason, not_taken, $6::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::boolean[])
    AS told (message_id, outcome, at, reason, not_taken)
LEFT JOIN event_retries r USING (message_id)
WHERE EXISTS (SELECT 1 FROM event_messages m
              WHERE m.event_id = coalesce(r.event_id, told.message_id))
  AND (r.message_id IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM event_retries l WHERE l.event_id = told.message_id))
ON CONFLICT DO NOTHING RETURNING event_id, outcome, reason, at, not_taken
"""
_TOLD: Final = """
SELECT event_id, outcome, reason, at, not_taken FROM outcomes WHERE copied_at IS NULL
ORDER BY at, event_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_COPIED: Final = """
UPDATE outcomes o SET copied_at = $4
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS told (event_id, outcome, at)
WHERE (o.event_id, o.outcome, o.at) = (told.event_id, told.outcome, told.at)
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that comes in, its recipient's key, and what has become of it at once.

    ``moves`` has its first status, and the next when it was routed in the same transaction.
    """

    event: Received
    recipient_key: str
    moves: Sequence[Move]
    published: Published | None = None


class EventStore:
    """Events of one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, taken: Sequence[Taken], now: datetime) -> set[UUID]:
        """Keep events as they stand, in order; return those that were not known before.

        A known one stays as it is, whatever it says this time.
        """
        events = [one.event for one in taken]
        moves = [one.moves[-1] for one in taken]
        rows = await self._connection.fetch(
            _ADD,
            now,
            [one.event_id for one in events],
            [one.source for one in events],
            [one.ce_id for one in events],
            [one.event_type for one in events],
            [one.queue.value for one in events],
            [one.channel for one in events],
            [one.address for one in events],
            [one.recipient_key for one in taken],
            [one.language for one in events],
            [one.external_id for one in events],
            [one.ctx for one in events],
            [one.origin for one in events],
            [one.country for one in events],
            [one.email_format for one in events],
            [one.scheduled for one in events],
            [one.expiration for one in events],
            [one.after.value for one in moves],
            [one.event.version for one in moves],
            [one.reason for one in moves],
            *_columns([one.published for one in taken]),
        )
        return {row["event_id"] for row in rows}

    async def pending(self, queue: Queue, limit: int) -> list[Waiting]:
        """Return the oldest events of a queue that may be processed, their rows locked."""
        rows = await self._connection.fetch(_PENDING, queue.value, limit)
        return [
            Waiting(
                _tracked(row),
                row["address"],
                row["recipient_key"],
                row["language"],
                row["ctx"],
                row["expires_at"],
                row["email_format"],
            )
            for row in rows
        ]

    async def has_pending(self, queue: Queue) -> bool:
        """Whether a queue has events that may be processed."""
        found = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM events"
            " WHERE queue = $1 AND status = 'pending' AND waits_until IS NULL)",
            queue.value,
        )
        return bool(found)

    async def release_due(self, queue: Queue, now: datetime, limit: int) -> int:
        """Let scheduled events of a queue be processed whose time has come; return how many."""
        status = await self._connection.execute(_RELEASE, queue.value, now, limit)
        return int(status.rpartition(" ")[2])

    async def lock(self, event_ids: Collection[UUID]) -> dict[UUID, Tracked]:
        """Return events by id, their rows locked in the order of their ids."""
        rows = await self._connection.fetch(
            f"SELECT {_TRACKED} FROM events WHERE event_id = ANY ($1::uuid[])"
            " ORDER BY event_id FOR UPDATE",
            list(event_ids),
        )
        return {row["event_id"]: _tracked(row) for row in rows}

    async def move(
        self, moves: Sequence[Move], given: Mapping[UUID, Published] = MappingProxyType({})
    ) -> None:
        """Write changes of status, with their history, in the order given.

        ``given``: what events that get their one message are sent with; its key refuses a second.
        """
        latest = {one.event.event_id: one for one in moves}
        await self._connection.execute(
            _MOVE,
            list(latest),
            [one.after.value for one in latest.values()],
            [one.event.version for one in latest.values()],
            [one.reason for one in latest.values()],
            [one.at for one in latest.values()],
            *_columns([given.get(event_id) for event_id in latest]),
        )
        await self.note_moves(moves, given)
        await note_failures(self._connection, [one for one in moves if one.failed])

    async def note_moves(self, moves: Sequence[Move], given: Mapping[UUID, Published]) -> None:
        """Write the history of changes that stand in the events' rows, and what messages use."""
        if given:
            templates = [one.template_id for one in given.values()]
            await self._connection.execute(_GIVE, list(given), templates, moves[-1].at)
            events = {one.event.event_id: one.event for one in moves}
            await note_again(self._connection, [events[event_id] for event_id in given])
        await self._connection.execute(
            _HISTORY,
            [one.event.event_id for one in moves],
            [one.event.version for one in moves],
            [one.before.value if one.before else None for one in moves],
            [one.after.value for one in moves],
            [one.reason for one in moves],
            [one.at for one in moves],
        )

    async def note(self, told: Sequence[Told], copied_at: datetime | None = None) -> list[Told]:
        """Keep what the delivery said; the same said twice is kept once. Return what was new.

        ``copied_at``: when it is copied, if that is in this transaction.
        """
        rows = await self._connection.fetch(
            _NOTE,
            [one.event_id for one in told],
            [one.outcome.value for one in told],
            [one.at for one in told],
            [one.reason for one in told],
            [one.not_taken for one in told],
            copied_at,
        )
        return [_told(row) for row in rows]

    async def has_told(self) -> bool:
        """Whether the delivery said something that waits to be copied."""
        return bool(
            await self._connection.fetchval(
                # In the index's order: a plan of an empty table that looked through all of it
                # would be kept while it grows.
                "SELECT 1 FROM outcomes WHERE copied_at IS NULL ORDER BY at, event_id LIMIT 1"
            )
        )

    async def told(self, limit: int) -> list[Told]:
        """Return the oldest outcomes not copied yet, their rows locked."""
        rows = await self._connection.fetch(_TOLD, limit)
        return [_told(row) for row in rows]

    async def mark_copied(self, told: Sequence[Told], now: datetime) -> None:
        """Note that outcomes were read by updateEventsStatus."""
        await self._connection.execute(
            _COPIED,
            [one.event_id for one in told],
            [one.outcome.value for one in told],
            [one.at for one in told],
            now,
        )


def _columns(
    published: Sequence[Published | None],
) -> tuple[list[UUID | None], list[int | None], list[str | None]]:
    """Return templates, versions and contents as three columns."""
    return (
        [one.template_id if one else None for one in published],
        [one.version if one else None for one in published],
        [one.content_hash if one else None for one in published],
    )


def _told(row: Any) -> Told:
    return Told(
        row["event_id"], Outcome(row["outcome"]), row["reason"], row["at"], row["not_taken"]
    )


def _tracked(row: Any) -> Tracked:
    return Tracked(
        row["event_id"],
        row["event_type"],
        row["external_id"],
        row["received_at"],
        EventStatus(row["status"]),
        row["version"],
        row["channel"],
        row["since"],
        row["due_at"],
        row["errors"],
        row["queue"],
    )
