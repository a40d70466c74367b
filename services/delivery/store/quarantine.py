"""Where addresses stand, and the journal of what changed it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.delivery.domain.quarantine import BLOCKED, AddressError, Standing
from services.delivery.domain.runs import Reason
from shared.database import Connection
from topics.bounces import AddressStatus, ErrorReason, Severity
from topics.delivery import Channel
from topics.message import Actor

# Two transactions with errors of one new address: the second waits here for the first.
_ENSURE: Final = """
INSERT INTO quarantine (recipient_key, channel, since)
SELECT key, $2, $3 FROM unnest($1::text[]) AS key ORDER BY key
ON CONFLICT (recipient_key, channel) DO NOTHING
"""
_COLUMNS: Final = "recipient_key, status, soft_errors, significant_at, forgotten_at, reason"
_LOCK: Final = f"""
SELECT {_COLUMNS} FROM quarantine WHERE recipient_key = ANY ($1::text[]) AND channel = $2
ORDER BY recipient_key FOR UPDATE
"""
_ERRORS: Final = """
SELECT f.recipient_key, f.at, f.severity, f.reason
FROM failures f
JOIN quarantine q ON q.recipient_key = f.recipient_key AND q.channel = f.channel
WHERE f.recipient_key = ANY ($1::text[]) AND f.channel = $2 AND f.severity <> 'ignored'
  AND (q.released_at IS NULL OR f.at > q.released_at)
"""
_KEEP: Final = """
UPDATE quarantine q
SET status = k.status, soft_errors = k.soft_errors, significant_at = k.significant_at,
    forgotten_at = k.forgotten_at, reason = k.reason,
    since = CASE WHEN q.status = k.status THEN q.since ELSE $8 END
FROM unnest($1::text[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[],
            $7::smallint[])
    AS k (recipient_key, status, soft_errors, significant_at, forgotten_at, reason)
WHERE q.recipient_key = k.recipient_key AND q.channel = $2
"""
_JOURNAL: Final = """
INSERT INTO quarantine_journal (recipient_key, channel, before, after, reason, actor, run_id, at)
SELECT k.recipient_key, $2, k.before, k.after, k.reason, $7, k.run_id, $8
FROM unnest($1::text[], $3::text[], $4::text[], $5::text[], $6::uuid[])
    AS k (recipient_key, before, after, reason, run_id)
"""
_BLOCKED: Final = """
SELECT recipient_key, status FROM quarantine
WHERE recipient_key = ANY ($1::text[]) AND channel = $2 AND status IN ('quarantine', 'denylisted')
"""
_RELEASE: Final = """
UPDATE quarantine
SET status = 'valid', soft_errors = 0, significant_at = NULL, forgotten_at = NULL, reason = 0,
    since = $3, released_at = $3
WHERE recipient_key = $1 AND channel = $2
"""
_FORGET: Final = """
UPDATE quarantine SET status = 'valid', soft_errors = 0, significant_at = NULL,
    forgotten_at = NULL, reason = 0, since = $1
WHERE (recipient_key, channel) IN (
    SELECT recipient_key, channel FROM quarantine
    WHERE status = 'with_errors' AND forgotten_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
_PAGE: Final = """
SELECT recipient_key, channel, status, soft_errors, forgotten_at, reason, since
FROM quarantine
WHERE status = ANY ($1::text[]) AND ($2::text IS NULL OR recipient_key > $2)
ORDER BY recipient_key LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A standing that changed; by a message of ``run_id``, or by a person."""

    recipient_key: str
    before: Standing
    now: Standing
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An address in a list."""

    recipient_key: str
    channel: Channel
    status: AddressStatus
    soft_errors: int
    forgotten_at: datetime | None
    reason: ErrorReason
    since: datetime


class QuarantineStore:
    """Standings of addresses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(
        self, recipient_keys: Collection[str], channel: Channel, at: datetime
    ) -> dict[str, Standing]:
        """Return where addresses stand, new ones too, locked in order of key."""
        keys = sorted(recipient_keys)
        await self._connection.execute(_ENSURE, keys, channel, at)
        rows = await self._connection.fetch(_LOCK, keys, channel)
        return {row["recipient_key"]: _standing(row) for row in rows}

    async def errors(
        self, recipient_keys: Collection[str], channel: Channel
    ) -> dict[str, list[AddressError]]:
        """Return the errors that count for addresses: those since a person released them."""
        found: dict[str, list[AddressError]] = {key: [] for key in recipient_keys}
        for row in await self._connection.fetch(_ERRORS, list(recipient_keys), channel):
            found[row["recipient_key"]].append(
                AddressError(row["at"], Severity(row["severity"]), ErrorReason(row["reason"]))
            )
        return found

    async def keep(self, standings: Mapping[str, Standing], channel: Channel, at: datetime) -> None:
        """Write where locked addresses stand now."""
        values = list(standings.values())
        await self._connection.execute(
            _KEEP,
            list(standings),
            channel,
            [one.status.value for one in values],
            [one.soft_errors for one in values],
            [one.significant_at for one in values],
            [one.forgotten_at for one in values],
            [one.reason.value for one in values],
            at,
        )

    async def journal(
        self,
        changes: Sequence[Change],
        channel: Channel,
        *,
        by: Actor,
        at: datetime,
        why: str | None = None,
    ) -> None:
        """Note changes of status; without a person's ``why``, the error's reason is the reason."""
        await self._connection.execute(
            _JOURNAL,
            [one.recipient_key for one in changes],
            channel,
            [one.before.status.value for one in changes],
            [one.now.status.value for one in changes],
            [why or one.now.reason.name.lower() for one in changes],
            [one.run_id for one in changes],
            by.id,
            at,
        )

    async def blocked(self, recipient_keys: Collection[str], channel: str) -> dict[str, Reason]:
        """Return those of the addresses that nothing may go to, and why."""
        rows = await self._connection.fetch(_BLOCKED, list(recipient_keys), channel)
        return {row["recipient_key"]: Reason(row["status"]) for row in rows}

    async def find(self, recipient_key: str, channel: Channel) -> Standing | None:
        """Return where an address stands, locked; ``None`` when it never had an error."""
        rows = await self._connection.fetch(_LOCK, [recipient_key], channel)
        return _standing(rows[0]) if rows else None

    async def release(self, recipient_key: str, channel: Channel, at: datetime) -> None:
        """Make an address valid; its errors until now count no more."""
        await self._connection.execute(_RELEASE, recipient_key, channel, at)

    async def forget(self, now: datetime, limit: int) -> int:
        """Make addresses valid whose last soft error is long ago; return how many."""
        return int((await self._connection.execute(_FORGET, now, limit)).rpartition(" ")[2])

    async def page(
        self, *, status: AddressStatus | None, after: str | None, limit: int
    ) -> list[Entry]:
        """Return addresses in order of key: of one status, by default all that are blocked."""
        wanted = [status.value] if status else sorted(one.value for one in BLOCKED)
        rows = await self._connection.fetch(_PAGE, wanted, after, limit)
        return [_entry(dict(row)) for row in rows]


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        status=AddressStatus(row["status"]),
        soft_errors=row["soft_errors"],
        significant_at=row["significant_at"],
        forgotten_at=row["forgotten_at"],
        reason=ErrorReason(row["reason"]),
    )


def _entry(values: dict[str, Any]) -> Entry:
    values["channel"] = Channel(values["channel"])
    values["status"] = AddressStatus(values["status"])
    values["reason"] = ErrorReason(values["reason"])
    return Entry(**values)
