"""What went wrong with messages, one row for each thing said of each.

Indicators of a run count from here

- complaints: rows of kind ``complaint`` (reason 8); their ledger rows stay ``sent``;
- what a refusal in the session means, whose ledger row says ``refused_by_server`` alone;
- new quarantines: entries of ``quarantine_journal`` with its ``run_id``.

The ledger row of a bounced message is ``failed`` with the reason's name (``user_unknown``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.delivery.domain.qualification import Qualified
from services.delivery.domain.quarantine import Failure
from services.delivery.domain.runs import RunKind
from shared.database import Connection
from topics.bounces import ErrorReason

MOST_OF_A_MESSAGE: Final = 10
"""Somebody with a token could make up codes without end."""
# The earliest report counts, so that copies in any order leave the same row. A message that was
# sent again since may bounce again: its ledger row is then told once more.
_ADD: Final = f"""
INSERT INTO failures AS f (run_id, member_id, code, recipient_key, channel, kind, reason, severity,
    at, settled)
SELECT k.run_id, k.member_id, k.code, k.recipient_key, k.channel, k.kind, k.reason, k.severity,
       k.at, k.settled
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::smallint[], $8::text[], $9::timestamptz[], $10::boolean[])
    AS k (run_id, member_id, code, recipient_key, channel, kind, reason, severity, at, settled)
WHERE (SELECT count(*) FROM failures o WHERE o.run_id = k.run_id AND o.member_id = k.member_id)
      < {MOST_OF_A_MESSAGE}
ORDER BY k.run_id, k.member_id, k.code
ON CONFLICT (run_id, member_id, code) DO UPDATE
SET at = least(f.at, excluded.at), settled = f.settled AND (excluded.settled OR NOT EXISTS (
    SELECT 1 FROM ledger l WHERE l.run_id = f.run_id AND l.member_id = f.member_id
      AND l.outcome = 'sent' AND l.outcome_at > f.at AND l.outcome_at <= excluded.at))
WHERE excluded.at < f.at OR f.settled AND NOT excluded.settled
RETURNING run_id, member_id, code, (xmax = 0) AS fresh
"""
# A message has one end: the strongest thing said of it. A row that is being sent again right now
# waits for its outcome; one that somebody else holds is told next time.
_SETTLE: Final = """
WITH open AS (
    SELECT DISTINCT ON (run_id, member_id) run_id, member_id, reason, code
    FROM failures WHERE NOT settled
    ORDER BY run_id, member_id, (severity = 'hard') DESC, at, code
), rows AS (
    SELECT l.run_id, l.member_id, o.reason, o.code
    FROM open o JOIN ledger l ON l.run_id = o.run_id AND l.member_id = o.member_id
    WHERE l.outcome IN ('sent', 'ambiguous')
    LIMIT $2 FOR UPDATE OF l SKIP LOCKED
)
UPDATE ledger l
SET outcome = 'failed', reason = ($1::jsonb ->> rows.reason::text), code = rows.code
FROM rows, runs r
WHERE l.run_id = rows.run_id AND l.member_id = rows.member_id AND r.run_id = l.run_id
RETURNING l.run_id, l.member_id, l.reason, r.kind
"""
_SETTLED: Final = """
UPDATE failures f SET settled = true
WHERE NOT f.settled AND NOT EXISTS (
    SELECT 1 FROM ledger l WHERE l.run_id = f.run_id AND l.member_id = f.member_id
      AND l.outcome NOT IN ('failed', 'ignored'))
"""
REASON_NAMES: Final = {str(one.value): one.name.lower() for one in ErrorReason}


@dataclass(frozen=True, slots=True)
class Settled:
    """A message whose ledger row became failed."""

    run_id: UUID
    member_id: UUID
    reason: str
    kind: RunKind


class FailureStore:
    """Failures of messages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, failures: Sequence[tuple[Failure, Qualified]]
    ) -> tuple[set[tuple[UUID, UUID, str]], set[tuple[UUID, UUID, str]]]:
        """Write failures; return the keys of those that are new, and of those that changed."""
        rows = await self._connection.fetch(
            _ADD,
            [one.run_id for one, _ in failures],
            [one.member_id for one, _ in failures],
            [one.code for one, _ in failures],
            [one.recipient_key for one, _ in failures],
            [one.channel.value for one, _ in failures],
            [_kind(one) for one, _ in failures],
            [qualified.reason.value for _, qualified in failures],
            [qualified.severity.value for _, qualified in failures],
            [one.at for one, _ in failures],
            [not _open(one, qualified) for one, qualified in failures],
        )
        keys = [(row["run_id"], row["member_id"], row["code"]) for row in rows]
        fresh = {key for key, row in zip(keys, rows, strict=True) if row["fresh"]}
        return fresh, set(keys) - fresh

    async def settle(self, limit: int) -> list[Settled]:
        """Make ledger rows of bounced messages failed, at most ``limit``; return which."""
        rows = await self._connection.fetch(_SETTLE, REASON_NAMES, limit)
        await self._connection.execute(_SETTLED)
        return [
            Settled(row["run_id"], row["member_id"], row["reason"], RunKind(row["kind"]))
            for row in rows
        ]


def _kind(failure: Failure) -> str:
    if failure.complaint:
        return "complaint"
    return "bounce" if failure.late else "refusal"


def _open(failure: Failure, qualified: Qualified) -> bool:
    """Whether the message's ledger row is still to be told."""
    return failure.late and not failure.complaint and qualified.counts
