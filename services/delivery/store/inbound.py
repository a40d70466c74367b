"""Inbound mails: kept before they are accepted, read afterwards, removed after a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from shared.database import Connection

_ADD: Final = """
INSERT INTO inbound_mails (digest, way, recipients, raw, received_at)
SELECT k.digest, $1, string_to_array(k.recipients, ' '), k.raw, $2
FROM unnest($3::bytea[], $4::text[], $5::bytea[]) AS k (digest, recipients, raw)
ORDER BY k.digest
ON CONFLICT (digest) DO NOTHING
"""
_NEW: Final = """
SELECT seq, recipients, substring(raw FROM 1 FOR $2) AS raw, received_at FROM inbound_mails
WHERE handled_at IS NULL ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_HANDLED: Final = """
UPDATE inbound_mails m
SET handled_at = $1, kind = k.kind, matched = k.recipient_key <> '',
    recipient_key = nullif(k.recipient_key, '')
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS k (seq, kind, recipient_key)
WHERE m.seq = k.seq
"""
_PURGE: Final = """
DELETE FROM inbound_mails WHERE seq IN (
    SELECT seq FROM inbound_mails WHERE handled_at < $1 ORDER BY handled_at LIMIT $2)
"""
_ROWS: Final = """
SELECT l.run_id, l.member_id, l.recipient_key, coalesce(l.address, '') AS address
FROM unnest($1::uuid[], $2::uuid[]) AS k (run_id, member_id)
JOIN ledger l ON l.run_id = k.run_id AND l.member_id = k.member_id
WHERE l.channel = 'email' AND l.attempts > 0
"""
# A campaign's rows are found by each run's own index, single messages by the person's.
_LATEST: Final = """
SELECT DISTINCT ON (recipient_key) run_id, member_id, recipient_key, address
FROM (
    SELECT l.run_id, l.member_id, l.recipient_key, l.outcome, l.outcome_at, l.channel,
           coalesce(l.address, '') AS address
    FROM runs r JOIN ledger l ON l.run_id = r.run_id AND l.recipient_key = ANY ($1::text[])
    WHERE r.kind <> 'transactional' AND r.state IN ('started', 'finished') AND r.asked_at > $2
    UNION ALL
    SELECT run_id, member_id, recipient_key, outcome, outcome_at, channel, coalesce(address, '')
    FROM ledger WHERE recipient_key = ANY ($1::text[]) AND urgent) l
WHERE l.channel = 'email' AND l.outcome IN ('sent', 'ambiguous', 'failed') AND l.outcome_at > $2
ORDER BY recipient_key, outcome_at DESC, run_id
"""


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail that waits to be read: as much of it as will be."""

    seq: int
    recipients: tuple[str, ...]
    raw: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SentRow:
    """The ledger row of a message that left."""

    run_id: UUID
    member_id: UUID
    recipient_key: str
    address: str


class InboundStore:
    """Inbound mails, and the messages they speak of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, mails: Sequence[tuple[Sequence[str], bytes]], *, way: str, at: datetime
    ) -> int:
        """Keep mails (envelope recipients, bytes); return how many were new.

        The same bytes for the same recipients are one mail, however often a server sends them.
        """
        joined = [" ".join(sorted(recipients)) for recipients, _ in mails]
        status = await self._connection.execute(
            _ADD,
            way,
            at,
            [
                sha256(to.encode("utf-8", "surrogateescape") + b"\0" + raw).digest()
                for to, (_, raw) in zip(joined, mails, strict=True)
            ],
            joined,
            [raw for _, raw in mails],
        )
        return int(status.rpartition(" ")[2])

    async def lock_new(self, limit: int, *, head_bytes: int) -> list[InboundMail]:
        """Return the first bytes of mails nobody has read, oldest first, locked."""
        return [
            InboundMail(row["seq"], tuple(row["recipients"]), row["raw"], row["received_at"])
            for row in await self._connection.fetch(_NEW, limit, head_bytes)
        ]

    async def handled(self, mails: Sequence[tuple[int, str, str]], at: datetime) -> None:
        """Note mails (number, kind, recipient key or nothing) as read."""
        await self._connection.execute(
            _HANDLED,
            at,
            [seq for seq, _, _ in mails],
            [kind for _, kind, _ in mails],
            [key for _, _, key in mails],
        )

    async def purge(self, handled_before: datetime, limit: int) -> int:
        """Remove mails read long ago; return how many."""
        status = await self._connection.execute(_PURGE, handled_before, limit)
        return int(status.rpartition(" ")[2])

    async def rows(self, ids: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], SentRow]:
        """Return the ledger rows of messages (run, member) that were handed to a server."""
        rows = await self._connection.fetch(
            _ROWS, [run_id for run_id, _ in ids], [member_id for _, member_id in ids]
        )
        return {(row["run_id"], row["member_id"]): SentRow(**dict(row)) for row in rows}

    async def latest(self, recipient_keys: Sequence[str], since: datetime) -> dict[str, SentRow]:
        """Return the latest message that went to each address since a time."""
        rows = await self._connection.fetch(_LATEST, list(recipient_keys), since)
        return {row["recipient_key"]: SentRow(**dict(row)) for row in rows}
