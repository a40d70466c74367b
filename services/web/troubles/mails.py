"""The rows of mails to supervisors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.database import Connection
from shared.ids import new_id
from topics.workflows import Trouble, TroubleCleared, TroubleRaised

GOOD_FOR: Final = timedelta(days=1)
"""What is older is no news: it is not written any more."""
CUT_OFF: Final = timedelta(minutes=10)
"""Whoever began an attempt this long ago is gone; whether the mail left, nobody knows."""
KEPT: Final = timedelta(days=31)

_RAISE: Final = """
INSERT INTO trouble_mails (mail_id, name, trouble, since, operator_id, over, names, error, told_at,
                           next_at)
VALUES ($1, $2, $3, $4, $5, false, $6, $7, $8, $8)
ON CONFLICT (name, trouble, since, operator_id, over) DO NOTHING
"""
_USUAL: Final = "SELECT operator_id FROM operators WHERE active AND roles && $1::text[]"
_DROP: Final = """
DELETE FROM trouble_mails
WHERE name = $1 AND trouble = $2 AND since = $3 AND NOT over
  AND outcome IS NULL AND attempted_at IS NULL
"""
_CLEAR: Final = """
INSERT INTO trouble_mails (mail_id, name, trouble, since, operator_id, over, names, told_at,
                           next_at)
SELECT gen_random_uuid(), name, trouble, since, operator_id, true, names, $4, $4
FROM trouble_mails
WHERE name = $1 AND trouble = $2 AND since = $3 AND NOT over
  AND outcome IS DISTINCT FROM 'refused' AND outcome IS DISTINCT FROM 'given_up'
ON CONFLICT (name, trouble, since, operator_id, over) DO NOTHING
"""
_LATE: Final = """
INSERT INTO seen_late (service, since) VALUES ($1, $2)
ON CONFLICT (service) DO UPDATE SET since = excluded.since
"""
_LOST: Final = """
UPDATE trouble_mails SET outcome = 'ambiguous'
WHERE outcome IS NULL AND attempted_at < $1
"""
# Nothing of before a restore leaves after it: Slack tells of it once a person starts it.
_TAKE: Final = """
UPDATE trouble_mails m SET attempted_at = $1, attempts = attempts + 1
FROM accounts a
WHERE m.mail_id = (
    SELECT mail_id FROM trouble_mails
    WHERE outcome IS NULL AND attempted_at IS NULL AND next_at <= $1 AND told_at > $2
      AND told_at > coalesce((SELECT restored_at FROM instance), '-infinity')
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  AND a.operator_id = m.operator_id
RETURNING m.mail_id, m.name, m.trouble, m.since, m.over, m.names, m.error, m.attempts,
          a.email, a.language, a.active
"""
_AGAIN: Final = """
UPDATE trouble_mails SET attempted_at = NULL, next_at = $2, answer = $3 WHERE mail_id = $1
"""
_END: Final = "UPDATE trouble_mails SET outcome = $2, answer = $3 WHERE mail_id = $1"
_FORGET: Final = "DELETE FROM trouble_mails WHERE told_at < $1"


@dataclass(frozen=True, slots=True)
class TroubleMail:
    """A mail to one supervisor, in hand; ``over`` says that all is well again."""

    mail_id: UUID
    name: str
    trouble: Trouble
    since: datetime
    over: bool
    names: tuple[str, ...]
    error: str
    attempts: int
    email: str
    language: str
    active: bool


class TroubleMails:
    """Mails to supervisors within one transaction; the caller owns it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def usual(self, roles: Sequence[str]) -> list[UUID]:
        """Return the active operators with one of some roles."""
        return [
            UUID(row["operator_id"]) for row in await self._connection.fetch(_USUAL, list(roles))
        ]

    async def raise_(
        self, event: TroubleRaised, operators: Sequence[UUID], told_at: datetime
    ) -> None:
        """Owe each of some operators a mail, once."""
        await self._connection.executemany(
            _RAISE,
            [
                (
                    new_id(),
                    event.name,
                    event.trouble.value,
                    event.since,
                    operator,
                    list(event.names),
                    event.error,
                    told_at,
                )
                for operator in operators
            ],
        )

    async def clear(self, event: TroubleCleared, told_at: datetime) -> None:
        """Owe a second mail to whom the first may have reached; drop what has not left yet."""
        key = (event.name, event.trouble.value, event.since)
        await self._connection.execute(_DROP, *key)
        await self._connection.execute(_CLEAR, *key, told_at)

    async def late(self, service: str, since: datetime | None) -> None:
        """Keep since when a service is late, for the pages; ``None``: it is back."""
        if since is None:
            await self._connection.execute("DELETE FROM seen_late WHERE service = $1", service)
        else:
            await self._connection.execute(_LATE, service, since)

    async def take(self, now: datetime) -> TroubleMail | None:
        """Begin an attempt at what is due, and return it; what was cut off is settled first."""
        await self._connection.execute(_LOST, now - CUT_OFF)
        await self._connection.execute(_FORGET, now - KEPT)
        row = await self._connection.fetchrow(_TAKE, now, now - GOOD_FOR)
        if row is None:
            return None
        found = dict(row) | {"trouble": Trouble(row["trouble"]), "names": tuple(row["names"])}
        return TroubleMail(**found)

    async def again(self, mail_id: UUID, next_at: datetime, answer: str) -> None:
        """Have a mail tried again at a time."""
        await self._connection.execute(_AGAIN, mail_id, next_at, answer)

    async def end(self, mail_id: UUID, outcome: str, answer: str) -> None:
        """Write what came of a mail; nothing more is tried."""
        await self._connection.execute(_END, mail_id, outcome, answer)
