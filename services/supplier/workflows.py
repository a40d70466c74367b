"""supplierMgt: orders the steps of files, post-processes them, finds attempts nobody knows.

The workflow only moves rows. Files and mails are the clerk's, outside any transaction, and the
clerk does nothing that was not ordered here: with supplierMgt stopped, files wait.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.supplier.domain.jobs import JobState
from services.supplier.instances import SUPPLIER_MGT
from services.supplier.postprocessing import apply_next, close_next, start_some
from services.supplier.settings import SupplierSettings
from services.supplier.store.attempts import AttemptStore
from services.supplier.store.jobs import JobStore
from shared.uow import Work
from shared.workflows import Step, TechnicalWorkflow

JOBS_PER_STEP: Final = 100


async def manage(work: Work) -> Step:
    """Do what is due for at most a hundred files."""
    done = await start_some(work, JOBS_PER_STEP)
    lost = await _find_lost_attempts(work)
    reported = await apply_next(work) + await close_next(work)
    keep = timedelta(days=_settings(work).supplier_keep_days)
    ordered = await JobStore(work.connection).order(work.now, keep=keep, limit=JOBS_PER_STEP)
    return Step(
        rows_in=done + lost + reported + ordered,
        rows_out=done + reported + ordered,
        more=reported > 0 or JOBS_PER_STEP in (done, lost, ordered),
    )


async def _find_lost_attempts(work: Work) -> int:
    """Whoever called the router's server is gone: only a person can say whether it has the mail."""
    store = JobStore(work.connection)
    jobs = await store.lock_some(JobState.MAIL_ATTEMPTED, JOBS_PER_STEP)
    for job in jobs:
        await AttemptStore(work.connection).give_up(job.file_id, work.now)
        reason = "the call was cut off: ask the router whether the mail has come, then decide"
        await store.settle(job.file_id, JobState.AMBIGUOUS, work.now, error=reason)
    return len(jobs)


def _settings(work: Work) -> SupplierSettings:
    if not isinstance(work.settings, SupplierSettings):
        problem = "supplierMgt runs with the settings of the supplier service"
        raise TypeError(problem)
    return work.settings


WORKFLOWS: Final = (
    TechnicalWorkflow(
        name=SUPPLIER_MGT,
        label="Jobs on service providers",
        label_fr="Traitements sur les prestataires",
        package="Campaign",
        run=manage,
    ),
)
