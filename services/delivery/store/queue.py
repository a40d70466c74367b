"""The queue: rows handed out one by one, for proofs, single messages and second attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.runs import RunKind
from services.delivery.store.sending import KEYS, Claimed, SendingStore, keys
from shared.database import Connection
from topics.delivery import Channel

HELD_BACK: Final = """EXISTS (
    SELECT 1 FROM technical_workflows w
    WHERE w.name = 'deliveryMgt' AND w.status IN ('stopped', 'paused'))"""
"""While deliveryMgt is stopped nothing leaves, so that a restored instance waits for a person."""
ACTIVE: Final = (
    f"r.state = 'started' AND NOT r.paused AND r.stop_reason IS NULL AND NOT {HELD_BACK}"
)
# Asked of each row as it is met: a join would be planned over all runs there are.
_GOES: Final = f"(SELECT {ACTIVE} FROM runs r WHERE r.run_id = q.run_id)"
# Each kind by itself: the queue's indexes are read from its first due row.
_DUE: Final = " OR ".join(
    f"""EXISTS (
    SELECT 1 FROM queue q
    WHERE {{which}} AND {kind} AND q.lease_until IS NULL AND q.next_at <= $1 AND {_GOES})"""
    for kind in ("NOT q.batch", "q.batch")
)
_DUE_BULK: Final = """
SELECT EXISTS (SELECT 1 FROM queue
               WHERE NOT urgent AND run_id = $1 AND lease_until IS NULL AND next_at <= $2)
