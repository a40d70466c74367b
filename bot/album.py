"""Pictures of proofs and charts as rows: wanted with the card, drawn and uploaded by and by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bot.outgoing import HELD
from bot.teams import HOME
from shared.database import Connection

LEASE: Final = timedelta(seconds=90)
"""Longer than fetching, drawing and uploading one picture may take."""
_CLAIM: Final = f"""
UPDATE pictures SET attempts = attempts + 1, lease_until = $2
WHERE (approval_id, revision) IN (
    SELECT approval_id, revision FROM pictures
    WHERE done_at IS NULL AND next_at <= $1 AND lease_until <= $1 AND NOT {HELD}
      AND coalesce((SELECT team FROM slack_messages m
                    WHERE m.key = coalesce(message_key, 'approval:' || approval_id)), '') = $3
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING approval_id, revision, path, file_id, attempts, html, message_key
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to make; ``file_id`` is set once Slack has its bytes.

    Of a proof, what stands behind ``path`` is drawn; of a chart ``html``, for the message
    ``message_key``.
    """

    approval_id: UUID
    revision: int
    path: str
    file_id: str | None
    attempts: int
    html: str | None = None
    message_key: str | None = None


class Album:
    """The rows of pictures in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def want(self, approval_id: UUID, revision: int, path: str, now: datetime) -> None:
        """Have a picture made of what stands behind a proof's link, once per revision."""
        await self._connection.execute(
            "INSERT INTO pictures (approval_id, revision, path, next_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            approval_id,
            revision,
            path,
            now,
        )

    async def want_chart(self, chart_id: UUID, message_key: str, html: str, now: datetime) -> None:
        """Have a picture made of a chart for a message, once."""
        await self._connection.execute(
            "INSERT INTO pictures (approval_id, revision, path, next_at, html, message_key)"
            " VALUES ($1, 0, '', $2, $3, $4) ON CONFLICT DO NOTHING",
            chart_id,
            now,
            html,
            message_key,
        )

    async def claim(self, now: datetime, team: str = HOME) -> Wanted | None:
        """Take the picture whose turn has come, of the cards in a workspace."""
        row = await self._connection.fetchrow(_CLAIM, now, now + LEASE, team)
        return Wanted(**dict(row)) if row else None

    async def uploaded(self, wanted: Wanted, file_id: str, next_at: datetime) -> None:
        """Note that Slack has the bytes; whether it shows them is looked up at ``next_at``."""
        await self._connection.execute(
            "UPDATE pictures SET file_id = $3, attempts = 0, next_at = $4,"
            " lease_until = '-infinity' WHERE approval_id = $1 AND revision = $2",
            wanted.approval_id,
            wanted.revision,
            file_id,
            next_at,
        )

    async def later(self, wanted: Wanted, next_at: datetime, error: str) -> None:
        """Put a picture off."""
        await self._connection.execute(
            "UPDATE pictures SET next_at = $3, error = $4, lease_until = '-infinity'"
            " WHERE approval_id = $1 AND revision = $2",
            wanted.approval_id,
            wanted.revision,
            next_at,
            error,
        )

    async def done(self, wanted: Wanted, now: datetime, error: str = "") -> None:
        """Note that a picture can be shown, or with an error that there will be none."""
        await self._connection.execute(
            "UPDATE pictures SET done_at = $3, error = $4 WHERE approval_id = $1 AND revision = $2",
            wanted.approval_id,
            wanted.revision,
            now,
            error,
        )

    async def shown(self, approval_id: UUID, revision: int) -> str | None:
        """Return Slack's file of a picture that can be shown."""
        found: str | None = await self._connection.fetchval(
            "SELECT file_id FROM pictures WHERE approval_id = $1 AND revision = $2"
            " AND done_at IS NOT NULL AND error = ''",
            approval_id,
            revision,
        )
        return found
