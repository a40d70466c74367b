"""What came of attempts: the rows they end, the attempts that tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.runs import RunKind
from shared.database import Connection
from topics.delivery import Channel, Outcome

KEYS: Final = "unnest($1::uuid[], $2::uuid[]) AS k (run_id, member_id)"
IGNORE: Final = f"""
UPDATE ledger l
SET outcome = 'ignored', reason = $3, outcome_at = $4, merge = '{{}}'
FROM {KEYS} WHERE l.run_id = k.run_id AND l.member_id = k.member_id
"""
_NUMBERED: Final = "unnest($1::uuid[], $2::uuid[], $3::int[]) AS k (run_id, member_id, number)"
_BEGIN: Final = f"""
UPDATE ledger l SET attempts = k.number
FROM {_NUMBERED}
WHERE l.run_id = k.run_id AND l.member_id = k.member_id AND l.attempts = k.number - 1
"""
_ATTEMPT: Final = f"""
INSERT INTO attempts (run_id, member_id, number, owner, started_at)
SELECT k.run_id, k.member_id, k.number, $4, $5
FROM {_NUMBERED} ON CONFLICT DO NOTHING
"""
_RESULTS: Final = """
unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS k (run_id, member_id, number, verdict, code, outcome, reason)
"""
# What was called ambiguous and then tried again stays so, even if its answer comes after all: it
# may have left twice, and that must remain written. So does what was then taken for sent and, as a
# late answer says, was not: nothing else tells that the row's outcome is an assumption.
_END_ATTEMPTS: Final = f"""
UPDATE attempts a
SET outcome = CASE
        WHEN a.outcome = 'ambiguous' AND (
            EXISTS (SELECT 1 FROM attempts n WHERE n.run_id = a.run_id
                    AND n.member_id = a.member_id AND n.number > a.number)
            OR k.verdict <> 'sent' AND EXISTS (
                SELECT 1 FROM ledger l WHERE l.run_id = a.run_id AND l.member_id = a.member_id
                AND l.outcome = 'sent'))
        THEN a.outcome ELSE k.verdict END,
    code = k.code, ended_at = $8
FROM {_RESULTS}
WHERE a.run_id = k.run_id AND a.member_id = k.member_id AND a.number = k.number
"""
# An attempt whose lease ran out meanwhile may have been called ambiguous: its own outcome, when
# it comes after all, is the truth. A later attempt's row is none of its business.
_END_ROWS: Final = f"""
UPDATE ledger l
SET outcome = k.outcome, reason = k.reason, code = k.code,
    outcome_at = CASE WHEN k.outcome <> 'pending' THEN $8::timestamptz END,
    merge = CASE WHEN k.outcome = 'sent' THEN '{{}}' ELSE l.merge END
FROM {_RESULTS}
WHERE l.run_id = k.run_id AND l.member_id = k.member_id AND l.attempts = k.number
  AND l.outcome IN ('pending', 'ambiguous')
RETURNING l.run_id, l.member_id, l.outcome, l.reason, l.code, l.recipient_key, l.channel
"""
_DEQUEUE: Final = f"""
DELETE FROM queue q USING {KEYS} WHERE q.run_id = k.run_id AND q.member_id = k.member_id
"""
_ENQUEUE: Final = """
INSERT INTO queue (run_id, member_id, urgent, next_at, channel, batch)
SELECT k.run_id, k.member_id, k.urgent AND k.channel = 'email', k.next_at, k.channel, $6
FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::timestamptz[], $5::text[])
    AS k (run_id, member_id, urgent, next_at, channel)
ON CONFLICT (run_id, member_id) DO UPDATE
SET next_at = excluded.next_at, lease_owner = NULL, lease_until = NULL
"""
_PARTS: Final = """
UPDATE attempts a SET parts = k.parts
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::smallint[])
    AS k (run_id, member_id, number, parts)