"""
# The oldest rows first, by the queue's index, and what belongs to them row by row: whatever the
# planner believes of tables whose statistics are old, no claim reads more than it takes.
_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
    SELECT q.run_id, q.member_id, q.next_at, q.channel, q.batch FROM queue q
    WHERE {{which}} AND q.lease_until IS NULL AND q.next_at <= $1 AND {_GOES}
    ORDER BY q.next_at LIMIT $2 FOR UPDATE OF q SKIP LOCKED)
SELECT l.run_id, l.member_id, l.recipient_key, l.address, l.merge, l.attempts + 1 AS number,
       r.kind, r.template_hash, r.campaign_number, r.campaign_label, r.subject_prefix,
       r.retry_until, d.channel, d.next_at, d.batch
FROM due d
CROSS JOIN LATERAL (
    SELECT * FROM ledger l WHERE l.run_id = d.run_id AND l.member_id = d.member_id OFFSET 0) l
CROSS JOIN LATERAL (SELECT * FROM runs r WHERE r.run_id = d.run_id OFFSET 0) r
ORDER BY d.next_at
"""
_OF_URGENT: Final = "q.urgent"
# By channel: SMS and webhooks of single messages, whose claim touches no row of an e-mail.
_OF_CHANNEL: Final = "q.channel = {} AND q.channel <> 'email'"
_DUE_URGENT: Final = "SELECT " + _DUE.format(which=_OF_URGENT)
_DUE_CHANNEL: Final = "SELECT " + _DUE.format(which=_OF_CHANNEL.format("$2"))
_URGENT: Final = _CLAIM.format(which=f"{_OF_URGENT} AND q.batch = $3")
_CHANNEL: Final = _CLAIM.format(which=f"{_OF_CHANNEL.format('$4')} AND q.batch = $3")
_BULK: Final = _CLAIM.format(which="NOT q.urgent AND q.run_id = $3")
_LEASE: Final = f"""
UPDATE queue q
SET lease_owner = $3, lease_until = clock_timestamp() + $4 * interval '1 second'
FROM {KEYS} WHERE q.run_id = k.run_id AND q.member_id = k.member_id
"""
_TAKE_BACK: Final = """
WITH freed AS (
    UPDATE queue SET lease_owner = NULL, lease_until = NULL
    WHERE lease_until IS NOT NULL AND lease_owner = $1 RETURNING run_id, member_id)
UPDATE attempts a SET outcome = 'released', ended_at = $2
FROM freed f
WHERE a.run_id = f.run_id AND a.member_id = f.member_id AND a.outcome = 'open' AND a.owner = $1
"""
_EXPIRED: Final = """
SELECT q.run_id, q.member_id, l.attempts AS number, r.kind, q.channel
FROM queue q
JOIN ledger l ON l.run_id = q.run_id AND l.member_id = q.member_id
JOIN runs r ON r.run_id = q.run_id
WHERE q.lease_until < clock_timestamp()
LIMIT $1 FOR UPDATE OF q SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """A row whose holder is gone: nobody knows what came of its attempt."""

    run_id: UUID
    member_id: UUID
    number: int
    kind: RunKind
    channel: Channel = Channel.EMAIL


class QueueStore:
    """Rows that wait for an attempt of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def urgent_due(self, now: datetime) -> bool:
        """Whether a proof, a seed's or a single message may be sent now."""
        return bool(await self._connection.fetchval(_DUE_URGENT, now))

    async def bulk_due(self, run_id: UUID, now: datetime) -> bool:
        """Whether a row of a campaign's run may go again now."""
        return bool(await self._connection.fetchval(_DUE_BULK, run_id, now))

    async def lock_urgent(self, now: datetime, limit: int) -> list[Claimed]:
        """Return due rows of proofs and single messages, locked.

        The oldest first, but none of a batch event before one of a real-time event.
        """
        return await self._real_time_first(_URGENT, now, limit)

    async def channel_due(self, channel: Channel, now: datetime) -> bool:
        """Whether a single message of a further channel may be sent now."""
        return bool(await self._connection.fetchval(_DUE_CHANNEL, now, channel.value))

    async def lock_channel(self, channel: Channel, now: datetime, limit: int) -> list[Claimed]:
        """Return due single messages of a further channel, locked, in the same order."""
        return await self._real_time_first(_CHANNEL, now, limit, channel.value)

    async def _real_time_first(
        self, claim: str, now: datetime, limit: int, *more: str
    ) -> list[Claimed]:
        rows: list[asyncpg.Record] = []
        for batch in (False, True):
            if len(rows) < limit:
                rows += await self._connection.fetch(claim, now, limit - len(rows), batch, *more)
        return [claimed(row) for row in rows]

    async def lock_bulk(self, run_id: UUID, now: datetime, limit: int) -> list[Claimed]:
        """Return due rows of a campaign's run, locked, oldest first."""
        return [claimed(row) for row in await self._connection.fetch(_BULK, now, limit, run_id)]

    async def lease(
        self, rows: Sequence[Claimed], *, owner: str, seconds: float, at: datetime
    ) -> None:
        """Put rows under a lease and write their attempts, before any server is called."""
        await self._connection.execute(_LEASE, *keys(rows), owner, seconds)
        numbers = [row.number for row in rows]
        await SendingStore(self._connection).begin(*keys(rows), numbers, owner, at)

    async def take_back(self, owner: str, at: datetime) -> None:
        """Free what an owner claimed and never called; its attempts were none."""
        await self._connection.execute(_TAKE_BACK, owner, at)

    async def lock_expired(self, limit: int) -> list[Lost]:
        """Return rows whose lease ran out without an outcome, locked."""
        rows = await self._connection.fetch(_EXPIRED, limit)
        return [
            Lost(
                row["run_id"],
                row["member_id"],
                row["number"],
                RunKind(row["kind"]),
                Channel(row["channel"]),
            )
            for row in rows
        ]


def claimed(row: asyncpg.Record) -> Claimed:
    """Return a row as the sender takes it."""
    values: dict[str, Any] = dict(row)
    values["kind"] = RunKind(values["kind"])
    if "channel" in values:  # a slice's rows are e-mails
        values["channel"] = Channel(values["channel"])
    return Claimed(**values)
