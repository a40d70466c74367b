"""Ambiguous messages, decided by a person: taken for sent, or sent again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.delivery.store.lists import Lists
from services.delivery.store.runs import RunStore
from services.delivery.store.sending import SendingStore
from services.delivery.wire import AmbiguousView
from shared.database import Connection
from shared.uow import Work
from topics.delivery import Channel, MessageOutcome, Outcome

AT_ONCE: Final = 5_000
_DECIDE: Final = """
WITH chosen AS (
    SELECT l.run_id, l.member_id FROM attempts a
    JOIN ledger l ON l.run_id = a.run_id AND l.member_id = a.member_id AND l.attempts = a.number
    WHERE a.outcome = 'ambiguous' AND l.outcome = 'ambiguous'
      AND ($1::uuid IS NULL OR l.run_id = $1) AND ($2::uuid IS NULL OR l.member_id = $2)
    LIMIT $5 FOR UPDATE OF l)
UPDATE ledger l
SET outcome = $3, outcome_at = CASE WHEN $3 = 'sent' THEN $4::timestamptz END,
    merge = CASE WHEN $3 = 'sent' THEN '{}' ELSE l.merge END
FROM chosen, runs r
WHERE l.run_id = chosen.run_id AND l.member_id = chosen.member_id AND r.run_id = l.run_id
RETURNING l.run_id, l.member_id, r.kind, l.channel
"""


async def listed(
    connection: Connection,
    *,
    run_id: UUID | None = None,
    after: tuple[UUID, UUID] | None = None,
    limit: int = 100,
) -> list[AmbiguousView]:
    """Return ambiguous messages with their addresses, after (run, member) of the page before."""
    return await Lists(connection, addresses=True).ambiguous(
        run_id=run_id, after=after, limit=limit
    )


async def assume_sent(
    work: Work, *, run_id: UUID | None = None, member_id: UUID | None = None
) -> int:
    """Take ambiguous messages for sent, all of a run or one; return how many (at most 5,000)."""
    return await _decide(work, run_id, member_id, Outcome.SENT)


async def resend(work: Work, *, run_id: UUID | None = None, member_id: UUID | None = None) -> int:
    """Send ambiguous messages again under their Message-ID; return how many (at most 5,000).

    A recipient may get such a message twice: its first attempt stays listed as ambiguous.
    """
    return await _decide(work, run_id, member_id, Outcome.PENDING)


async def _decide(work: Work, run_id: UUID | None, member_id: UUID | None, outcome: Outcome) -> int:
    rows = await work.connection.fetch(_DECIDE, run_id, member_id, outcome.value, work.now, AT_ONCE)
    single = [row["run_id"] for row in rows if row["kind"] == "transactional"]
    if outcome is Outcome.SENT:
        for message_id in single:
            work.emit(MessageOutcome(message_id=message_id, outcome=outcome, at=work.now))
    else:
        await SendingStore(work.connection).enqueue(
            [row["run_id"] for row in rows],
            [row["member_id"] for row in rows],
            [row["kind"] != "campaign" for row in rows],
            [work.now] * len(rows),
            [Channel(row["channel"]) for row in rows],
        )
    others = {row["run_id"] for row in rows} - set(single)
    if others:
        await RunStore(work.connection).mark(*others)
    return len(rows)
