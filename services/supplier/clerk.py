"""The clerk: writes files and mails routers, one ordered step after another.

Each step is claimed in one transaction and recorded in another; disk and network are touched in
between, with nothing locked. Killed anywhere, the step is done again when its lease has run out;
only a mail whose server was called is left to a person, because nobody else can know.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from services.supplier import files, mail
from services.supplier.domain import JobState, Outcome, after_attempt, retry_at
from services.supplier.files import on_disk
from services.supplier.press import LettersWait, Press
from services.supplier.settings import SupplierSettings
from services.supplier.store.attempts import AttemptStore
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.letters import LetterStore
from services.supplier.store.services import ServiceStore, SupplierService
from services.supplier.wording import Notice
from services.supplier.workflows import SUPPLIER_MGT
from shared import faults
from shared.consumer import wait_or_stop
from shared.errors import INTERRUPTIONS, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.service import Runtime
from shared.uow import UnitOfWork, Work
from shared.workflows import wake
from topics.supplier import ExtractionProduced, ExtractRows, SupplierNotified, SupplierRefused

log = logger(__name__)

IDLE_SECONDS: Final = 0.25
ROWS_AT_ONCE: Final = 5_000
ROWS_REMOVED_AT_ONCE: Final = 20_000


class Clerk:
    """Carries out the ordered steps of one service.

    Args:
        uow: opens transactions of the service.
        settings: where files lie and how mails leave.
    """

    def __init__(self, uow: UnitOfWork, settings: SupplierSettings) -> None:
        self._uow = uow
        self._settings = settings
        self._press = Press(uow, settings)

    async def step(self) -> bool:
        """Carry out one ordered step; return whether there was one."""
        async with self._uow.begin() as work:
            job = await JobStore(work.connection).claim(self._settings.supplier_lease_seconds)
        if job is None:
            return False
        try:
            await self._carry_out(job)
        except (files.DiskProblem, LettersWait) as problem:
            # Disk full, folder not writable: the file waits, and the list says why.
            log.warning("supplier.put_off", file_id=str(job.file_id), reason=str(problem))
            await self._put_off(job, str(problem))
        return True

    async def _carry_out(self, job: Job) -> None:
        if job.state is JobState.ROWS_COMPLETE:
            await self._write(job)
        elif job.state is JobState.FILE_WRITTEN:
            await self._mail(job)
        elif job.state is JobState.POST_PROCESSED:
            await self._remove(job)

    def path(self, job: Job) -> Path:
        """Return where a job's file lies."""
        return files.path_of(self._settings.supplier_files, job.file_id, job.file_name)

    async def _write(self, job: Job) -> None:
        if job.letter and not await self._press.press(job):
            await self._write_again(job)
            return
        with await on_disk(files.FileWriter, self.path(job), job.lease_epoch) as writer:
            rows = await self._write_rows(job, writer)
            sha256 = await on_disk(writer.commit)
        if job.letter:
            await self._press.write_index(job)
        async with self._uow.begin() as work:
            await self._note_written(job, work, rows=rows, sha256=sha256)

    async def _note_written(self, job: Job, work: Work, *, rows: int, sha256: str) -> None:
        store = JobStore(work.connection)
        if not await store.lock_held(job):
            return
        await wake(work, SUPPLIER_MGT)
        batches = await LetterStore(work.connection).batches(job.file_id)
        unset = any(batch.sha256 is None for batch in batches)
        if unset or await store.count_rows(job.file_id) != rows:
            # Somebody was erased meanwhile and is still in the file: it is written again.
            await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
            return
        if job.letter and not rows:
            await self._refuse(job, work)
            return
        pages = sum(sum(batch.pages) for batch in batches)
        await store.note_file(job.file_id, sha256=sha256, rows=rows, pages=pages)
        await store.settle(job.file_id, JobState.FILE_WRITTEN, work.now)
        if not job.announced:
            work.emit(_produced(job, rows=rows, sha256=sha256))

    async def _refuse(self, job: Job, work: Work) -> None:
        """End a file of letters of which none can be set."""
        reason = "none of the letters can be set: mend the template's letter, then start again"
        await JobStore(work.connection).settle(
            job.file_id, JobState.REFUSED, work.now, error=reason
        )
        work.emit(
            SupplierRefused(
                subject_id=job.campaign_id,
                run_id=job.run_id,
                command=ExtractRows.__name__,
                reason=reason,
            )
        )

    async def _write_rows(self, job: Job, writer: files.FileWriter) -> int:
        await on_disk(writer.write, files.titles(job.columns))
        rows, after = 0, -1
        while True:
            async with self._uow.pool.acquire() as connection:
                page = await JobStore(connection).rows_after(job.file_id, after, ROWS_AT_ONCE)
            piece = files.as_csv((dict(row) for row in page), job.columns)
            await on_disk(writer.write, piece)
            rows += len(page)
            if len(page) < ROWS_AT_ONCE:
                return rows
            after = page[-1]["ordinal"]

    async def _mail(self, job: Job) -> None:
        content = await on_disk(files.read_if_intact, self.path(job), job.sha256 or "")
        attached = await self._press.attachments(job) if job.letter else []
        if content is None or attached is None:
            await self._write_again(job)
            return
        attempt_id = new_id()
        letter = await self._begin_attempt(job, attempt_id, [(job.file_name, content), *attached])
        if letter is None:
            return
        faults.reach("sender.before_call")
        answer = await mail.send(
            self._settings, sender=letter.sender, router=letter.router, mail=mail.build(letter)
        )
        faults.reach("sender.after_call")
        async with self._uow.begin() as work:
            await self._end_attempt(job, attempt_id, answer, work)

    async def _write_again(self, job: Job) -> None:
        """Have a file written from its rows: there is more to set, or another host wrote it."""
        async with self._uow.begin() as work:
            store = JobStore(work.connection)
            if await store.lock_held(job):
                await store.settle(job.file_id, JobState.ROWS_COMPLETE, work.now)
                await wake(work, SUPPLIER_MGT)

    async def _begin_attempt(
        self, job: Job, attempt_id: UUID, attached: mail.Attachments
    ) -> mail.Letter | None:
        async with self._uow.begin() as work:
            store = JobStore(work.connection)
            service = await ServiceStore(work.connection).find(job.service_id)
            if service is None or not await store.lock_held(job):
                return None
            await AttemptStore(work.connection).begin(attempt_id, job.file_id, work.now)
            await store.attempted(job.file_id)
            return self._letter(job, service, attached, work)

    def _letter(
        self, job: Job, service: SupplierService, attached: mail.Attachments, work: Work
    ) -> mail.Letter:
        notice = Notice(
            supplier=service.supplier,
            service=service.label,
            number=job.campaign_number,
            campaign=job.campaign_label,
            file_name=job.file_name,
            rows=job.rows,
            sha256=job.sha256 or "",
            pages=job.pages,
            letters_attached=any(name.endswith(".pdf") for name, _ in attached),
        )
        return mail.Letter(
            file_id=job.file_id,
            sender=self._settings.supplier_sender,
            router=service.router_address,
            language=service.language,
            notice=notice,
            attached=attached,
            at=work.now,
        )

    async def _end_attempt(
        self, job: Job, attempt_id: UUID, answer: mail.Answer, work: Work
    ) -> None:
        store, attempts = JobStore(work.connection), AttemptStore(work.connection)
        now = await store.lock(job.file_id)
        if not await attempts.end(attempt_id, answer.outcome, answer.text, work.now):
            return
        if not await attempts.is_latest(attempt_id, job.file_id):
            return
        if now is None or now.state not in (JobState.MAIL_ATTEMPTED, JobState.AMBIGUOUS):
            return
        failures = 0 if answer.outcome is Outcome.ACCEPTED else job.failures + 1
        state = after_attempt(answer.outcome, failures, self._settings.supplier_mail_attempts)
        await store.settle(
            job.file_id,
            state,
            work.now,
            error=error_of(answer.outcome, answer.text),
            next_at=self._next_at(work, failures) if state is JobState.FILE_WRITTEN else None,
            failures=failures,
        )
        await wake(work, SUPPLIER_MGT)
        if state is JobState.NOTIFIED:
            work.emit(notified(job))

    def _next_at(self, work: Work, failures: int) -> datetime:
        return retry_at(work.now, failures - 1, self._settings.supplier_retry_base_seconds)

    async def _put_off(self, job: Job, error: str) -> None:
        async with self._uow.begin() as work:
            store = JobStore(work.connection)
            if await store.lock_held(job):
                failures = job.failures + 1
                await store.settle(
                    job.file_id,
                    job.state,
                    work.now,
                    error=error,
                    next_at=self._next_at(work, failures),
                    failures=failures,
                )

    async def _remove(self, job: Job) -> None:
        await on_disk(files.remove, self.path(job))
        gone = False
        while not gone:
            async with self._uow.begin() as work:
                store = JobStore(work.connection)
                if not await store.lock_held(job):
                    return
                gone = await store.drop_rows(job.file_id, ROWS_REMOVED_AT_ONCE)
                if gone:
                    await store.settle(job.file_id, JobState.REMOVED, work.now)


