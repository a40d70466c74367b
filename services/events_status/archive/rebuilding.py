"""The archive and the statistics made anew from the topic of states, in bounded pieces.

The rows of events are the truth; their states on Kafka are the copy that outlives a lost table. A
purged event has no state: what the archive and the statistics know of it is their own, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.events_status.archive.accounts import DEFAULT, OWN
from services.events_status.archive.events import ENDS, PUT
from services.events_status.archive.pointers import NOBODY
from services.events_status.domain import DEFAULT_CHANNEL
from services.events_status.statistics import LONGEST_TRANSACTION
from shared import kafka
from shared.database import without_time_limit
from shared.errors import Permanent
from shared.settings import Settings
from shared.uow import UnitOfWork, Work
from topics.cloudevents import decode_envelope, decode_message
from topics.events import EventState

RECORDS: Final = 5_000
CHUNK: Final = 10_000
_KEEP: Final = """
INSERT INTO rebuilt_states AS s (event_id, version, event_type, status, channel, queue, external_id,
                                 received_at, changed_at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::timestamptz[], $9::timestamptz[])
ON CONFLICT (event_id) DO UPDATE
SET version = excluded.version, status = excluded.status, channel = excluded.channel,
    queue = excluded.queue, changed_at = excluded.changed_at
WHERE s.version < excluded.version
"""
_NEXT: Final = """
SELECT event_id FROM rebuilt_states WHERE event_id > $1 ORDER BY event_id OFFSET $2 LIMIT 1
"""
# What a state does not say is taken from the event's row while there is one. An event whose row is
# gone although it has a state was lost: the archive alone answers for it.
_ARCHIVE: Final = f"""
WITH fresh AS (
    SELECT s.event_id, coalesce(e.seq, nextval(pg_get_serial_sequence('events', 'seq'))) AS seq,
           coalesce({OWN}, '{DEFAULT}') AS account, s.event_type,
           coalesce(s.queue, e.queue, 'realtime') AS queue,
           coalesce(s.channel, e.channel, '{DEFAULT_CHANNEL}') AS channel, e.language, e.country,
           e.email_format, e.origin, e.source, e.ce_id, s.external_id,
           nullif(e.recipient_key, '') AS recipient_key, s.status,
           CASE WHEN e.version = s.version THEN e.reason ELSE '' END AS reason, s.version,
           e.template_id, e.template_version, e.resent_from, s.received_at, e.scheduled_at,
           e.expires_at, s.changed_at,
           CASE WHEN e.event_id IS NULL THEN $2::timestamptz END AS purged_at
    FROM rebuilt_states s LEFT JOIN events e USING (event_id)
    WHERE s.event_id > $3::uuid AND s.event_id <= $4::uuid AND s.status = ANY ($5::text[])
), {PUT}
"""
_LINES: Final = """
INSERT INTO archived_deliveries (week, template_id, channel, event_type, status, events)
SELECT week, template_id, channel, event_type, status, count(*) FROM archived_events
GROUP BY 1, 2, 3, 4, 5
"""
_COUNT: Final = f"""
INSERT INTO event_statistics AS c (day, channel, event_type, status, events)
SELECT (s.received_at AT TIME ZONE $1)::date,
       coalesce(s.channel, e.channel, '{DEFAULT_CHANNEL}'), s.event_type, s.status, count(*)
