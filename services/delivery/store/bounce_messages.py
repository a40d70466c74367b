"""Servers' words without anybody's data: how often they came and what they mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from services.delivery.domain.qualification import Qualified
from shared.database import Connection
from topics.bounces import ErrorReason, QualificationStatus, Severity

MOST_TEXTS: Final = 100_000
_COLUMNS: Final = "text_id, text, status, reason, severity, by_person, count, first_at, last_at"
_BY_PEOPLE: Final = """
SELECT text, status, reason, severity FROM bounce_messages
WHERE text = ANY ($1::text[]) AND by_person
"""
_COUNT: Final = """
INSERT INTO bounce_messages AS m (text, status, reason, severity, count, first_at, last_at)
SELECT k.text, k.status, k.reason, k.severity, k.count, $6, $6
FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::bigint[])
    AS k (text, status, reason, severity, count)
ORDER BY k.text
ON CONFLICT (text) DO UPDATE
SET count = m.count + excluded.count, last_at = greatest(m.last_at, excluded.last_at),
    status = CASE WHEN m.by_person THEN m.status ELSE excluded.status END,
    reason = CASE WHEN m.by_person THEN m.reason ELSE excluded.reason END,
    severity = CASE WHEN m.by_person THEN m.severity ELSE excluded.severity END
"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM bounce_messages
WHERE ($1::text IS NULL OR status = $1) AND ($2::bigint IS NULL OR text_id > $2)
ORDER BY text_id LIMIT $3
"""
_QUALIFY: Final = """
UPDATE bounce_messages SET status = $2, reason = $3, severity = $4, by_person = $2 <> 'to_qualify'
WHERE text_id = $1 RETURNING 1
"""
# What nobody qualified and what came least goes first.
_TRIM: Final = """
DELETE FROM bounce_messages WHERE text_id IN (
    SELECT text_id FROM bounce_messages WHERE NOT by_person
    ORDER BY count, last_at LIMIT greatest((SELECT count(*) FROM bounce_messages) - $1, 0))
"""


@dataclass(frozen=True, slots=True)
class BounceMessage:
    """A text and what it means; ``by_person`` when somebody said so."""

    text_id: int
    text: str
    status: QualificationStatus
    reason: ErrorReason
    severity: Severity
    by_person: bool
    count: int
    first_at: datetime
    last_at: datetime


class BounceMessageStore:
    """Texts of bounces."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def by_people(self, texts: Collection[str]) -> dict[str, Qualified]:
        """Return what people made of those of the texts that they qualified."""
        rows = await self._connection.fetch(_BY_PEOPLE, list(texts))
        return {row["text"]: _qualified(row) for row in rows}

    async def count(self, texts: Mapping[str, tuple[Qualified, int]], at: datetime) -> None:
        """Add how often texts came; new ones are written as qualified."""
        found = list(texts.values())
        await self._connection.execute(
            _COUNT,
            list(texts),
            [one.status.value for one, _ in found],
            [one.reason.value for one, _ in found],
            [one.severity.value for one, _ in found],
            [number for _, number in found],
            at,
        )

    async def page(
        self, *, status: QualificationStatus | None, after: int | None, limit: int
    ) -> list[BounceMessage]:
        """Return texts in order of id, after one of them."""
        rows = await self._connection.fetch(_PAGE, status.value if status else None, after, limit)
        return [_message(dict(row)) for row in rows]

    async def find(self, text_id: int) -> BounceMessage | None:
        """Return one text."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM bounce_messages WHERE text_id = $1", text_id
        )
        return _message(dict(row)) if row else None

    async def qualify(self, text_id: int, qualified: Qualified) -> bool:
        """Keep what a person makes of a text; return whether there is such a text."""
        return bool(
            await self._connection.fetchval(
                _QUALIFY,
                text_id,
                qualified.status.value,
                qualified.reason.value,
                qualified.severity.value,
            )
        )

    async def trim(self) -> int:
        """Keep at most ``MOST_TEXTS``; return how many went."""
        return int((await self._connection.execute(_TRIM, MOST_TEXTS)).rpartition(" ")[2])


def _qualified(row: asyncpg.Record) -> Qualified:
    return Qualified(
        ErrorReason(row["reason"]), Severity(row["severity"]), QualificationStatus(row["status"])
    )


def _message(values: dict[str, Any]) -> BounceMessage:
    values["status"] = QualificationStatus(values["status"])
    values["reason"] = ErrorReason(values["reason"])
    values["severity"] = Severity(values["severity"])
    return BounceMessage(**values)
