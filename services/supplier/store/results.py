"""Routers' result files as rows: their lines until they are applied, and each letter's outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.supplier.domain.results import Answer, LetterOutcome, Rejected, Reported
from shared.database import Connection

_COLUMNS: Final = (
    "import_id, file_id, sha256, actor_id, lines, taken, repeated, rejected, applied_to,"
    " is_complete, started_at, applied_at"
)
_OPEN: Final = f"""
INSERT INTO imports (import_id, file_id, sha256, actor_id, started_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (file_id, sha256) DO UPDATE SET sha256 = excluded.sha256
RETURNING {_COLUMNS}
"""
# A letter named by its addressee stands at one place of the file, or at none.
_LINES: Final = """
WITH given AS (
    SELECT line, coalesce(given.ordinal, r.ordinal) AS ordinal, outcome, reason
    FROM unnest($3::int[], $4::bigint[], $5::uuid[], $6::text[], $7::text[])
        AS given (line, ordinal, recipient_id, outcome, reason)
    LEFT JOIN extraction_rows r ON r.file_id = $2 AND r.recipient_id = given.recipient_id),
unknown AS (
    INSERT INTO import_rejects (import_id, line, problem)
    SELECT $1, line, $8 FROM given WHERE ordinal IS NULL
    ON CONFLICT DO NOTHING)
INSERT INTO import_lines (import_id, line, ordinal, outcome, reason)
SELECT $1, line, ordinal, outcome, reason FROM given WHERE ordinal IS NOT NULL
ON CONFLICT DO NOTHING
"""
_REJECTS: Final = """
INSERT INTO import_rejects (import_id, line, problem)
SELECT $1, line, problem FROM unnest($2::int[], $3::text[]) AS given (line, problem)
ON CONFLICT DO NOTHING
"""
_COMPLETE: Final = """
UPDATE imports SET is_complete = true, lines = $2,
    rejected = (SELECT count(*) FROM import_rejects r WHERE r.import_id = imports.import_id)
WHERE import_id = $1 AND NOT is_complete
"""
_NEXT: Final = f"""
SELECT {_COLUMNS} FROM imports i WHERE is_complete AND applied_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM post_processings p
                  WHERE p.file_id = i.file_id AND p.status <> 'started')
