"""Handing rows to servers: claims under a lease, attempts, what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.delivery.domain.runs import Reason, RunKind
from shared.database import Connection
from topics.delivery import Outcome

_DUE: Final = """
SELECT EXISTS (
    SELECT 1 FROM ledger
    WHERE outcome = 'pending' AND channel = 'email' AND lease_until IS NULL AND urgent
      AND next_at <= $1)
OR EXISTS (
    SELECT 1 FROM runs r
    WHERE r.kind <> 'transactional' AND r.state = 'started' AND NOT r.paused
      AND r.stop_reason IS NULL AND EXISTS (
        SELECT 1 FROM ledger l
        WHERE l.run_id = r.run_id AND l.outcome = 'pending' AND l.channel = 'email'
          AND l.lease_until IS NULL AND NOT l.urgent AND l.next_at <= $1))
"""
_ACTIVE: Final = """
SELECT run_id FROM runs
WHERE kind <> 'transactional' AND state = 'started' AND NOT paused AND stop_reason IS NULL
ORDER BY run_id
"""
_ROW: Final = """
SELECT l.run_id, l.member_id, l.recipient_key, l.address, l.merge, l.attempts + 1 AS number,
       r.kind, r.template_hash, r.campaign_number, r.campaign_label, r.subject_prefix,
       r.retry_until
FROM ledger l JOIN runs r ON r.run_id = l.run_id
WHERE l.outcome = 'pending' AND l.channel = 'email' AND l.lease_until IS NULL AND l.next_at <= $1
  AND r.state = 'started' AND NOT r.paused AND r.stop_reason IS NULL
"""
_URGENT: Final = _ROW + " AND l.urgent ORDER BY l.next_at LIMIT $2 FOR UPDATE OF l SKIP LOCKED"
_BULK: Final = (
    _ROW
    + " AND NOT l.urgent AND l.run_id = $3 ORDER BY l.next_at LIMIT $2"
    + " FOR UPDATE OF l SKIP LOCKED"
)
_KEYS: Final = "unnest($1::uuid[], $2::uuid[]) AS k (run_id, member_id)"
_IGNORE: Final = f"""
UPDATE ledger l
SET outcome = 'ignored', reason = $3, outcome_at = $4, merge = '{{}}'
FROM {_KEYS} WHERE l.run_id = k.run_id AND l.member_id = k.member_id
"""
_LEASE: Final = f"""
UPDATE ledger l
SET lease_owner = $3, lease_until = clock_timestamp() + $4 * interval '1 second',
    attempts = attempts + 1
FROM {_KEYS} WHERE l.run_id = k.run_id AND l.member_id = k.member_id
"""
_ATTEMPT: Final = """
INSERT INTO attempts (run_id, member_id, number, owner, started_at)
SELECT k.run_id, k.member_id, k.number, $4, $5
FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS k (run_id, member_id, number)
"""
_RESULTS: Final = """
unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
       $8::timestamptz[])
    AS k (run_id, member_id, number, verdict, code, outcome, reason, next_at)
"""
# What was called ambiguous and then tried again stays so, even if its answer comes after all: it
# may have left twice, and that must remain written.
_END_ATTEMPTS: Final = f"""
UPDATE attempts a
SET outcome = CASE
        WHEN a.outcome = 'ambiguous' AND EXISTS (
            SELECT 1 FROM attempts n WHERE n.run_id = a.run_id AND n.member_id = a.member_id
              AND n.number > a.number)
        THEN a.outcome ELSE k.verdict END,
    code = k.code, ended_at = $9
FROM {_RESULTS}
WHERE a.run_id = k.run_id AND a.member_id = k.member_id AND a.number = k.number
"""
# An attempt whose lease ran out meanwhile may have been called ambiguous: its own outcome, when
# it comes after all, is the truth. A later attempt's row is none of its business.
_END_ROWS: Final = f"""
UPDATE ledger l
SET outcome = k.outcome, reason = k.reason, code = k.code,
    next_at = coalesce(k.next_at, l.next_at), lease_owner = NULL, lease_until = NULL,
    outcome_at = CASE WHEN k.outcome <> 'pending' THEN $9::timestamptz END,
    merge = CASE WHEN k.outcome IN ('sent', 'failed') THEN '{{}}' ELSE l.merge END