WHERE a.run_id = k.run_id AND a.member_id = k.member_id AND a.number = k.number
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row under lease: all that its mail needs.

    ``number`` is the attempt's; ``next_at`` is since when a row of the queue was due, and
    ``batch`` whether it waits behind those of real-time events.
    """

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
    position: int | None = None
    channel: Channel = Channel.EMAIL
    next_at: datetime | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt, and what its row becomes; ``parts`` of an SMS, as it was sent."""

    run_id: UUID
    member_id: UUID
    number: int
    kind: RunKind
    verdict: str
    code: str
    outcome: Outcome
    reason: str
    next_at: datetime | None
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A row as it stands after a result was written."""

    run_id: UUID
    member_id: UUID
    outcome: Outcome
    reason: str
    code: str
    recipient_key: str
    channel: Channel


class SendingStore:
    """Attempts and what they end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ignore(self, rows: Sequence[Claimed], reason: str, at: datetime) -> None:
        """End rows that must not be sent: nobody wants them, or nobody can be reached."""
        await self._connection.execute(IGNORE, *keys(rows), reason, at)
        await self._connection.execute(_DEQUEUE, *keys(rows))

    async def begin(
        self,
        run_ids: list[UUID],
        member_ids: list[UUID],
        numbers: list[int],
        owner: str,
        at: datetime,
    ) -> None:
        """Write attempts: before any server is called, or for what was written as a window.

        Known ones are left alone: whoever does not know whether it committed may write again.
        """
        await self._connection.execute(_BEGIN, run_ids, member_ids, numbers)
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
        )
        # Rows first: their locks keep a person from taking for sent, between the two statements,
        # what an attempt says was never called.
        rows = await self._connection.fetch(_END_ROWS, *columns, at)
        await self._connection.execute(_END_ATTEMPTS, *columns, at)
        ended = [_ended(row) for row in rows]
        await self._note_parts([one for one in results if one.parts])
        await self._requeue(results, {(one.run_id, one.member_id): one for one in ended}, at)
        return ended

    async def _requeue(
        self, results: Sequence[Result], ended: dict[tuple[UUID, UUID], Ended], at: datetime
    ) -> None:
        """Put what goes again into the queue, take the rest out of it."""
        changed = [one for one in results if (one.run_id, one.member_id) in ended]
        again = [one for one in changed if one.outcome is Outcome.PENDING]
        gone = [one for one in changed if one.outcome is not Outcome.PENDING]
        if gone:
            await self._connection.execute(_DEQUEUE, *keys(gone))
        if again:
            await self.enqueue(
                *keys(again),
                [one.kind is not RunKind.CAMPAIGN for one in again],
                [one.next_at or at for one in again],
                [ended[one.run_id, one.member_id].channel for one in again],
            )

    async def _note_parts(self, results: Sequence[Result]) -> None:
        if results:
            numbers, parts = [one.number for one in results], [one.parts for one in results]
            await self._connection.execute(_PARTS, *keys(results), numbers, parts)

    async def enqueue(
        self,
        run_ids: list[UUID],
        member_ids: list[UUID],
        urgent: list[bool],
        next_at: list[datetime],
        channels: Sequence[Channel] | None = None,
        *,
        batch: bool = False,
    ) -> None:
        """Put rows into the queue, free for whoever comes when their time has come.

        Without ``channels`` they are e-mails; urgent, which the mail server gets first, is nothing
        else. ``batch``: behind those of real-time events; a row that is in the queue stays so.
        """
        names = [one.value for one in channels or [Channel.EMAIL] * len(run_ids)]
        await self._connection.execute(_ENQUEUE, run_ids, member_ids, urgent, next_at, names, batch)


def _ended(row: asyncpg.Record) -> Ended:
    values = dict(row)
    values["outcome"], values["channel"] = Outcome(values["outcome"]), Channel(values["channel"])
    return Ended(**values)


def keys(rows: Sequence[Claimed] | Sequence[Result]) -> tuple[list[UUID], list[UUID]]:
    """Return the runs and the members of rows, as two columns."""
    return [row.run_id for row in rows], [row.member_id for row in rows]
