"""The tracking log: events as they come, and what tells where a link leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.delivery.domain.runs import RunKind
from services.delivery.domain.tracking import EventKind
from shared.database import Connection

_WRITE: Final = """
WITH new AS (
    INSERT INTO tracking_log (event_id, run_id, member_id, kind, url, at, source, agent,
        is_machine)
    SELECT e.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[],
        $6::timestamptz[], $7::bytea[], $8::text[], $9::boolean[]) AS e
    ON CONFLICT (event_id) DO NOTHING
    RETURNING run_id, kind)
SELECT n.run_id, n.kind, count(*)::int AS events, coalesce(r.kind = 'campaign', false) AS campaign
FROM new n LEFT JOIN runs r ON r.run_id = n.run_id GROUP BY n.run_id, n.kind, r.kind
"""
_OPT_OUT: Final = """
INSERT INTO tracking_log (event_id, run_id, member_id, kind, url, at, source, agent, is_machine)
SELECT $1, l.run_id, l.member_id, $4, $5, $6, ''::bytea, $7, false
FROM ledger l
WHERE l.run_id = $2 AND l.recipient_key = $3 AND l.channel = 'email' AND NOT EXISTS (
    SELECT 1 FROM tracking_log t JOIN ledger own USING (run_id, member_id)
    WHERE t.run_id = $2 AND t.kind = $4 AND own.recipient_key = $3 AND own.channel = 'email')
ORDER BY l.member_id LIMIT 1
RETURNING 1
"""
# The rows stay countable, also as persons; nothing leads from them to anybody any more. The kinds
# are named so that the index over run, kind and member finds a person's rows among a million.
_ERASE: Final = """
WITH gone AS (
    SELECT p.run_id, p.member_id, gen_random_uuid() AS nobody
    FROM unnest($1::uuid[], $2::uuid[]) AS p (run_id, member_id))
UPDATE tracking_log t
SET member_id = gone.nobody,
    source = substring(sha256(t.source || uuid_send(gone.nobody)) FOR 8)
FROM gone
WHERE t.run_id = gone.run_id AND t.kind = ANY ('{1,2,3,4,5,6}'::smallint[])
  AND t.member_id = gone.member_id
"""
_COPY_FILLED: Final = """
INSERT INTO personal_copies (run_id, member_id, merge, kept_at)
SELECT l.run_id, l.member_id, l.merge, $5
FROM snapshot_chunks c
CROSS JOIN LATERAL jsonb_array_elements(c.members) AS m (member)
JOIN ledger l ON l.run_id = $1 AND l.member_id = (m.member ->> 'member_id')::uuid
WHERE c.snapshot_id = $2 AND c.index >= $3 AND c.index < $4
  AND l.channel = 'email' AND l.outcome = 'pending'
ON CONFLICT (run_id, member_id) DO NOTHING
"""
_COPY_MESSAGES: Final = """
INSERT INTO personal_copies (run_id, member_id, merge, kept_at)
SELECT l.run_id, l.member_id, l.merge, $3 FROM ledger l
WHERE l.run_id = ANY ($1::uuid[]) AND l.outcome = 'pending'
  AND (SELECT r.template_hash FROM runs r WHERE r.run_id = l.run_id) = ANY ($2::text[])