FROM rebuilt_states s LEFT JOIN events e ON s.channel IS NULL AND e.event_id = s.event_id
GROUP BY 1, 2, 3, 4
ON CONFLICT (day, channel, event_type, status) DO UPDATE SET events = excluded.events
"""
_LOOK_AGAIN: Final = """
UPDATE statistics_pointer SET looked_at = least(looked_at, $1), counted_at = $2
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild read and wrote.

    Attributes:
        records: states read from the topic, tombstones included.
        events: events that have a state.
        archived: those that were put into the archive or changed there.
    """

    records: int
    events: int
    archived: int


async def rebuild(
    uow: UnitOfWork, settings: Settings, tell: Callable[[int], None] = lambda _: None
) -> Rebuilt:
    """Make the archive and the statistics anew; nothing is published and no log is touched.

    May run beside the service: what changes meanwhile has a higher version and is counted by the
    next run of agg_messageCenter_full. Broken off, it is begun again from the start. ``tell`` is
    called with the number of records of each piece read.

    Raises:
        KafkaError: the broker does not answer.
    """
    started = uow.clock.now()
    async with uow.begin() as work:
        await work.connection.execute("TRUNCATE rebuilt_states")
    records = await _read_states(uow, settings, tell)
    archived = await _archive(uow)
    async with uow.begin() as work:
        await without_time_limit(work.connection)  # one statement over all lines: whole or not
        events = await _count(work, looked_at=started - LONGEST_TRANSACTION)
        await work.connection.execute("TRUNCATE rebuilt_states")
    return Rebuilt(records, events, archived)


async def _read_states(uow: UnitOfWork, settings: Settings, tell: Callable[[int], None]) -> int:
    client = kafka.reader(settings, [EventState.topic.name])
    await client.start()
    records = 0
    try:
        ends = await client.end_offsets(client.assignment())
        while any([await client.position(part) < end for part, end in ends.items()]):
            fetched = await client.getmany(timeout_ms=500, max_records=RECORDS)
            raws = [raw for part in fetched.values() for raw in part]
            states = latest_states(raws)
            async with uow.begin() as work:
                await _keep(work, states)
            records += len(raws)
            tell(len(raws))
    finally:
        await client.stop()
    return records


def latest_states(raws: Sequence[Any]) -> dict[UUID, EventState | None]:
    """Return the last state of each event in some records, ``None`` of one that was buried.

    What cannot be read is passed by: whoever may write to the topic is Muster itself.
    """
    found: dict[UUID, EventState | None] = {}
    # Those of one key are of one partition, in order.
    for key, raw in {raw.key: raw for raw in raws if raw.key}.items():
        if not raw.value:
            found[UUID(key.decode())] = None
            continue
        try:
            message = decode_message(decode_envelope(raw.headers, raw.value))
        except Permanent:
            continue
        if isinstance(message, EventState):
            found[message.event_id] = message
    return found


async def _keep(work: Work, states: Mapping[UUID, EventState | None]) -> None:
    buried = [event_id for event_id, state in states.items() if state is None]
    if buried:
        await work.connection.execute(
            "DELETE FROM rebuilt_states WHERE event_id = ANY ($1::uuid[])", buried
        )
    some = [state for state in states.values() if state is not None]
    await work.connection.execute(
        _KEEP,
        [one.event_id for one in some],
        [one.version for one in some],
        [one.event_type for one in some],
        [one.status.value for one in some],
        [one.channel for one in some],
        [one.queue for one in some],
        [one.external_id for one in some],
        [one.received_at for one in some],
        [one.changed_at for one in some],
    )


async def _archive(uow: UnitOfWork) -> int:
    """Put the ended ones into the archive, in order of their ids, a chunk a transaction."""
    after, last, archived = NOBODY, UUID(int=2**128 - 1), 0
    while after != last:
        async with uow.begin() as work:
            until = await work.connection.fetchval(_NEXT, after, CHUNK - 1) or last
            zone = work.settings.muster_zone
            archived += await work.connection.fetchval(_ARCHIVE, zone, work.now, after, until, ENDS)
        after = until
    return archived


async def _count(work: Work, *, looked_at: Any) -> int:
    """Count the archive's lines and the statistics from their rows; return how many events."""
    zone = work.settings.muster_zone
    # Whoever counts or archives waits, and goes on from what is written here.
    await work.connection.execute("TRUNCATE archived_deliveries")
    await work.connection.execute(_LINES)
    await work.connection.execute(_LOOK_AGAIN, looked_at, work.now)
    await work.connection.execute("UPDATE event_statistics SET events = 0")
    await work.connection.execute(_COUNT, zone)
    await work.connection.execute("DELETE FROM event_statistics WHERE events = 0 AND purged = 0")
    return int(await work.connection.fetchval("SELECT count(*) FROM rebuilt_states"))
