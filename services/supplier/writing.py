"""The scribe: writes extraction files from their rows, and has them approved before they leave."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Final

from services.supplier import files
from services.supplier.domain.jobs import JobState, after_writing
from services.supplier.domain.layout import MOST_XLSX_ROWS, REFERENCE, reference_of
from services.supplier.files import on_disk
from services.supplier.instances import SUPPLIER_MGT, end_instance
from services.supplier.links import review_path
from services.supplier.press import Press
from services.supplier.settings import SupplierSettings
from services.supplier.spreadsheet import Sheet, sheet_of
from services.supplier.store.jobs import Job, JobStore, Written
from services.supplier.store.letters import LetterStore
from shared.uow import UnitOfWork, Work
from shared.workflows import wake
from topics.supplier import (
    ExtractionProduced,
    ExtractionSubmitted,
    ExtractRows,
    FileFormat,
    SupplierRefused,
)

ROWS_AT_ONCE: Final = 5_000
NO_LETTERS: Final = "none of the letters can be set: mend the template's letter, then start again"
TOO_MANY_ROWS: Final = (
    f"an XLSX file holds {MOST_XLSX_ROWS:,} rows at most: have the service take CSV, then start"
    " again"
)


class Scribe:
    """Writes the files of one service.

    Args:
        uow: opens transactions of the service.
        settings: where files lie.
        press: sets the letters that go with a file.
    """

    def __init__(self, uow: UnitOfWork, settings: SupplierSettings, press: Press) -> None:
        self._uow = uow
        self._settings = settings
        self._press = press

    async def write(self, job: Job) -> None:
        """Write a file whose rows are complete, from the first byte to the last.

        Raises:
            DiskProblem: the folder cannot be written.
            LettersWait: the letters cannot be set now.
        """
        if job.letter and not await self._press.press(job):
            await self.write_again(job)
            return
        path = files.path_of(self._settings.supplier_files, job.file_id, job.file_name)
        draft = path.parent / f".sheet-{job.lease_epoch}"
        with (
            await on_disk(files.FileWriter, path, job.lease_epoch) as writer,
            closing(
                await on_disk(sheet_of, job.layout, job.columns, draft, job.created_at)
            ) as sheet,
        ):
            rows = await self._write_rows(job, writer, sheet)
            if rows is None:
                async with self._uow.begin() as work:
                    await self._refuse(job, TOO_MANY_ROWS, work)
                return
            sha256 = await on_disk(writer.place)
            written = Written(sha256, rows, writer.size, sheet.replaced, sheet.cut)
        if job.letter:
            await self._press.write_index(job)
        async with self._uow.begin() as work:
            await self._note(job, written, work)

    async def _write_rows(self, job: Job, writer: files.FileWriter, sheet: Sheet) -> int | None:
        """Return how many rows were written; ``None`` when they are more than the format takes."""
        most = MOST_XLSX_ROWS if job.layout.format is FileFormat.XLSX else None
        await on_disk(writer.write, sheet.head())
        rows, after = 0, -1
        while True:
            async with self._uow.pool.acquire() as connection:
                page = await JobStore(connection).rows_after(job.file_id, after, ROWS_AT_ONCE)
            rows += len(page)
            if most is not None and rows > most:
                return None
            piece = await on_disk(sheet.rows, [referenced(dict(row)) for row in page])
            await on_disk(writer.write, piece)
            if len(page) < ROWS_AT_ONCE:
                break
            after = page[-1]["ordinal"]
        await on_disk(writer.write_all, sheet.tail())
        return rows

    async def _note(self, job: Job, written: Written, work: Work) -> None:
        store = JobStore(work.connection)
        if not await store.lock_held(job):
            return
        await wake(work, SUPPLIER_MGT)
        batches = await LetterStore(work.connection).batches(job.file_id)
        unset = any(batch.sha256 is None for batch in batches)
        if unset or await store.count_rows(job.file_id) != written.rows:
            # Somebody was erased meanwhile and is still in the file: it is written again.
            await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
            return
        if job.letter and not written.rows:
            await self._refuse(job, NO_LETTERS, work)
            return
        written = replace(written, pages=sum(sum(batch.pages) for batch in batches))
        await store.note_file(job.file_id, written)
        state = after_writing(
            needs_approval=job.file_approval, approved=job.approved_sha256 == written.sha256
        )
        await store.settle(job.file_id, state, work.now)
        if state is JobState.FILE_TO_APPROVE:
            work.emit(_submitted(job, written, work))
        else:
            await announce(job, work, rows=written.rows, sha256=written.sha256)

    async def _refuse(self, job: Job, reason: str, work: Work) -> None:
        """End a file that cannot be written."""
        store = JobStore(work.connection)
        if not await store.lock_held(job):
            return
        await store.settle(job.file_id, JobState.REFUSED, work.now, error=reason)
        await end_instance(job.file_id, work)
        work.emit(refused(job, reason))

    async def write_again(self, job: Job) -> None:
        """Have a file written from its rows: there is more to set, or another host wrote it."""
        async with self._uow.begin() as work:
            store = JobStore(work.connection)
            if await store.lock_held(job):
                await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
                await wake(work, SUPPLIER_MGT)


def referenced(row: dict[str, object]) -> dict[str, object]:
    """Return a row with its reference, a number of its own that no erasure moves."""
    return row | {REFERENCE: reference_of(int(str(row["ordinal"])))}


def refused(job: Job, reason: str) -> SupplierRefused:
    """Return the event that none of a file's letters goes out."""
    return SupplierRefused(
        subject_id=job.campaign_id,
        run_id=job.run_id,
        command=ExtractRows.__name__,
        reason=reason,
    )


async def announce(job: Job, work: Work, *, rows: int, sha256: str) -> None:
    """Say once that a file may leave: goods and costs are counted from then on."""
    if job.announced:
        return
    await JobStore(work.connection).announce(job.file_id)
    work.emit(
        ExtractionProduced(
            campaign_id=job.campaign_id,
            run_id=job.run_id,
            service_id=job.service_id,
            file_id=job.file_id,
            file_name=job.file_name,
            rows=rows,
            sha256=sha256,
        )
    )


def _submitted(job: Job, written: Written, work: Work) -> ExtractionSubmitted:
    return ExtractionSubmitted(
        campaign_id=job.campaign_id,
        run_id=job.run_id,
        file_id=job.file_id,
        file_name=job.file_name,
        rows=written.rows,
        sha256=written.sha256,
        review_path=review_path(work.settings.secret, job.file_id, now=work.now),
    )