FROM {_RESULTS}
WHERE l.run_id = k.run_id AND l.member_id = k.member_id AND l.attempts = k.number
  AND l.outcome IN ('pending', 'ambiguous')
RETURNING l.run_id, l.member_id, l.outcome, l.reason
"""
_EXPIRED: Final = """
SELECT l.run_id, l.member_id, l.attempts AS number, r.kind
FROM ledger l JOIN runs r ON r.run_id = l.run_id
WHERE l.lease_until < clock_timestamp() AND l.outcome = 'pending'
LIMIT $1 FOR UPDATE OF l SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row under lease: all that its mail needs. ``number`` is the attempt's."""

    run_id: UUID
    member_id: UUID
    recipient_key: str
    address: str
    merge: dict[str, Any]
    number: int
    kind: RunKind
    template_hash: str
    campaign_number: int | None
    campaign_label: str
    subject_prefix: str
    retry_until: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt, and what its row becomes."""

    run_id: UUID
    member_id: UUID
    number: int
    kind: RunKind
    verdict: str
    code: str
    outcome: Outcome
    reason: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A row as it stands after a result was written."""

    run_id: UUID
    member_id: UUID
    outcome: Outcome
    reason: str


class SendingStore:
    """Claims and attempts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def due(self, now: datetime) -> bool:
        """Whether any row may be sent now."""
        return bool(await self._connection.fetchval(_DUE, now))

    async def active_runs(self) -> list[UUID]:
        """Return the runs whose messages may leave, in order of id."""
        return [row["run_id"] for row in await self._connection.fetch(_ACTIVE)]

    async def lock_urgent(self, now: datetime, limit: int) -> list[Claimed]:
        """Return due rows of proofs and single messages, locked, oldest first."""
        rows = await self._connection.fetch(_URGENT, now, limit)
        return [_claimed(dict(row)) for row in rows]

    async def lock_bulk(self, run_id: UUID, now: datetime, limit: int) -> list[Claimed]:
        """Return due rows of a campaign's run, locked."""
        rows = await self._connection.fetch(_BULK, now, limit, run_id)
        return [_claimed(dict(row)) for row in rows]

    async def ignore_opted_out(self, rows: Sequence[Claimed], at: datetime) -> None:
        """End rows whose recipients do not want them."""
        await self._connection.execute(_IGNORE, *_keys(rows), Reason.OPTED_OUT.value, at)

    async def lease(
        self, rows: Sequence[Claimed], *, owner: str, seconds: float, at: datetime
    ) -> None:
        """Put rows under a lease and write their attempts, before any server is called."""
        run_ids, member_ids = _keys(rows)
        await self._connection.execute(_LEASE, run_ids, member_ids, owner, seconds)
        numbers = [row.number for row in rows]
        await self._connection.execute(_ATTEMPT, run_ids, member_ids, numbers, owner, at)

    async def end(self, results: Sequence[Result], at: datetime) -> list[Ended]:
        """Write what came of attempts; return the rows that changed."""
        columns = (
            [one.run_id for one in results],
            [one.member_id for one in results],
            [one.number for one in results],
            [one.verdict for one in results],
            [one.code for one in results],
            [one.outcome.value for one in results],
            [one.reason for one in results],
            [one.next_at for one in results],
        )
        await self._connection.execute(_END_ATTEMPTS, *columns, at)
        rows = await self._connection.fetch(_END_ROWS, *columns, at)
        return [
            Ended(row["run_id"], row["member_id"], Outcome(row["outcome"]), row["reason"])
            for row in rows
        ]

    async def lock_expired(self, limit: int) -> list[tuple[UUID, UUID, int, RunKind]]:
        """Return rows whose lease ran out without an outcome, locked."""
        rows = await self._connection.fetch(_EXPIRED, limit)
        return [
            (row["run_id"], row["member_id"], row["number"], RunKind(row["kind"])) for row in rows
        ]


def _keys(rows: Sequence[Claimed]) -> tuple[list[UUID], list[UUID]]:
    return [row.run_id for row in rows], [row.member_id for row in rows]


def _claimed(values: dict[str, Any]) -> Claimed:
    return Claimed(**values | {"kind": RunKind(values["kind"])})