def error_of(outcome: Outcome, answer: str) -> str:
    """Return what the list of files says about an attempt, and what to do next."""
    match outcome:
        case Outcome.ACCEPTED:
            return ""
        case Outcome.DEFERRED:
            return f"not taken yet ({answer}): tried again by itself"
        case Outcome.REFUSED:
            return f"the router's server refused ({answer}): mend the address, then send again"
        case Outcome.AMBIGUOUS:
            return (
                "the server did not answer: ask the router whether the mail has come, then decide"
            )


def _produced(job: Job, *, rows: int, sha256: str) -> ExtractionProduced:
    return ExtractionProduced(
        campaign_id=job.campaign_id,
        run_id=job.run_id,
        service_id=job.service_id,
        file_id=job.file_id,
        file_name=job.file_name,
        rows=rows,
        sha256=sha256,
    )


def notified(job: Job) -> SupplierNotified:
    """Return the event that a router has a file."""
    return SupplierNotified(
        campaign_id=job.campaign_id,
        run_id=job.run_id,
        service_id=job.service_id,
        file_id=job.file_id,
        rows=job.rows,
    )


async def serving(runtime: Runtime, stop: asyncio.Event) -> None:
    """Carry out ordered steps while the service runs (a task of the service)."""
    settings = runtime.settings
    if not isinstance(settings, SupplierSettings):
        problem = "the clerk runs with the settings of the supplier service"
        raise TypeError(problem)
    clerk = Clerk(runtime.uow, settings)
    while not stop.is_set():
        try:
            worked = await clerk.step()
        except INTERRUPTIONS as problem:
            log.warning("supplier.interrupted", error=reason_of(problem))
            worked = False
        if not worked:
            await wait_or_stop(stop, IDLE_SECONDS)
