"""Events that the archive alone knows any more, for lists and searches."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from shared.database import Connection

_SHOWN: Final = (
    "seq, event_id, event_type, queue, channel, coalesce(language, '') AS language, external_id,"
    " status, reason, version, template_id, template_version, received_at, changed_at,"
    " coalesce(source, '') AS source, coalesce(ce_id, '') AS ce_id, origin, country, email_format,"
    " scheduled_at, expires_at, resent_from, true AS archived"
)
_LIST: Final = f"""
SELECT {_SHOWN} FROM archived_events
WHERE purged_at IS NOT NULL
  AND ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR event_type = $2)
  AND ($3::text IS NULL OR external_id = $3) AND ($4::text IS NULL OR queue = $4)
  AND ($5::text IS NULL OR recipient_key = $5) AND ($6::bigint IS NULL OR seq < $6)
ORDER BY seq DESC LIMIT $7
"""
_ONE: Final = f"SELECT {_SHOWN} FROM archived_events WHERE event_id = $1 AND purged_at IS NOT NULL"
_LOGS: Final = """
SELECT outcome, reason, at, archived_at AS copied_at FROM archived_delivery_logs
WHERE event_id = $1 ORDER BY at, outcome
"""
_FIND: Final = f"""
SELECT {_SHOWN} FROM archived_events
WHERE purged_at IS NOT NULL
  AND ($1::uuid IS NULL OR event_id = $1) AND ($2::text IS NULL OR recipient_key = $2)
  AND ($3::text IS NULL OR external_id = $3)
ORDER BY seq DESC LIMIT $4
"""


async def find_archived(connection: Connection, *wanted: Any, limit: int) -> list[Any]:
    """Return purged events by an id, a recipient key or an external id, latest first."""
    return list(await connection.fetch(_FIND, *wanted, limit))


async def archived_rows(connection: Connection, *wanted: Any) -> list[Any]:
    """Return purged events, latest first, narrowed as a list of events is, in its order."""
    return list(await connection.fetch(_LIST, *wanted))


async def archived_row(connection: Connection, event_id: UUID) -> tuple[Any, list[Any]] | None:
    """Return a purged event and what the delivery said of it; ``None`` without one of that id."""
    row = await connection.fetchrow(_ONE, event_id)
    if row is None:
        return None
    return row, list(await connection.fetch(_LOGS, event_id))
