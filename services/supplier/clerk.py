"""The clerk: writes files and mails routers, one ordered step after another.

Each step is claimed in one transaction and recorded in another; disk and network are touched in
between, with nothing locked. Killed anywhere, the step is done again when its lease has run out;
only a mail whose server was called is left to a person, because nobody else can know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from services.supplier import files, mail, shelf
from services.supplier.courier import NotDelivered, hand_over
from services.supplier.domain.jobs import JobState, after_attempt, after_mail, retry_at
from services.supplier.files import on_disk
from services.supplier.instances import SUPPLIER_MGT
from services.supplier.links import file_token, link_to
from services.supplier.press import LettersWait, Press
from services.supplier.settings import SupplierSettings
from services.supplier.store.attempts import AttemptStore
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.letters import Batch, LetterStore
from services.supplier.store.services import ServiceStore, SupplierService
from services.supplier.store.suppliers import SupplierStore
from services.supplier.wording import Notice, Proof
from services.supplier.writing import Scribe
from shared import faults
from shared.errors import INTERRUPTIONS, reason_of
from shared.ids import new_id
from shared.logs import logger
from shared.mail import sending
from shared.mail.outcome import Answer, Outcome
from shared.service import Runtime
from shared.uow import UnitOfWork, Work
from shared.waiting import wait_or_stop
from shared.workflows import wake
from topics.supplier import Ending, Handover, SupplierNotified

log = logger(__name__)

IDLE_SECONDS: Final = 0.25
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
        self._scribe = Scribe(uow, settings, self._press)

    async def step(self) -> bool:
        """Carry out one ordered step; return whether there was one."""
        async with self._uow.begin() as work:
            job = await JobStore(work.connection).claim(self._settings.supplier_lease_seconds)
        if job is None:
            return False
        try:
            await self._carry_out(job)
        except (files.DiskProblem, LettersWait, NotDelivered) as problem:
            # Disk full, folder not writable, server away: the file waits, and the list says why.
            log.warning("supplier.put_off", file_id=str(job.file_id), reason=str(problem))
            await self._put_off(job, str(problem))
        return True

    async def _carry_out(self, job: Job) -> None:
        if job.state is JobState.ROWS_COMPLETE:
            await self._scribe.write(job)
        elif job.state is JobState.FILE_WRITTEN:
            await (self._hand_over(job) if job.to_transfer else self._mail(job))
        elif job.state is JobState.POST_PROCESSED:
            await self._remove(job)

    def _path(self, job: Job) -> Path:
        return files.path_of(self._settings.supplier_files, job.file_id, job.file_name)

    async def _mail(self, job: Job) -> None:
        attached = await self._attachments(job)
        if attached is None:
            await self._scribe.write_again(job)
            return
        attempt_id = new_id()
        letter = await self._begin_attempt(job, attempt_id, attached)
        if letter is None:
            return
        faults.reach("sender.before_call")
        answer = await sending.send(
            self._settings,
            sender=letter.sender,
            recipient=letter.router,
            mail=mail.build(letter),
            copies=letter.copies,
        )
        faults.reach("sender.after_call")
        async with self._uow.begin() as work:
            await self._end_attempt(job, attempt_id, answer, work)

    async def _attachments(self, job: Job) -> list[mail.Attachment] | None:
        """Return what goes with the mail; ``None`` when a file is not there as it was written.

        Nothing goes with the word to print. Else that is the manifest, and where the router takes
        its file from the mail, the file and what letters are not too big for one.
        """
        if job.proof_approved:
            return []
        items = await self._items(job)
        letters = sum(batch.bytes for batch in await self._batches(job))
        taken: list[mail.Attachment] = []
        for item in items:
            too_big = item.name.endswith(".pdf") and letters > self._settings.supplier_attach_bytes
            try:
                content = await shelf.read(self._settings.supplier_files, job.file_id, item)
            except shelf.NotThere:
                return None
            if item.content is not None or (job.handover is Handover.ATTACHED and not too_big):
                taken.append(mail.Attachment(item.name, item.media_type, content))
        return taken

    async def _items(self, job: Job) -> list[shelf.Item]:
        return shelf.items_of(job, await self._batches(job))

    async def _batches(self, job: Job) -> list[Batch]:
        async with self._uow.pool.acquire() as connection:
            return await LetterStore(connection).batches(job.file_id)

    async def _hand_over(self, job: Job) -> None:
        """Put a file where its router takes it; done again, the same bytes lie there once."""
        async with self._uow.pool.acquire() as connection:
            services = ServiceStore(connection)
            service = await services.find(job.service_id)
            sealed = await services.secret(job.service_id)
        if service is None:
            return
        items = sorted(await self._items(job), key=lambda one: one.content is not None)
        try:
            await hand_over(
                self._settings,
                service,
                job.handover,
                sealed,
                items,
                lambda item: shelf.read(self._settings.supplier_files, job.file_id, item),
            )
        except shelf.NotThere:
            await self._scribe.write_again(job)
            return
        faults.reach("courier.before_record")
        async with self._uow.begin() as work:
            store = JobStore(work.connection)
            if await store.lock_held(job):
                await store.transferred(job.file_id, job.sha256 or "")
                await store.settle(job.file_id, JobState.FILE_WRITTEN, work.now)
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
            copies = await SupplierStore(work.connection).notified(job.service_id)
            return self._letter(job, service, attached, copies, work)

    def _letter(
        self,
        job: Job,
        service: SupplierService,
        attached: mail.Attachments,
        copies: Sequence[str],
        work: Work,
    ) -> mail.Letter:
        names = {one.name for one in attached}
        letters_attached = any(name.endswith(".pdf") for name in names)
        file_attached = job.file_name in names
        link, until = "", ""
        too_big = job.handover is Handover.ATTACHED and job.pages and not letters_attached
        if not job.proof_approved and (job.handover is Handover.LINK or too_big):
            given = link_to(job.file_id, now=work.now, days=self._settings.supplier_link_days)
            link = f"{self._settings.public_url}/f/{file_token(self._settings.secret, given)}"
            until = f"{given.until:%Y-%m-%d %H:%M}"
        notice = Notice(
            supplier=service.supplier,
            service=service.label,
            number=job.campaign_number,
            campaign=job.campaign_label,
            file_name=job.file_name,
            rows=job.rows,
            sha256=job.sha256 or "",
            pages=job.pages,
            letters_attached=letters_attached,
            file_attached=file_attached,
            link=link,
            place=place_of(job.handover, service),
            proof=proof_of(job),
            until=until,
        )
        return mail.Letter(
            file_id=job.file_id,
            sender=self._settings.supplier_sender,
            router=service.router_address,
            copies=copies,
            language=service.language,
            notice=notice,
            attached=attached,
            at=work.now,
        )

    async def _end_attempt(self, job: Job, attempt_id: UUID, answer: Answer, work: Work) -> None:
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
        if state is JobState.NOTIFIED:
            state = after_mail(router_proof=job.router_proof, proof_approved=job.proof_approved)
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
        await on_disk(files.remove, self._path(job))
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


def place_of(handover: Handover, service: SupplierService) -> str:
    """Return where a router finds its files, if it takes them from a place."""
    if handover is Handover.FOLDER:
        return service.folder
    if handover is Handover.SFTP and service.sftp is not None:
        return f"{service.sftp.host}:{service.folder or '.'}"
    return ""


def proof_of(job: Job) -> Proof:
    """Return what a mail says of the router's proof."""
    if job.proof_approved:
        return Proof.APPROVED
    return Proof.AWAITED if job.router_proof else Proof.NONE


def notified(job: Job) -> SupplierNotified:
    """Return the event that a router has a file."""
    return SupplierNotified(
        campaign_id=job.campaign_id,
        run_id=job.run_id,
        service_id=job.service_id,
        file_id=job.file_id,
        rows=job.rows,
        awaits_results=job.ending is Ending.RESULTS,
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
