"""Extraction jobs as rows: made by the first chunk, ordered by supplierMgt, claimed by lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from services.supplier.domain.jobs import JobState
from services.supplier.domain.results import LetterOutcome
from services.supplier.store.services import SupplierService
from shared.database import Connection
from topics.letters import LetterWindow
from topics.supplier import Ending, ExtractRows, FileLayout, Handover

_COLUMNS: Final = (
    "file_id, run_id, campaign_id, campaign_number, campaign_label, service_id, chunks, columns,"
    " file_name, state, rows, sha256, announced, failures, error, lease_epoch, letter,"
    " letter_language, letter_window, pages, created_at, layout, file_approval, handover, ending,"
    " bytes, replaced, cut, approved_sha256, rest_outcome, transferred_sha256,"
    " router_proof, proof_name, proof_sha256, proof_approved"
)
_ADD: Final = """
INSERT INTO jobs (file_id, run_id, delivery_id, campaign_id, campaign_number, campaign_label,
                  service_id, chunks, columns, file_name, state, error, next_at, created_at,
                  changed_at, letter, letter_language, letter_window, layout, file_approval,
                  handover, ending, router_proof)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13, $14, $15, $16, $17, $18,
        $19, $20, $21)
ON CONFLICT (run_id, delivery_id) DO NOTHING
"""
# Only a started supplierMgt moves files: the steps ask again, as it may have been stopped since.
_CLAIM: Final = f"""
UPDATE jobs SET lease_until = now() + $1 * interval '1 second', lease_epoch = lease_epoch + 1
WHERE file_id = (
    SELECT file_id FROM jobs
    WHERE ordered AND lease_until < now()
      AND state IN ('rows_complete', 'file_written', 'post_processed')
      AND EXISTS (SELECT 1 FROM technical_workflows
                  WHERE name = 'supplierMgt' AND status = 'started')
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""
_ORDER: Final = """
UPDATE jobs SET ordered = true
WHERE file_id IN (
    SELECT file_id FROM jobs
    WHERE NOT ordered AND next_at <= $1
      AND (state IN ('rows_complete', 'file_written')
           OR (state = 'post_processed' AND changed_at < $2))
    ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING file_id
"""
_NOTIFIED: Final = f"""
SELECT {_COLUMNS} FROM jobs j
WHERE state = 'notified' AND lease_until < now()
  AND NOT EXISTS (SELECT 1 FROM post_processings p
                  WHERE p.file_id = j.file_id AND p.status <> 'started')
ORDER BY next_at LIMIT $1 FOR UPDATE OF j SKIP LOCKED
"""
_CLOSED: Final = f"""
SELECT {_COLUMNS} FROM jobs j
WHERE state = 'awaiting_results' AND rest_outcome IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM post_processings p
                  WHERE p.file_id = j.file_id AND p.status <> 'started')
  AND NOT EXISTS (SELECT 1 FROM imports i
                  WHERE i.file_id = j.file_id AND i.is_complete AND i.applied_at IS NULL)
ORDER BY next_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
"""
_ROWS: Final = """
INSERT INTO extraction_rows (file_id, ordinal, recipient_id, recipient, site, street, postal_code,
                             town, country, phone, language, first_name, last_name)
SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One file on its way."""

    file_id: UUID
    run_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    service_id: UUID
    chunks: int
    columns: tuple[str, ...]
    file_name: str
    state: JobState
    rows: int
    sha256: str | None
    announced: bool
    failures: int
    error: str
    lease_epoch: int
    letter: str
    letter_language: str
    letter_window: str
    pages: int
    created_at: datetime
    layout: FileLayout
    file_approval: bool
    handover: Handover
    ending: Ending
    bytes: int
    replaced: int
    cut: int
    approved_sha256: str | None
    rest_outcome: str | None
    transferred_sha256: str | None
    router_proof: bool
    proof_name: str
    proof_sha256: str | None
    proof_approved: bool

    @property
    def to_transfer(self) -> bool:
        """Whether the file has yet to be put where its router takes it."""
        elsewhere = self.handover in (Handover.FOLDER, Handover.SFTP)
        return elsewhere and self.transferred_sha256 != self.sha256


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the file, and the letters beside it."""

    sha256: str
    rows: int
    bytes: int
    replaced: int
    cut: int
    pages: int = 0


def job_of(row: asyncpg.Record) -> Job:
    """Return a row as a job."""
    fields = {
        "columns": tuple(row["columns"]),
        "state": JobState(row["state"]),
        "layout": FileLayout.model_validate(row["layout"]),
        "handover": Handover(row["handover"]),
        "ending": Ending(row["ending"]),
    }
    return Job(**dict(row) | fields)


class JobStore:
    """Extraction jobs; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        file_id: UUID,
        command: ExtractRows,
        *,
        service: SupplierService | None,
        file_name: str,
        refusal: str,
        now: datetime,
    ) -> None:
        """Make the job of a delivery's run unless there is one; with a refusal it is over."""
        state = JobState.REFUSED if refusal else JobState.COLLECTING
        letter = command.letter
        await self._connection.execute(
            _ADD,
            *(file_id, command.run_id, command.delivery_id, command.campaign_id),
            *(command.campaign_number, command.campaign_label, command.service_id),
            command.chunks,
            list(service.columns) if service else [],
            *(file_name, state.value, refusal, now),
            letter.source if letter else "",
            letter.language if letter else "en",
            (letter.window if letter else LetterWindow.DIN_5008_B).value,
            (service.layout if service else FileLayout()).model_dump(mode="json"),
            service.file_approval if service else False,
            (service.handover if service else Handover.ATTACHED).value,
            (service.ending if service else Ending.CONFIRMATION).value,
            service.router_proof if service else False,
        )

    async def lock_run(self, run_id: UUID, delivery_id: UUID) -> Job | None:
        """Return the job of a delivery's run, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM jobs WHERE run_id = $1 AND delivery_id = $2 FOR UPDATE",
            run_id,
            delivery_id,
        )
        return job_of(row) if row else None

    async def find(self, file_id: UUID) -> Job | None:
        """Return a job, its row free to change."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM jobs WHERE file_id = $1", file_id
        )
        return job_of(row) if row else None

    async def note_download(self, file_id: UUID, name: str, now: datetime) -> None:
        """Note that a part of a file was fetched through its link."""
        await self._connection.execute(
            "INSERT INTO downloads (file_id, name, at) VALUES ($1, $2, $3)", file_id, name, now
        )

    async def lock(self, file_id: UUID) -> Job | None:
        """Return a job, its row locked."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM jobs WHERE file_id = $1 FOR UPDATE", file_id
        )
        return job_of(row) if row else None

    async def lock_some(self, state: JobState, limit: int) -> Sequence[Job]:
        """Return jobs in a state that nobody works on, their rows locked."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM jobs WHERE state = $1 AND lease_until < now()"
            " ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            state.value,
            limit,
        )
        return [job_of(row) for row in rows]

    async def lock_notified(self, limit: int) -> Sequence[Job]:
        """Return jobs whose routers have the file and whose post-processing may go on, locked."""
        rows = await self._connection.fetch(_NOTIFIED, limit)
        return [job_of(row) for row in rows]

    async def keep_chunk(self, job: Job, command: ExtractRows, ordinals: Sequence[int]) -> bool:
        """Keep the rows of a chunk; False when it was kept before."""
        new = await self._connection.fetchval(
            "INSERT INTO extraction_chunks (file_id, index) VALUES ($1, $2)"
            " ON CONFLICT DO NOTHING RETURNING true",
            job.file_id,
            command.index,
        )
        if not new:
            return False
        rows = command.rows
        columns = (
            [getattr(row, name) for row in rows]
            for name in (
                *("recipient_id", "recipient", "site", "street", "postal_code"),
                *("town", "country", "phone", "language", "first_name", "last_name"),
            )
        )
        await self._connection.execute(_ROWS, job.file_id, list(ordinals), *columns)
        return True

    async def is_complete(self, job: Job) -> bool:
        """Whether all chunks of a job are there."""
        number: int = await self._connection.fetchval(
            "SELECT count(*) FROM extraction_chunks WHERE file_id = $1", job.file_id
        )
        return number == job.chunks

    async def count_rows(self, file_id: UUID) -> int:
        """Return how many rows a file has now."""
        number: int = await self._connection.fetchval(
            "SELECT count(*) FROM extraction_rows WHERE file_id = $1", file_id
        )
        return number

    async def rows_after(self, file_id: UUID, after: int, limit: int) -> Sequence[asyncpg.Record]:
        """Return rows of a file in order, those after a place."""
        return await self._connection.fetch(
            "SELECT ordinal, recipient_id, recipient, site, street, postal_code, town, country,"
            " phone, language, first_name, last_name FROM extraction_rows"
            " WHERE file_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
            *(file_id, after, limit),
        )

    async def order(self, now: datetime, *, keep: timedelta, limit: int) -> int:
        """Order the next step of jobs that are due for one; return how many."""
        return len(await self._connection.fetch(_ORDER, now, now - keep, limit))

    async def claim(self, lease_seconds: float) -> Job | None:
        """Return an ordered job, held by lease."""
        row = await self._connection.fetchrow(_CLAIM, lease_seconds)
        return job_of(row) if row else None

    async def lock_held(self, job: Job) -> bool:
        """Whether the claim of a job is still the latest; its row is locked then."""
        row = await self._connection.fetchval(
            "SELECT true FROM jobs WHERE file_id = $1 AND lease_epoch = $2 AND state = $3"
            " FOR UPDATE",
            *(job.file_id, job.lease_epoch, job.state.value),
        )
        return row is True

    async def settle(
        self,
        file_id: UUID,
        state: JobState,
        now: datetime,
        *,
        error: str = "",
        next_at: datetime | None = None,
        failures: int = 0,
    ) -> None:
        """Put a job into a state, let go of it, and wait for the next order."""
        await self._connection.execute(
            "UPDATE jobs SET state = $2, error = $3, next_at = $4, failures = $5, changed_at = $6,"
            " ordered = false, lease_until = '-infinity' WHERE file_id = $1",
            *(file_id, state.value, error, next_at or now, failures, now),
        )

    async def attempted(self, file_id: UUID) -> None:
        """Note that the router's server is about to be called; the lease stays."""
        await self._connection.execute(
            "UPDATE jobs SET state = 'mail_attempted' WHERE file_id = $1", file_id
        )

    async def note_file(self, file_id: UUID, written: Written) -> None:
        """Note what was written."""
        await self._connection.execute(
            "UPDATE jobs SET sha256 = $2, rows = $3, bytes = $4, replaced = $5, cut = $6,"
            " pages = $7, erased = 0 WHERE file_id = $1",
            *(file_id, written.sha256, written.rows, written.bytes, written.replaced),
            *(written.cut, written.pages),
        )

    async def announce(self, file_id: UUID) -> None:
        """Note that a file is announced."""
        await self._connection.execute(
            "UPDATE jobs SET announced = true WHERE file_id = $1", file_id
        )

    async def approve(self, file_id: UUID, sha256: str) -> None:
        """Note which bytes of a file may leave."""
        await self._connection.execute(
            "UPDATE jobs SET approved_sha256 = $2 WHERE file_id = $1", file_id, sha256
        )

    async def note_proof(self, file_id: UUID, name: str, sha256: str) -> None:
        """Note the router's latest proof of a file."""
        await self._connection.execute(
            "UPDATE jobs SET proof_name = $2, proof_sha256 = $3 WHERE file_id = $1",
            *(file_id, name, sha256),
        )

    async def approve_proof(self, file_id: UUID) -> None:
        """Note that the router may print."""
        await self._connection.execute(
            "UPDATE jobs SET proof_approved = true WHERE file_id = $1", file_id
        )

    async def transferred(self, file_id: UUID, sha256: str) -> None:
        """Note which bytes lie where the router takes its files."""
        await self._connection.execute(
            "UPDATE jobs SET transferred_sha256 = $2 WHERE file_id = $1", file_id, sha256
        )

    async def set_rest(self, file_id: UUID, outcome: LetterOutcome) -> None:
        """Note what a person makes of the letters that no result file names."""
        await self._connection.execute(
            "UPDATE jobs SET rest_outcome = $2 WHERE file_id = $1", file_id, outcome.value
        )

    async def count(self, file_id: UUID, *, sent: int, failed: int) -> None:
        """Count letters that were just reported."""
        await self._connection.execute(
            "UPDATE jobs SET sent = sent + $2, failed = failed + $3 WHERE file_id = $1",
            *(file_id, sent, failed),
        )

    async def lock_closed(self) -> Job | None:
        """Return a job that a person closed and whose result files are applied, its row locked."""
        row = await self._connection.fetchrow(_CLOSED)
        return job_of(row) if row else None

    async def drop_rows(self, file_id: UUID, limit: int) -> bool:
        """Remove rows of a file; return whether none are left."""
        status = await self._connection.execute(
            "DELETE FROM extraction_rows WHERE (file_id, ordinal) IN (SELECT file_id, ordinal"
            " FROM extraction_rows WHERE file_id = $1 LIMIT $2)",
            file_id,
            limit,
        )
        return int(status.rpartition(" ")[2]) < limit