ON CONFLICT (run_id, member_id) DO NOTHING
"""
_RUN: Final = """
SELECT run_id, kind, template_hash, campaign_number, campaign_label, asked_at
FROM runs WHERE run_id = $1
"""
_DUE: Final = """
DELETE FROM personal_copies WHERE (run_id, member_id) IN (
    SELECT run_id, member_id FROM personal_copies WHERE kept_at < $1 LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """Something seen of a message; ``source`` tells browsers of one recipient apart."""

    event_id: UUID
    run_id: UUID
    member_id: UUID
    kind: EventKind
    url: int
    at: datetime
    source: bytes
    agent: str
    is_machine: bool


@dataclass(frozen=True, slots=True)
class Written:
    """How many events of a kind were written for a run; whether it is a campaign's."""

    run_id: UUID
    kind: EventKind
    events: int
    campaign: bool


@dataclass(frozen=True, slots=True)
class FollowedRun:
    """What a link needs to know of the run it came with; it never changes once mails leave."""

    run_id: UUID
    kind: RunKind
    template_hash: str | None
    campaign_number: int | None
    campaign_label: str
    asked_at: datetime


class TrackingStore:
    """Events, and the recipients' data that links and mirror pages are made of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def write(self, events: Sequence[TrackingEvent]) -> list[Written]:
        """Write events, each once; return how many were new by run and kind."""
        rows = await self._connection.fetch(
            _WRITE,
            [event.event_id for event in events],
            [event.run_id for event in events],
            [event.member_id for event in events],
            [int(event.kind) for event in events],
            [event.url for event in events],
            [event.at for event in events],
            [event.source for event in events],
            [event.agent for event in events],
            [event.is_machine for event in events],
        )
        return [
            Written(row["run_id"], EventKind(row["kind"]), row["events"], row["campaign"])
            for row in rows
        ]

    async def opted_out(
        self, event_id: UUID, run_id: UUID, recipient_key: str, *, number: int, at: datetime
    ) -> bool:
        """Note that a run's message made its reader opt out; return whether it was the first time.

        Whoever calls has written the consent in this transaction, so two clicks come one by one.
        """
        return bool(
            await self._connection.fetchval(
                _OPT_OUT,
                event_id,
                run_id,
                recipient_key,
                int(EventKind.OPT_OUT),
                number,
                at,
                "opt-out",
            )
        )

    async def run(self, run_id: UUID) -> FollowedRun | None:
        """Return a run as its links need it."""
        row = await self._connection.fetchrow(_RUN, run_id)
        if row is None:
            return None
        values: dict[str, Any] = dict(row)
        return FollowedRun(**values | {"kind": RunKind(values["kind"])})

    async def copy_filled(
        self, run_id: UUID, snapshot_id: UUID, *, chunks: range, at: datetime
    ) -> None:
        """Keep the data of recipients who were just put into a run's ledger."""
        await self._connection.execute(
            _COPY_FILLED, run_id, snapshot_id, chunks.start, chunks.stop, at
        )

    async def copy_messages(
        self, run_ids: Sequence[UUID], template_hashes: Sequence[str], at: datetime
    ) -> None:
        """Keep the data of single messages over some contents."""
        await self._connection.execute(_COPY_MESSAGES, list(run_ids), list(template_hashes), at)

    async def copy(self, run_id: UUID, member_id: UUID) -> dict[str, Any] | None:
        """Return what was kept of a recipient; ``None`` once it is gone."""
        merge: dict[str, Any] | None = await self._connection.fetchval(
            "SELECT merge FROM personal_copies WHERE run_id = $1 AND member_id = $2",
            run_id,
            member_id,
        )
        return merge

    async def recipient_key(self, run_id: UUID, member_id: UUID) -> str | None:
        """Return a recipient's key; ``None`` once the person or the run is forgotten."""
        key: str | None = await self._connection.fetchval(
            "SELECT recipient_key FROM ledger WHERE run_id = $1 AND member_id = $2"
            " AND recipient_key ~ '^[0-9a-f]{32}$'",
            run_id,
            member_id,
        )
        return key

    async def drop_copies(self, *, kept_before: datetime, limit: int) -> int:
        """Forget recipients' data that is too old; return how many rows."""
        return int((await self._connection.execute(_DUE, kept_before, limit)).rpartition(" ")[2])

    async def erase(self, members: Sequence[tuple[UUID, UUID]]) -> int:
        """Forget recipients (run, member): their copies go, their events name nobody."""
        if not members:
            return 0
        columns = [run for run, _ in members], [member for _, member in members]
        copies = await self._connection.execute(
            "DELETE FROM personal_copies p USING unnest($1::uuid[], $2::uuid[])"
            " AS k (run_id, member_id) WHERE p.run_id = k.run_id AND p.member_id = k.member_id",
            *columns,
        )
        events = await self._connection.execute(_ERASE, *columns)
        return sum(int(status.rpartition(" ")[2]) for status in (copies, events))
