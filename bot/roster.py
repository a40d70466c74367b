"""What Slack says of people, and the reminders that wait for their hours, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.outgoing import HELD
from bot.teams import HOME
from shared.database import Connection
from topics.delivery import ApprovalState

LEASE: Final = timedelta(seconds=60)
SWEEP: Final = 50
KNOWN_FOR: Final = timedelta(hours=12)
"""How long what Slack says of somebody is believed."""
FRESH_FOR: Final = timedelta(hours=1)
STRANGER_FOR: Final = timedelta(minutes=1)
"""How long nobody asks again about who is no operator: one may be made of them meanwhile."""
_MEET: Final = """
INSERT INTO slack_people (slack_user_id, next_at) SELECT id, $2 FROM unnest($1::text[]) AS id
ON CONFLICT (slack_user_id) DO UPDATE SET next_at = excluded.next_at
WHERE slack_people.checked_at < $3 AND slack_people.attempts = 0
"""
_SWEEP: Final = f"""
WITH due AS (
    SELECT approval_id, revision, number, operator_id FROM reminders
    WHERE done_at IS NULL AND next_at <= $1 AND lease_until <= $1 AND NOT {HELD}
      AND coalesce((SELECT CASE WHEN w.slack_user_id LIKE '%/%'
                                THEN split_part(w.slack_user_id, '/', 1) END
                    FROM operators w WHERE w.operator_id = reminders.operator_id), '') = $4
    ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
UPDATE reminders r SET attempts = r.attempts + 1, lease_until = $2
FROM due d LEFT JOIN approvals a USING (approval_id)
    LEFT JOIN operators o USING (operator_id)
    LEFT JOIN slack_people p ON p.slack_user_id = o.slack_user_id
WHERE (r.approval_id, r.revision, r.number, r.operator_id)
    = (d.approval_id, d.revision, d.number, d.operator_id)
RETURNING r.approval_id, r.revision, r.number, r.operator_id, r.attempts, r.lease_until, a.state,
    o.slack_user_id,
    coalesce(p.zone, '') AS zone,
    EXISTS (SELECT 1 FROM reminders l WHERE l.approval_id = r.approval_id
            AND l.operator_id = r.operator_id
            AND (l.revision, l.number) > (r.revision, r.number)) AS superseded
"""
_WANT: Final = """
INSERT INTO reminders (approval_id, revision, number, operator_id, next_at)
SELECT $1, $2, $3, operator_id, $5 FROM unnest($4::text[]) AS operator_id
ON CONFLICT DO NOTHING
"""
_KNOWN: Final = """
UPDATE slack_people SET zone = $2, language = $3, has_left = $4, checked_at = $5, attempts = 0,
    next_at = $6 WHERE slack_user_id = $1
"""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder whose turn has come, with what is known of its approval and its reader."""

    approval_id: UUID
    revision: int
    number: int
    operator_id: str
    attempts: int
    lease_until: datetime
    state: ApprovalState | None
    slack_user_id: str | None
    zone: str
    superseded: bool


def zone_of(name: str, otherwise: ZoneInfo) -> ZoneInfo:
    """Return a zone that Slack names; another one when this machine does not know it."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (ZoneInfoNotFoundError, ValueError):
        return otherwise


class Roster:
    """The rows of people and reminders in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def meet(
        self, slack_user_ids: Iterable[str], now: datetime, *, fresh_for: timedelta = FRESH_FOR
    ) -> None:
        """Have Slack asked about people it was not asked about for so long."""
        await self._connection.execute(_MEET, list(set(slack_user_ids)), now, now - fresh_for)

    async def changed(self, slack_user_id: str, now: datetime) -> None:
        """Have Slack asked again about somebody it was asked about before."""
        await self._connection.execute(
            "UPDATE slack_people SET next_at = $2 WHERE slack_user_id = $1", slack_user_id, now
        )

    async def strangers(self, now: datetime, limit: int, team: str = HOME) -> Sequence[str]:
        """Take people about whom their workspace is to be asked; nobody else does for a while."""
        rows = await self._connection.fetch(
            "UPDATE slack_people SET attempts = attempts + 1, next_at = $2"
            " WHERE slack_user_id IN (SELECT slack_user_id FROM slack_people WHERE next_at <= $1"
            " AND team = $4"
            " ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING slack_user_id",
            now,
            now + LEASE,
            limit,
            team,
        )
        return [row["slack_user_id"] for row in rows]

    async def know(
        self, slack_user_id: str, *, zone: str, language: str | None, has_left: bool, now: datetime
    ) -> bool:
        """Keep what Slack says of somebody; return whether they left, or came back, since."""
        before = await self._connection.fetchval(
            "SELECT has_left FROM slack_people WHERE slack_user_id = $1", slack_user_id
        )
        await self._connection.execute(
            _KNOWN, slack_user_id, zone, language, has_left, now, now + KNOWN_FOR
        )
        return has_left != bool(before)

    async def remind(
        self,
        approval_id: UUID,
        revision: int,
        number: int,
        operator_ids: Iterable[str],
        now: datetime,
    ) -> None:
        """Have people reminded of an approval, each once for this number."""
        await self._connection.execute(
            _WANT, approval_id, revision, number, list(operator_ids), now
        )

    async def sweep(self, now: datetime, team: str = HOME) -> list[Reminder]:
        """Take the reminders of a workspace's people whose turn has come."""
        rows = await self._connection.fetch(_SWEEP, now, now + LEASE, SWEEP, team)
        return [
            Reminder(
                **dict(row)
                | {"state": ApprovalState.model_validate(row["state"]) if row["state"] else None}
            )
            for row in rows
        ]

    async def later(self, reminder: Reminder, next_at: datetime) -> None:
        """Put a reminder off."""
        await self._connection.execute(
            "UPDATE reminders SET next_at = $5, lease_until = '-infinity' WHERE approval_id = $1"
            " AND revision = $2 AND number = $3 AND operator_id = $4",
            *_key(reminder),
            next_at,
        )

    async def done(self, reminder: Reminder, outcome: str, now: datetime) -> None:
        """Note what became of a reminder: sent, or why not."""
        await self._connection.execute(
            "UPDATE reminders SET done_at = $5, outcome = $6 WHERE approval_id = $1"
            " AND revision = $2 AND number = $3 AND operator_id = $4",
            *_key(reminder),
            now,
            outcome,
        )

    async def prune(self, before: datetime) -> None:
        """Forget reminders that were done before a time."""
        await self._connection.execute("DELETE FROM reminders WHERE done_at < $1", before)


def _key(reminder: Reminder) -> tuple[UUID, int, int, str]:
    return reminder.approval_id, reminder.revision, reminder.number, reminder.operator_id
