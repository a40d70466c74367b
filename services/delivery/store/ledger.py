"""The recipient ledger: filling it from a snapshot, letters, sweeps, totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.delivery.domain.pressure import Window
from services.delivery.domain.runs import REST, Reason
from services.delivery.store.pressure import PRESSED, columns
from services.delivery.store.runs import Run
from services.delivery.store.sending import SendingStore
from services.delivery.store.slices import EMAIL, PER_CHUNK, SliceStore
from shared.database import Connection
from topics.delivery import Channel, DeliveryCounts, Outcome

_REST: Final = ", ".join(f"'{reason}'" for reason in sorted(REST))
LEFT: Final = f"split_part(l.reason, ':', 1) IN ({_REST})"
"""Rows that a run which was ended by an edit leaves to the next one."""
OWN: Final = f"""
l.reason <> '{Reason.EARLIER_RUN}' AND (l.reason = '' OR r.rest IS DISTINCT FROM 'taken'
                                        OR NOT {LEFT})
"""
"""Rows that count for their run ``r``: neither an earlier one's nor taken by a later one."""

_DEALT_WITH: Final = f"""
cardinality($8::uuid[]) > 0 AND EXISTS (
    SELECT 1 FROM ledger l WHERE l.run_id = ANY ($8) AND {{same}} AND NOT {LEFT})
"""
_BY_MEMBER: Final = _DEALT_WITH.format(same="l.member_id = m.member_id")
_BY_ADDRESS: Final = _DEALT_WITH.format(same="l.recipient_key = m.key AND l.channel = 'email'")
_PRESSED: Final = PRESSED.format(
    channel="CASE WHEN m.email IS NULL THEN 'direct_mail' ELSE 'email' END",
    keys="ARRAY[m.key, 'member:' || m.member_id]",
)
# Two members with one address: the first gets the message, the other keeps neither the address
# nor its key, so that the recipient stands once in a run. Where the content goes to doubles as
# well, each row has its member as its twin, and stands once per member. Whom an earlier run ($8)
# has dealt with keeps nothing either. OFFSET has each reason found once, not wherever it is named.
_FILL: Final = f"""
WITH choice AS (
    SELECT coalesce((SELECT send_doubles FROM contents WHERE template_hash = $7), false) AS doubles
), members AS (
    SELECT (m.member ->> 'member_id')::uuid AS member_id, m.member,
           nullif(m.member ->> 'email', '') AS email, m.member ->> 'recipient_key' AS key,
           coalesce((m.member ->> 'opted_out')::boolean, false) AS opted_out,
           (c.index * {PER_CHUNK} + m.place - 1)::int AS position,
           row_number() OVER (PARTITION BY m.member ->> 'recipient_key'
                              ORDER BY c.index, m.place) AS nth
    FROM snapshot_chunks c
    CROSS JOIN LATERAL jsonb_array_elements(c.members) WITH ORDINALITY AS m (member, place)
    WHERE c.snapshot_id = $2 AND c.index >= $3 AND c.index < $4
), sorted AS (
    SELECT m.*, CASE WHEN m.email IS NULL THEN 'direct_mail' ELSE 'email' END AS channel,
           CASE WHEN d.doubles AND m.email IS NOT NULL THEN m.member_id END AS twin,
           CASE WHEN {_BY_MEMBER} THEN '{Reason.EARLIER_RUN}'
                WHEN m.email IS NOT NULL AND NOT d.doubles
                     AND (m.nth > 1 OR l.run_id IS NOT NULL OR {_BY_ADDRESS})
                THEN '{Reason.DOUBLE}'
                WHEN m.opted_out THEN '{Reason.OPTED_OUT}'
                WHEN m.email IS NULL AND NOT $5 THEN '{Reason.NO_ADDRESS}'
                WHEN {_PRESSED} THEN '{Reason.PRESSURE}'
                ELSE '' END AS reason
    FROM members m CROSS JOIN choice d
    LEFT JOIN ledger l
        ON NOT d.doubles AND l.run_id = $1 AND l.recipient_key = m.key AND l.channel = 'email'
    OFFSET 0
)
INSERT INTO ledger (run_id, member_id, recipient_key, channel, outcome, reason, address, merge,
    outcome_at, position, twin)
SELECT $1, member_id,
       CASE WHEN email IS NULL OR reason IN ('{Reason.DOUBLE}', '{Reason.EARLIER_RUN}')
            THEN 'member:' || member_id ELSE key END,
       channel, CASE WHEN reason = '' THEN 'pending' ELSE 'ignored' END, reason,
       CASE WHEN reason = '' THEN email END,
       CASE WHEN reason <> '' THEN '{{}}'::jsonb
            ELSE jsonb_build_object('contact', member - 'site' - 'recipient_key' - 'opted_out'
                    - 'member_id' - 'contact_id' - 'deal_id' - 'kind',
                'site', member -> 'site') END,
       CASE WHEN reason <> '' THEN $6::timestamptz END, position, twin
FROM sorted ORDER BY position
ON CONFLICT (run_id, member_id) DO NOTHING
"""
_ADD: Final = """
INSERT INTO ledger (run_id, member_id, recipient_key, channel, outcome, reason, urgent, address,
    merge, outcome_at)
SELECT r.run_id, r.member_id, r.recipient_key, r.channel, r.outcome, r.reason, true, r.address,
       r.merge, CASE WHEN r.outcome <> 'pending' THEN $8::timestamptz END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
            $9::text[])
    AS r (run_id, member_id, recipient_key, outcome, reason, address, merge, channel)
ON CONFLICT DO NOTHING RETURNING run_id, member_id, outcome, channel
"""
_COUNTS: Final = f"""
SELECT l.channel, l.outcome, l.reason = '{Reason.PRESSURE}' AS pressed, count(*)::int AS rows
FROM ledger l JOIN runs r ON r.run_id = l.run_id
WHERE l.run_id = $1 AND {OWN} GROUP BY 1, 2, 3
"""
_LETTERS: Final = """
SELECT member_id, merge FROM ledger
WHERE run_id = $1 AND channel = 'direct_mail' AND outcome = 'pending'
  AND ($2::uuid IS NULL OR member_id > $2)
ORDER BY member_id LIMIT $3
"""
# What a holder may be calling right now is left to it: its window, and what it leased row by row.
_SWEEP: Final = f"""
WITH chosen AS (
    SELECT run_id, member_id FROM ledger l
    WHERE run_id = $1 AND outcome = 'pending' AND channel = ANY ($2::text[])
      AND NOT EXISTS (SELECT 1 FROM queue q
                      WHERE q.run_id = l.run_id AND q.member_id = l.member_id
                        AND q.lease_until IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM slices s
                      WHERE s.run_id = l.run_id AND s.number = l.position / {PER_CHUNK}
                        AND s.lease_until IS NOT NULL)
    LIMIT $6 FOR UPDATE SKIP LOCKED), dequeued AS (
    DELETE FROM queue q USING chosen c WHERE q.run_id = c.run_id AND q.member_id = c.member_id)
UPDATE ledger l
SET outcome = $3, reason = $4, outcome_at = $5
FROM chosen WHERE l.run_id = chosen.run_id AND l.member_id = chosen.member_id
"""
SWEEP_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row that is written by itself: of a proof, or of a single message."""

    run_id: UUID
    member_id: UUID
    recipient_key: str
    address: str
    merge: dict[str, Any]
    outcome: Outcome = Outcome.PENDING
    reason: str = ""
    channel: Channel = Channel.EMAIL


class LedgerStore:
    """The rows of runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fill(
        self,
        run: Run,
        *,
        until_chunk: int,
        at: datetime,
        earlier: Sequence[UUID] = (),
        windows: Sequence[Window] = (),
    ) -> int:
        """Put a run's next chunks, up to ``until_chunk`` (excluded), into its ledger.

        Whom one of the ``earlier`` runs has dealt with is counted, and gets nothing; nor does
        who has had, or is to get, as much as a rule allows in one of the ``windows``.
        """
        done = await self._connection.execute(
            _FILL,
            run.run_id,
            run.snapshot_id,
            run.next_chunk,
            until_chunk,
            run.supplier_service_id is not None,
            at,
            run.template_hash,
            list(earlier),
            *columns(windows),
        )
        await SliceStore(self._connection).add(
            run.run_id, first=run.next_chunk, until=until_chunk, at=at
        )
        return int(done.rpartition(" ")[2])

    async def add(self, rows: Sequence[NewRow], at: datetime, *, batch: bool = False) -> None:
        """Write single rows, which go before those of campaigns; known ones are left alone.

        ``batch``: behind those of real-time events.
        """
        added = await self._connection.fetch(
            _ADD,
            [row.run_id for row in rows],
            [row.member_id for row in rows],
            [row.recipient_key for row in rows],
            [row.outcome.value for row in rows],
            [row.reason for row in rows],
            [row.address for row in rows],
            [row.merge for row in rows],
            at,
            [row.channel.value for row in rows],
        )
        due = [row for row in added if row["outcome"] == Outcome.PENDING]
        await SendingStore(self._connection).enqueue(
            [row["run_id"] for row in due],
            [row["member_id"] for row in due],
            [True] * len(due),
            [at] * len(due),
            [Channel(row["channel"]) for row in due],
            batch=batch,
        )

    async def counts(self, run_id: UUID) -> DeliveryCounts:
        """Return a run's totals, counted from the rows that are its own."""
        totals = dict.fromkeys(DeliveryCounts.model_fields, 0)
        for row in await self._connection.fetch(_COUNTS, run_id):
            totals[row["outcome"]] += row["rows"]
            totals["targeted"] += row["rows"]
            if row["pressed"]:
                totals["pressure"] += row["rows"]
            if row["outcome"] == Outcome.SENT:
                letter = row["channel"] == Channel.DIRECT_MAIL
                totals["letters_sent" if letter else "emails_sent"] += row["rows"]
        return DeliveryCounts(**totals)

    async def has_all(self, run: Run) -> bool:
        """Whether every member of a run's snapshot still has its row."""
        rows: int = await self._connection.fetchval(
            "SELECT count(*) FROM ledger WHERE run_id = $1", run.run_id
        )
        return rows == run.count

    async def emails_count(self, run_id: UUID) -> int:
        """Return how many e-mails of a run are pending."""
        count: int = await self._connection.fetchval(
            f"SELECT count(*) FROM ledger l WHERE run_id = $1 AND outcome = 'pending' AND {EMAIL}",
            run_id,
        )
        return count

    async def letters_count(self, run_id: UUID) -> int:
        """Return how many letters of a run are pending."""
        count: int = await self._connection.fetchval(
            "SELECT count(*) FROM ledger"
            " WHERE run_id = $1 AND channel = 'direct_mail' AND outcome = 'pending'",
            run_id,
        )
        return count

    async def letters(
        self, run_id: UUID, *, after: UUID | None, limit: int
    ) -> list[tuple[UUID, dict[str, Any]]]:
        """Return pending letters (member, merge data) in order of member, after one of them."""
        rows = await self._connection.fetch(_LETTERS, run_id, after, limit)
        return [(row["member_id"], row["merge"]) for row in rows]

    async def sweep(
        self,
        run_id: UUID,
        *,
        channels: Sequence[Channel],
        outcome: Outcome,
        reason: str,
        at: datetime,
    ) -> int:
        """End pending rows that nobody is sending, at most ``SWEEP_ROWS``; return how many."""
        done = await self._connection.execute(
            _SWEEP,
            run_id,
            [channel.value for channel in channels],
            outcome.value,
            reason,
            at,
            SWEEP_ROWS,
        )
        return int(done.rpartition(" ")[2])
