"""The press: sets the letters of a file, a PDF of at most a hundred each, and their index.

Each batch is set, written beside its place, moved there and recorded, in this order. Killed
anywhere, a batch that is not recorded is set again from the same rows: the same bytes under the
same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.supplier import files
from services.supplier.domain.rendering import text_sheet
from services.supplier.files import on_disk
from services.supplier.settings import SupplierSettings
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.letters import Batch, LetterStore, name_of
from shared import faults
from shared.letters.letter import MOST_LETTERS, Addressee, Letter, Style, letter_to
from shared.letters.typesetter import BadLetter, Document, TooSlow, Typesetter
from shared.logs import logger
from shared.uow import UnitOfWork, Work
from topics.letters import LetterWindow
from topics.supplier import FileLayout, LettersFailed

log = logger(__name__)

BATCHES_A_CLAIM: Final = 20
"""Some ten seconds on a quiet machine, far below the lease."""
INDEX_NAME: Final = "letters.csv"
INDEX_COLUMNS: Final = ("file", "position", "recipient_id", "first_page", "pages")
_INDEXED_AT_ONCE: Final = 50
CANNOT_BE_SET: Final = "the letter cannot be set over this addressee's data"


class LettersWait(Exception):
    """The letters cannot be set now; the text says why."""


class Press:
    """Sets the letters of files.

    Args:
        uow: opens transactions of the service.
        settings: where files lie.
    """

    def __init__(self, uow: UnitOfWork, settings: SupplierSettings) -> None:
        self._uow = uow
        self._settings = settings

    def path(self, job: Job, name: str) -> Path:
        """Return where a file of a job lies."""
        return files.path_of(self._settings.supplier_files, job.file_id, name)

    async def press(self, job: Job) -> bool:
        """Set some of what is not set yet; return whether all is.

        Raises:
            LettersWait: it took too long.
            DiskProblem: a file cannot be written.
        """
        async with self._uow.begin() as work:
            if not await JobStore(work.connection).lock_held(job):
                return False
            await LetterStore(work.connection).plan(job.file_id, MOST_LETTERS)
            batches = await LetterStore(work.connection).batches(job.file_id)
        async with Typesetter() as typesetter:
            done = 0
            for batch in batches:
                if await self._is_there(job, batch):
                    continue
                if done == BATCHES_A_CLAIM or not await self._set(job, batch, typesetter):
                    return False
                done += 1
        return True

    async def _is_there(self, job: Job, batch: Batch) -> bool:
        if batch.sha256 is None:
            return False
        path = self.path(job, batch.name)
        return await on_disk(files.read_if_intact, path, batch.sha256) is not None

    async def _set(self, job: Job, batch: Batch, typesetter: Typesetter) -> bool:
        """Set one batch; return whether it is recorded."""
        async with self._uow.pool.acquire() as connection:
            rows = await LetterStore(connection).rows(job.file_id, batch)
        sheet = Sheet(job, rows)
        document, failed = await sheet.print(typesetter)
        with await on_disk(files.FileWriter, self.path(job, batch.name), job.lease_epoch) as writer:
            await on_disk(writer.write, document.pdf)
            sha256 = await on_disk(writer.place)
        faults.reach("press.before_record")
        async with self._uow.begin() as work:
            letters = LetterStore(work.connection)
            if not await JobStore(work.connection).lock_held(job):
                return False
            if len(await letters.rows(job.file_id, batch)) != len(rows):
                return False  # somebody was erased meanwhile, and still has a letter here
            await self._fail(job, failed, work)
            await letters.record(
                job.file_id,
                batch,
                pages=document.pages,
                sha256=sha256,
                size=len(document.pdf),
            )
        return True

    async def _fail(self, job: Job, failed: Sequence[UUID], work: Work) -> None:
        if not failed:
            return
        log.warning("supplier.letters_failed", file_id=str(job.file_id), count=len(failed))
        await LetterStore(work.connection).fail(job.file_id, failed, work.now)
        work.emit(
            LettersFailed(
                campaign_id=job.campaign_id,
                run_id=job.run_id,
                recipient_ids=tuple(failed),
                reason=CANNOT_BE_SET,
            )
        )

    async def write_index(self, job: Job) -> None:
        """Write which letter stands where in which file."""
        with await on_disk(files.FileWriter, self.path(job, INDEX_NAME), job.lease_epoch) as writer:
            sheet = text_sheet(FileLayout(), INDEX_COLUMNS)
            await on_disk(writer.write, sheet.head())
            after = 0
            while True:
                async with self._uow.pool.acquire() as connection:
                    found = await LetterStore(connection).index_after(
                        job.file_id, after, _INDEXED_AT_ONCE
                    )
                if not found:
                    break
                lines = [line for row in found for line in index_lines(row)]
                await on_disk(writer.write, sheet.rows(lines))
                after = found[-1]["batch"]
            await on_disk(writer.place)


class Sheet:
    """The letters of one batch."""

    def __init__(self, job: Job, rows: Sequence[Mapping[str, Any]]) -> None:
        self._job = job
        self._style = Style(job.letter, job.letter_language, LetterWindow(job.letter_window))
        self._rows = rows

    async def print(self, typesetter: Typesetter) -> tuple[Document, list[UUID]]:
        """Return the document, and the addressees whose letter cannot be set.

        Raises:
            LettersWait: it took too long.
        """
        try:
            try:
                return await self._document(typesetter, self._rows), []
            except BadLetter:
                failed = await self._failed(typesetter, self._rows)
            left = [row for row in self._rows if row["recipient_id"] not in failed]
            return await self._document(typesetter, left), sorted(failed)
        except TooSlow:
            message = "setting the letters takes too long: it is tried again by itself"
            raise LettersWait(message) from None

    async def _failed(self, typesetter: Typesetter, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
        """Return the addressees whose letter cannot be set, found by halving."""
        try:
            await self._document(typesetter, rows)
        except BadLetter:
            if len(rows) == 1:
                return {rows[0]["recipient_id"]}
            half = len(rows) // 2
            return await self._failed(typesetter, rows[:half]) | await self._failed(
                typesetter, rows[half:]
            )
        return set()

    async def _document(
        self, typesetter: Typesetter, rows: Sequence[Mapping[str, Any]]
    ) -> Document:
        if not rows:
            return Document(b"", ())
        letters = [self._letter(row) for row in rows]
        return await typesetter.set(self._style, letters, self._job.created_at)

    def _letter(self, row: Mapping[str, Any]) -> Letter:
        to = Addressee(**{name: row[name] for name in Addressee.__slots__})
        return letter_to(
            to,
            self._style,
            number=f"C-{self._job.campaign_number}",
            label=self._job.campaign_label,
        )


def index_lines(row: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return a line of the index for each letter of a batch; pages are counted from 1."""
    lines, page = [], 1
    name = name_of(row["batch"])
    letters = zip(row["recipient_ids"], row["pages"], strict=True)
    for position, (recipient_id, pages) in enumerate(letters, start=1):
        values = (name, position, recipient_id, page, pages)
        lines.append(dict(zip(INDEX_COLUMNS, values, strict=True)))
        page += pages
    return lines
