"""Batches of letters as rows: which addressees a PDF file holds, and the pages they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from shared.database import Connection

_PLAN: Final = """
INSERT INTO letter_batches (file_id, batch, first, last)
SELECT $1, place / $2 + 1, min(ordinal), max(ordinal)
FROM (SELECT ordinal, row_number() OVER (ORDER BY ordinal) - 1 AS place
      FROM extraction_rows WHERE file_id = $1) r
GROUP BY place / $2
ON CONFLICT DO NOTHING
"""
_ROWS: Final = """
SELECT ordinal, recipient_id, recipient, site, street, postal_code, town, country, phone, language,
       first_name, last_name
FROM extraction_rows WHERE file_id = $1 AND ordinal BETWEEN $2 AND $3 ORDER BY ordinal
"""
_RECORD: Final = """
UPDATE letter_batches SET pages = $3, sha256 = $4, bytes = $5 WHERE file_id = $1 AND batch = $2
"""
_FAIL: Final = """
WITH gone AS (
    DELETE FROM extraction_rows WHERE file_id = $1 AND recipient_id = ANY ($2::uuid[])
    RETURNING recipient_id)
INSERT INTO letter_failures (file_id, recipient_id, failed_at)
SELECT $1, recipient_id, $3 FROM gone ON CONFLICT DO NOTHING
"""
_INDEX: Final = """
SELECT b.batch, b.pages, array_agg(r.recipient_id ORDER BY r.ordinal) AS recipient_ids
FROM letter_batches b
JOIN extraction_rows r ON r.file_id = b.file_id AND r.ordinal BETWEEN b.first AND b.last
WHERE b.file_id = $1 AND b.batch > $2 GROUP BY b.batch, b.pages ORDER BY b.batch LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The letters of one PDF file; ``sha256`` is None until it is written."""

    batch: int
    first: int
    last: int
    pages: tuple[int, ...]
    sha256: str | None
    bytes: int

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(self.batch)


def name_of(batch: int) -> str:
    """Return the name of a batch's file."""
    return f"letters-{batch:04}.pdf"


def _batch_of(row: asyncpg.Record) -> Batch:
    return Batch(**dict(row) | {"pages": tuple(row["pages"])})


class LetterStore:
    """Batches of letters; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def plan(self, file_id: UUID, size: int) -> None:
        """Fix which rows go into which batch, once all rows are there; the first plan stays."""
        planned = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM letter_batches WHERE file_id = $1)", file_id
        )
        if not planned:
            await self._connection.execute(_PLAN, file_id, size)

    async def batches(self, file_id: UUID) -> list[Batch]:
        """Return the batches of a file, in order."""
        rows = await self._connection.fetch(
            "SELECT batch, first, last, pages, sha256, bytes FROM letter_batches"
            " WHERE file_id = $1 ORDER BY batch",
            file_id,
        )
        return [_batch_of(row) for row in rows]

    async def rows(self, file_id: UUID, batch: Batch) -> list[dict[str, Any]]:
        """Return the addressees of a batch that are left, in order."""
        rows = await self._connection.fetch(_ROWS, file_id, batch.first, batch.last)
        return [dict(row) for row in rows]

    async def record(
        self, file_id: UUID, batch: Batch, *, pages: Sequence[int], sha256: str, size: int
    ) -> None:
        """Note that a batch's file is written; one without a letter left is no batch."""
        if not pages:
            await self._connection.execute(
                "DELETE FROM letter_batches WHERE file_id = $1 AND batch = $2", file_id, batch.batch
            )
            return
        await self._connection.execute(_RECORD, file_id, batch.batch, list(pages), sha256, size)

    async def fail(self, file_id: UUID, recipient_ids: Sequence[UUID], now: datetime) -> None:
        """Take addressees out whose letter cannot be set."""
        await self._connection.execute(_FAIL, file_id, list(recipient_ids), now)

    async def unset(self, file_id: UUID, ordinals: Sequence[int]) -> None:
        """Have the batches of these rows set again: somebody in them was erased."""
        await self._connection.execute(
            "UPDATE letter_batches SET sha256 = NULL, pages = '{}'"
            " WHERE file_id = $1 AND EXISTS (SELECT 1 FROM unnest($2::bigint[]) AS o (ordinal)"
            "                                WHERE o.ordinal BETWEEN first AND last)",
            file_id,
            list(ordinals),
        )

    async def index_after(self, file_id: UUID, batch: int, limit: int) -> list[dict[str, Any]]:
        """Return batches with their pages and addressees, in order, those after one of them."""
        rows = await self._connection.fetch(_INDEX, file_id, batch, limit)
        return [dict(row) for row in rows]