ORDER BY started_at, import_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_KEEP: Final = """
INSERT INTO results (file_id, ordinal, outcome, reason, import_id)
SELECT $1, ordinal, outcome, reason, $5
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS given (ordinal, outcome, reason)
ON CONFLICT DO NOTHING
"""
_APPLIED: Final = """
UPDATE imports SET taken = taken + $2, repeated = repeated + $3, rejected = rejected + $4,
    applied_to = $5, applied_at = $6
WHERE import_id = $1
"""
_UNREPORTED: Final = """
SELECT ordinal, recipient_id FROM extraction_rows e
WHERE file_id = $1
  AND NOT EXISTS (SELECT 1 FROM results r WHERE r.file_id = e.file_id AND r.ordinal = e.ordinal)
ORDER BY ordinal LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Import:
    """A result file: how many lines it has, what became of them, how far it is applied."""

    import_id: UUID
    file_id: UUID
    sha256: str
    actor_id: str
    lines: int
    taken: int
    repeated: int
    rejected: int
    applied_to: int
    is_complete: bool
    started_at: datetime
    applied_at: datetime | None


def _import(row: asyncpg.Record) -> Import:
    return Import(**dict(row))


class ResultStore:
    """Result files and outcomes of letters; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(
        self, import_id: UUID, file_id: UUID, sha256: str, actor_id: str, now: datetime
    ) -> Import:
        """Return the import of a result file: the one it has, or a new one."""
        row = await self._connection.fetchrow(_OPEN, import_id, file_id, sha256, actor_id, now)
        if row is None:
            raise LookupError(file_id)
        return _import(row)

    async def keep_lines(
        self, one: Import, lines: Sequence[Reported | Rejected], unknown: str
    ) -> None:
        """Keep lines, each once; ``unknown`` is said of those whose addressee is in no row."""
        good = [line for line in lines if isinstance(line, Reported)]
        bad = [line for line in lines if isinstance(line, Rejected)]
        await self._connection.execute(
            _LINES,
            one.import_id,
            one.file_id,
            [line.line for line in good],
            [line.ordinal for line in good],
            [line.recipient_id for line in good],
            [line.outcome.value for line in good],
            [line.reason for line in good],
            unknown,
        )
        await self._reject(one.import_id, bad)

    async def _reject(self, import_id: UUID, lines: Sequence[Rejected]) -> None:
        if lines:
            await self._connection.execute(
                _REJECTS,
                import_id,
                [line.line for line in lines],
                [line.problem for line in lines],
            )

    async def complete(self, import_id: UUID, lines: int) -> None:
        """Note that all lines are kept: they may be applied."""
        await self._connection.execute(_COMPLETE, import_id, lines)

    async def next_open(self) -> Import | None:
        """Return the oldest import with lines to apply, its row locked."""
        row = await self._connection.fetchrow(_NEXT)
        return _import(row) if row else None

    async def has_open(self, file_id: UUID) -> bool:
        """Whether a result file of this one is not applied to its end."""
        found = await self._connection.fetchval(
            "SELECT true FROM imports WHERE file_id = $1 AND applied_at IS NULL AND is_complete"
            " LIMIT 1",
            file_id,
        )
        return found is True

    async def lines_of(self, one: Import, limit: int) -> list[Answer]:
        """Return the next lines of an import."""
        rows = await self._connection.fetch(
            "SELECT line, ordinal, outcome, reason FROM import_lines"
            " WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3",
            *(one.import_id, one.applied_to, limit),
        )
        return [Answer(**dict(row) | {"outcome": LetterOutcome(row["outcome"])}) for row in rows]

    async def addressees(self, file_id: UUID, ordinals: Sequence[int]) -> dict[int, UUID]:
        """Return who stands at these places of a file."""
        rows = await self._connection.fetch(
            "SELECT ordinal, recipient_id FROM extraction_rows"
            " WHERE file_id = $1 AND ordinal = ANY ($2::bigint[])",
            *(file_id, list(ordinals)),
        )
        return {row["ordinal"]: row["recipient_id"] for row in rows}

    async def outcomes(self, file_id: UUID, ordinals: Sequence[int]) -> dict[int, LetterOutcome]:
        """Return what was reported before of the letters at these places."""
        rows = await self._connection.fetch(
            "SELECT ordinal, outcome FROM results"
            " WHERE file_id = $1 AND ordinal = ANY ($2::bigint[])",
            *(file_id, list(ordinals)),
        )
        return {row["ordinal"]: LetterOutcome(row["outcome"]) for row in rows}

    async def keep(
        self, file_id: UUID, answers: Sequence[Answer], import_id: UUID | None = None
    ) -> None:
        """Write what became of letters, each once."""
        await self._connection.execute(
            _KEEP,
            file_id,
            [one.ordinal for one in answers],
            [one.outcome.value for one in answers],
            [one.reason for one in answers],
            import_id,
        )

    async def applied(
        self,
        one: Import,
        *,
        taken: int,
        repeated: int,
        rejected: Sequence[Rejected],
        to: int,
        ended_at: datetime | None,
    ) -> None:
        """Note how far an import is applied, and its end; its lines are dropped then."""
        await self._reject(one.import_id, rejected)
        await self._connection.execute(
            _APPLIED, one.import_id, taken, repeated, len(rejected), to, ended_at
        )
        if ended_at is not None:
            await self._connection.execute(
                "DELETE FROM import_lines WHERE import_id = $1", one.import_id
            )

    async def unreported(self, file_id: UUID, limit: int) -> Mapping[int, UUID]:
        """Return letters of which nothing was reported: who stands at which place."""
        rows = await self._connection.fetch(_UNREPORTED, file_id, limit)
        return {row["ordinal"]: row["recipient_id"] for row in rows}

    async def imports(self, file_id: UUID) -> list[Import]:
        """Return the result files of a file, the first one first."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM imports WHERE file_id = $1 ORDER BY started_at LIMIT 1000",
            file_id,
        )
        return [_import(row) for row in rows]

    async def rejects(
        self, file_id: UUID, import_id: UUID, after: int, limit: int
    ) -> list[Rejected]:
        """Return rejected lines of a result file, those after one, in order."""
        rows = await self._connection.fetch(
            "SELECT line, problem FROM import_rejects JOIN imports USING (import_id)"
            " WHERE file_id = $1 AND import_id = $2 AND line > $3 ORDER BY line LIMIT $4",
            *(file_id, import_id, after, limit),
        )
        return [Rejected(row["line"], row["problem"]) for row in rows]
