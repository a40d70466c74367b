"""What the delivery tells for the archive, kept until the steps of a synchronisation take it over.

A second delivery changes nothing: each row has a key of its own, and of two meanings or standings
the later counts. What is of no event that anybody knows is let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.events_status.domain import Told
from shared.database import Connection
from shared.registry import Registry
from shared.uow import Work
from topics.bounces import AddressQuarantined, AddressReleased, AddressStatus
from topics.logs import AnswersLogged, TrackingLogged

registry: Final = Registry()

_KNOWN: Final = """(
    EXISTS (SELECT 1 FROM event_messages m WHERE m.event_id = told.event_id)
    OR EXISTS (SELECT 1 FROM archived_events a WHERE a.event_id = told.event_id))"""
_QUALIFICATIONS: Final = """
INSERT INTO incoming_qualifications AS q (text, reason, severity, status, at)
SELECT told.*, $5 FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[])
    AS told (text, reason, severity, status) ORDER BY told.text
ON CONFLICT (text) DO UPDATE
SET reason = excluded.reason, severity = excluded.severity, status = excluded.status,
    at = excluded.at
WHERE q.at < excluded.at
"""
# A message that was asked for anew has an id of its own.
_EVENT: Final = """coalesce(
    (SELECT r.event_id FROM event_retries r WHERE r.message_id = told.message_id),
    told.message_id)"""
_ANSWERS: Final = f"""
INSERT INTO incoming_answers (event_id, text, kind, at)
SELECT * FROM (
    SELECT {_EVENT} AS event_id, text, kind, at
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
        AS told (message_id, text, kind, at)) told
WHERE {_KNOWN} ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""
_URLS: Final = """
INSERT INTO incoming_urls (content_hash, number, kind, url, label)
SELECT * FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::text[], $5::text[])
    AS told (content_hash, number, kind, url, label) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
_TRACKING: Final = f"""
INSERT INTO incoming_tracking (tracking_id, event_id, content_hash, number, kind, at, is_machine)
SELECT * FROM (
    SELECT tracking_id, {_EVENT} AS event_id, content_hash, number, kind, at, is_machine
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::smallint[],
                $6::timestamptz[], $7::boolean[])
        AS told (tracking_id, message_id, content_hash, number, kind, at, is_machine)) told
WHERE {_KNOWN} ORDER BY 1
ON CONFLICT DO NOTHING
"""
_QUARANTINE: Final = """
INSERT INTO incoming_quarantine AS q (recipient_key, channel, status, reason, at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (recipient_key, channel) DO UPDATE
SET status = excluded.status, reason = excluded.reason, at = excluded.at
WHERE q.at < excluded.at
"""
_LATE: Final = """
INSERT INTO late_outcomes (event_id, outcome, at, reason)
SELECT told.* FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[])
    AS told (event_id, outcome, at, reason)
JOIN archived_events a ON a.event_id = told.event_id AND a.purged_at IS NOT NULL
WHERE NOT EXISTS (
    SELECT 1 FROM archived_delivery_logs l
    WHERE (l.event_id, l.at, l.outcome) = (told.event_id, told.at, told.outcome))
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""


@registry.on(AnswersLogged)
async def keep_answers(logged: AnswersLogged, work: Work) -> None:
    """Keep what servers said of messages, and what it means."""
    meanings = logged.qualifications
    await work.connection.execute(
        _QUALIFICATIONS,
        [one.text for one in meanings],
        [one.reason.value for one in meanings],
        [one.severity.value for one in meanings],
        [one.status.value for one in meanings],
        logged.at,
    )
    answers = logged.answers
    await work.connection.execute(
        _ANSWERS,
        [one.message_id for one in answers],
        [one.text for one in answers],
        [one.kind.value for one in answers],
        [one.at for one in answers],
    )


@registry.on(TrackingLogged)
async def keep_tracking(logged: TrackingLogged, work: Work) -> None:
    """Keep what was followed of messages, and the links it was."""
    urls, entries = logged.urls, logged.entries
    await work.connection.execute(
        _URLS,
        [one.content_hash for one in urls],
        [one.number for one in urls],
        [one.kind for one in urls],
        [one.url for one in urls],
        [one.label for one in urls],
    )
    await work.connection.execute(
        _TRACKING,
        [one.tracking_id for one in entries],
        [one.message_id for one in entries],
        [one.content_hash for one in entries],
        [one.number for one in entries],
        [one.kind for one in entries],
        [one.at for one in entries],
        [one.is_machine for one in entries],
    )


@registry.on(AddressQuarantined)
async def keep_quarantined(told: AddressQuarantined, work: Work) -> None:
    """Keep that an address gets nothing any more."""
    await work.connection.execute(
        _QUARANTINE, told.recipient_key, told.channel, told.status, told.reason.value, told.at
    )


@registry.on(AddressReleased)
async def keep_released(told: AddressReleased, work: Work) -> None:
    """Keep that a person released an address."""
    await work.connection.execute(
        _QUARANTINE, told.recipient_key, told.channel, AddressStatus.VALID, None, told.at
    )


async def keep_late(connection: Connection, told: Sequence[Told]) -> None:
    """Keep what the delivery says of events that were purged already."""
    await connection.execute(
        _LATE,
        [one.event_id for one in told],
        [one.outcome.value for one in told],
        [one.at for one in told],
        [one.reason for one in told],
    )
