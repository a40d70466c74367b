"""Slices: what a run sends in bulk, handed out a chunk at a time, called a window at a time.

A window is the attempt of many rows written as one: the positions from ``window_from`` up to
``window_to`` may be called from the moment it commits. Positions before it have their outcome or
wait in the queue; positions after it were never called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.delivery.store.queue import ACTIVE, HELD_BACK, claimed
from services.delivery.store.sending import Claimed
from shared.database import Connection

PER_CHUNK: Final = 10_000
"""Positions a chunk of a snapshot may take; it holds at most 500 members."""

# A ledger just filled has no statistics yet: written so, only the index by position fits, and no
# plan reads the whole run for a window of it.
EMAIL: Final = "(l.channel = 'email') IS TRUE"

_LAST: Final = 2_147_483_647
# Slices that an open wave of run ``r`` reaches; a run that is not sent in waves has no gate.
_OPEN: Final = f"""s.number <= coalesce(r.wave_until / {PER_CHUNK}, {_LAST})
    AND s.window_to < coalesce(r.wave_until, {_LAST})
"""
# Whether a limited run may send a message: asked before any slice of it is claimed, of which it may
# have thousands, each read only to be given back.
_MAY_SEND: Final = """(r.rate_per_minute IS NULL OR tokens
    + coalesce(extract(epoch FROM $1 - tokens_at), 0) * rate_per_minute / 60.0 >= 1)
"""
_ACTIVE_RUNS: Final = f"""
SELECT run_id, rate_per_minute FROM runs r
WHERE kind = 'campaign' AND {ACTIVE} AND {_MAY_SEND} ORDER BY run_id
"""
_DUE: Final = f"""
SELECT EXISTS (
    SELECT 1 FROM runs r WHERE r.kind = 'campaign' AND {ACTIVE} AND {_MAY_SEND} AND coalesce(
        (SELECT true FROM slices s
         WHERE s.run_id = r.run_id AND s.lease_until IS NULL AND s.next_at <= $1 AND {_OPEN}
         LIMIT 1),
        (SELECT true FROM queue q
         WHERE q.run_id = r.run_id AND NOT q.urgent AND q.lease_until IS NULL
           AND q.next_at <= $1 LIMIT 1),
        false))
"""
_ADD: Final = f"""
INSERT INTO slices (run_id, number, next_at, window_from, window_to)
SELECT $1, n, $4, n * {PER_CHUNK}, n * {PER_CHUNK} FROM generate_series($2::int, $3::int - 1) AS n
ON CONFLICT DO NOTHING
"""
_CLAIM: Final = f"""
WITH chosen AS (
    SELECT s.run_id, s.number FROM slices s JOIN runs r ON r.run_id = s.run_id
    WHERE s.run_id = $1 AND s.lease_until IS NULL AND s.next_at <= $2 AND {_OPEN}
    ORDER BY s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED)
UPDATE slices s
SET lease_owner = $3, lease_until = clock_timestamp() + $4 * interval '1 second',
    lease_epoch = s.lease_epoch + 1
FROM chosen c JOIN runs r ON r.run_id = c.run_id
WHERE s.run_id = c.run_id AND s.number = c.number AND {ACTIVE}
RETURNING s.run_id, s.number, s.lease_epoch AS epoch, s.window_to AS start, r.rate_per_minute,
    r.wave_until
"""
_ROWS: Final = f"""
SELECT l.run_id, l.member_id, l.recipient_key, l.address, l.merge, l.attempts + 1 AS number,
       r.kind, r.template_hash, r.campaign_number, r.campaign_label, r.subject_prefix,
       r.retry_until, l.position
FROM ledger l JOIN runs r ON r.run_id = l.run_id
WHERE l.run_id = $1 AND l.position >= $2 AND l.position < $3
  AND l.outcome = 'pending' AND {EMAIL}
ORDER BY l.position
"""
_HELD: Final = f"""
SELECT r.paused OR r.stop_reason IS NOT NULL OR {HELD_BACK} AS halted, r.rate_per_minute
FROM slices s JOIN runs r ON r.run_id = s.run_id
WHERE s.run_id = $1 AND s.number = $2 AND s.lease_epoch = $3 AND s.lease_owner = $4
FOR UPDATE OF s
"""
_MARK: Final = """
UPDATE slices
SET window_from = $3, window_to = $4, window_at = $5,
    lease_until = clock_timestamp() + $6 * interval '1 second'
