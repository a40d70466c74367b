"""What follows once a router has a file: the router's word on each letter, then the end.

A file's post-processing is the one its service asked for. By confirmation, it ends at once: all
letters count as sent. By results, each letter waits for a line of a result file, or for a person
who says what the rest is. Every letter has one outcome, whatever is reported twice. While a file's
post-processing is not started, nothing of it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from services.supplier.domain.jobs import JobState
from services.supplier.domain.results import Answer, LetterOutcome, settle
from services.supplier.instances import end_instance, note_run
from services.supplier.store.jobs import Job, JobStore
from services.supplier.store.results import ResultStore
from shared.uow import Work
from topics.supplier import Ending, FailedLetter, LettersReported, PostProcessingRecorded

LETTERS_AT_ONCE: Final = 1_000
NOT_REPORTED: Final = "not in the router's results"


async def start_some(work: Work, limit: int) -> int:
    """Start the post-processing of files that their routers have; return of how many."""
    store = JobStore(work.connection)
    jobs = await store.lock_notified(limit)
    for job in jobs:
        if job.ending is Ending.RESULTS:
            await store.settle(job.file_id, JobState.AWAITING_RESULTS, work.now)
            await note_run(job.file_id, work)
            await _end_if_all_reported(work, job)
        else:
            await _end(work, job)
    return len(jobs)


async def _end(work: Work, job: Job) -> None:
    await JobStore(work.connection).settle(job.file_id, JobState.POST_PROCESSED, work.now)
    await end_instance(job.file_id, work)
    work.emit(
        PostProcessingRecorded(campaign_id=job.campaign_id, run_id=job.run_id, file_id=job.file_id)
    )


async def apply_next(work: Work) -> int:
    """Apply some lines of the oldest result file; return how many."""
    results = ResultStore(work.connection)
    one = await results.next_open()
    job = await JobStore(work.connection).lock(one.file_id) if one else None
    if one is None or job is None:
        return 0
    answers = await results.lines_of(one, LETTERS_AT_ONCE)
    ordinals = [answer.ordinal for answer in answers]
    addressees = await results.addressees(job.file_id, ordinals)
    settled = settle(answers, addressees, await results.outcomes(job.file_id, ordinals))
    await _report(work, job, settled.taken, addressees, one.import_id)
    over = len(answers) < LETTERS_AT_ONCE
    await results.applied(
        one,
        taken=len(settled.taken),
        repeated=settled.repeated,
        rejected=settled.rejected,
        to=answers[-1].line if answers else one.applied_to,
        ended_at=work.now if over else None,
    )
    if over:
        await _end_if_all_reported(work, job)
    return max(len(answers), 1)


async def close_next(work: Work) -> int:
    """Report letters that no result file names, of a file that a person closed; return how many."""
    results = ResultStore(work.connection)
    job = await JobStore(work.connection).lock_closed()
    if job is None or job.rest_outcome is None:
        return 0
    left = await results.unreported(job.file_id, LETTERS_AT_ONCE)
    outcome = LetterOutcome(job.rest_outcome)
    answers = [Answer(0, ordinal, outcome, NOT_REPORTED) for ordinal in left]
    await _report(work, job, answers, left, None)
    await _end_if_all_reported(work, job)
    return max(len(answers), 1)


async def _report(
    work: Work,
    job: Job,
    answers: Sequence[Answer],
    addressees: Mapping[int, UUID],
    import_id: UUID | None,
) -> None:
    if not answers:
        return
    await ResultStore(work.connection).keep(job.file_id, answers, import_id)
    await note_run(job.file_id, work)
    sent = sum(one.outcome is LetterOutcome.SENT for one in answers)
    await JobStore(work.connection).count(job.file_id, sent=sent, failed=len(answers) - sent)
    work.emit(
        LettersReported(
            campaign_id=job.campaign_id,
            run_id=job.run_id,
            file_id=job.file_id,
            sent=tuple(
                addressees[one.ordinal] for one in answers if one.outcome is LetterOutcome.SENT
            ),
            failed=tuple(
                FailedLetter(recipient_id=addressees[one.ordinal], reason=one.reason)
                for one in answers
                if one.outcome is LetterOutcome.FAILED
            ),
        )
    )


async def _end_if_all_reported(work: Work, job: Job) -> None:
    """End the post-processing of a file whose router reported on every letter."""
    now = await JobStore(work.connection).lock(job.file_id)
    if now is None or now.state is not JobState.AWAITING_RESULTS:
        return
    if await ResultStore(work.connection).unreported(job.file_id, 1):
        return
    await _end(work, job)
