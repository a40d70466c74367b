"""Who does not want messages: the service's own copy, read again in each sending transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.database import Connection

_RECORD: Final = """
INSERT INTO consents AS c (recipient_key, channel, opted_out, at, recorded_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (recipient_key, channel) DO UPDATE
SET opted_out = excluded.opted_out, at = excluded.at,
    recorded_at = CASE WHEN c.opted_out = excluded.opted_out THEN c.recorded_at
                       ELSE excluded.recorded_at END
WHERE c.at < excluded.at
RETURNING 1
"""


class ConsentStore:
    """Consent by recipient key and channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(
        self,
        recipient_key: str,
        channel: str,
        *,
        opted_out: bool,
        at: datetime,
        recorded_at: datetime,
    ) -> bool:
        """Note a change as of ``at``; return whether it was later than what was known."""
        return bool(
            await self._connection.fetchval(
                _RECORD, recipient_key, channel, opted_out, at, recorded_at
            )
        )

    async def opted_out(self, recipient_keys: Sequence[str], channel: str) -> set[str]:
        """Return those of the keys whose owners do not want messages of a channel."""
        rows = await self._connection.fetch(
            "SELECT recipient_key FROM consents"
            " WHERE recipient_key = ANY ($1::text[]) AND channel = $2 AND opted_out",
            list(recipient_keys),
            channel,
        )
        return {row["recipient_key"] for row in rows}