WHERE run_id = $1 AND number = $2
"""
_RELEASE: Final = """
UPDATE slices
SET window_from = $3, window_to = $3, next_at = $4, lease_owner = NULL, lease_until = NULL
WHERE run_id = $1 AND number = $2
"""
_SENT: Final = f"""
UPDATE ledger l
SET outcome = 'sent', code = $3, attempts = attempts + 1, outcome_at = $4,
    merge = '{{}}'
WHERE l.run_id = $1 AND l.position >= $5 AND l.position <= $6 AND l.position = ANY ($2::int[])
  AND l.outcome = 'pending' AND {EMAIL}
"""
_EXPIRED: Final = """
SELECT run_id, number, window_from, window_to, window_at, lease_owner FROM slices
WHERE lease_until < clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_DOUBTED: Final = f"""
SELECT l.member_id, l.attempts + 1 AS number FROM ledger l
WHERE l.run_id = $1 AND l.position >= $2 AND l.position < $3
  AND l.outcome = 'pending' AND {EMAIL}
  AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.run_id = l.run_id AND q.member_id = l.member_id)
"""
_IN_FLIGHT: Final = f"""
SELECT (SELECT count(*) FROM queue WHERE run_id = $1 AND lease_until IS NOT NULL)
     + (SELECT coalesce(sum(held.rows), 0) FROM slices s CROSS JOIN LATERAL (
            SELECT count(*) AS rows FROM ledger l
            WHERE l.run_id = s.run_id AND l.outcome = 'pending' AND {EMAIL}
              AND l.position >= s.window_from AND l.position < s.window_to) AS held
        WHERE s.run_id = $1 AND s.lease_until IS NOT NULL)::bigint
"""
_TAKE_BACK: Final = """
UPDATE slices SET window_to = window_from, next_at = $2, lease_owner = NULL, lease_until = NULL
WHERE lease_until IS NOT NULL AND lease_owner = $1
"""
_DROP_FREE: Final = "DELETE FROM slices WHERE run_id = $1 AND lease_until IS NULL"
_TOKENS: Final = """
UPDATE runs
SET tokens = refilled.tokens - least($3, floor(refilled.tokens)), tokens_at = $2
FROM (
    SELECT least(greatest(1, rate_per_minute / 60.0),
                 tokens + coalesce(extract(epoch FROM $2 - tokens_at), 0) * rate_per_minute / 60.0)
           AS tokens
    FROM runs WHERE run_id = $1 FOR UPDATE) AS refilled
WHERE run_id = $1
RETURNING least($3, floor(refilled.tokens))::int AS granted,
          (60.0 / rate_per_minute)::float8 AS seconds_each
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice under lease; ``start`` is the first position not called yet.

    Rows at ``wave_until`` and behind it wait for their wave.
    """

    run_id: UUID
    number: int
    epoch: int
    start: int
    rate_per_minute: int | None = None
    wave_until: int | None = None

    @property
    def end(self) -> int:
        """The position after its last."""
        return (self.number + 1) * PER_CHUNK

    @property
    def until(self) -> int:
        """The position after the last of its open waves."""
        return self.end if self.wave_until is None else min(self.end, self.wave_until)


@dataclass(frozen=True, slots=True)
class Hold:
    """A slice in hand: whether its run is halted, and how fast it may go (messages a minute)."""

    halted: bool
    rate_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A slice whose holder is gone, with the window it had open."""

    run_id: UUID
    number: int
    window_from: int
    window_to: int
    window_at: datetime | None
    lease_owner: str


class SliceStore:
    """Slices, their leases and windows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def due(self, now: datetime) -> bool:
        """Whether a campaign's message may be sent now, in a slice or again."""
        return bool(await self._connection.fetchval(_DUE, now))

    async def active_runs(self, now: datetime) -> list[tuple[UUID, int | None]]:
        """Return the campaign runs whose messages may leave now, each with its rate a minute."""
        rows = await self._connection.fetch(_ACTIVE_RUNS, now)
        return [(row["run_id"], row["rate_per_minute"]) for row in rows]

    async def add(self, run_id: UUID, *, first: int, until: int, at: datetime) -> None:
        """Make slices of chunks ``first`` up to ``until`` (excluded); known ones stay."""
        await self._connection.execute(_ADD, run_id, first, until, at)

    async def claim(
        self, run_id: UUID, now: datetime, *, owner: str, seconds: float
    ) -> Slice | None:
        """Put a run's next free slice under a lease."""
        row = await self._connection.fetchrow(_CLAIM, run_id, now, owner, seconds)
        return Slice(**dict(row)) if row else None

    async def rows(self, part: Slice) -> list[Claimed]:
        """Return a slice's rows that were never called and may be, in order of position."""
        rows = await self._connection.fetch(_ROWS, part.run_id, part.start, part.until)
        return [claimed(row) for row in rows]

    async def held(self, part: Slice, owner: str) -> Hold | None:
        """Lock a slice and return how its run stands; ``None`` when somebody else has it."""
        row = await self._connection.fetchrow(_HELD, part.run_id, part.number, part.epoch, owner)
        return Hold(**dict(row)) if row else None

    async def open_window(
        self, part: Slice, rows: Sequence[Claimed], *, at: datetime, seconds: float
    ) -> None:
        """Write that rows of a locked slice are about to be called."""
        first, last = rows[0].position or 0, rows[-1].position or 0
        await self._connection.execute(
            _MARK, part.run_id, part.number, first, last + 1, at, seconds
        )

    async def release(self, part: Slice, position: int, next_at: datetime) -> None:
        """Give a locked slice back; what begins at ``position`` was never called."""
        await self._connection.execute(_RELEASE, part.run_id, part.number, position, next_at)

    async def finish(self, part: Slice | Abandoned) -> None:
        """Remove a locked slice: all of it was called."""
        await self._connection.execute(
            "DELETE FROM slices WHERE run_id = $1 AND number = $2", part.run_id, part.number
        )

    async def sent(self, rows: Sequence[Claimed], *, code: str, at: datetime) -> None:
        """End rows of one slice as sent at the first attempt, all with one answer."""
        places = [row.position or 0 for row in rows]
        ends = places[0], places[-1]
        await self._connection.execute(_SENT, rows[0].run_id, places, code, at, *ends)

    async def take_back(self, owner: str, at: datetime) -> None:
        """Free what an owner claimed and never called, its window with it."""
        await self._connection.execute(_TAKE_BACK, owner, at)

    async def lock_expired(self, limit: int) -> list[Abandoned]:
        """Return slices whose lease ran out, locked."""
        rows = await self._connection.fetch(_EXPIRED, limit)
        return [Abandoned(**dict(row)) for row in rows]

    async def in_doubt(self, part: Abandoned) -> list[tuple[UUID, int]]:
        """Return the rows of an abandoned window: each member, and the attempt's number."""
        rows = await self._connection.fetch(_DOUBTED, part.run_id, part.window_from, part.window_to)
        return [(row["member_id"], row["number"]) for row in rows]

    async def give_back(self, part: Abandoned, at: datetime) -> None:
        """Free an abandoned slice behind its window."""
        await self._connection.execute(_RELEASE, part.run_id, part.number, part.window_to, at)

    async def in_flight(self, run_id: UUID) -> int:
        """Return how many messages of a run may be in a server's hands right now."""
        count: int = await self._connection.fetchval(_IN_FLIGHT, run_id)
        return count

    async def drop_free(self, run_id: UUID) -> None:
        """Remove a run's slices that nobody holds: nothing of them will leave."""
        await self._connection.execute(_DROP_FREE, run_id)

    async def tokens(self, run_id: UUID, wanted: int, now: datetime) -> tuple[int, float]:
        """Take up to ``wanted`` messages from a run's rate; return how many, and seconds each."""
        row = await self._connection.fetchrow(_TOKENS, run_id, now, wanted)
        assert row is not None, "a run under way is never deleted"
        return row["granted"], row["seconds_each"]
