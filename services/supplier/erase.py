"""Forgetting a person in extraction rows, and among the people at suppliers.

Whoever stands in an extraction file has no e-mail address here, so that an address finds contacts
of suppliers alone; addressees are erased by their id. The files themselves, and what is left of the
rows, are removed by supplierMgt ``SUPPLIER_KEEP_DAYS`` after their post-processing.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.supplier.domain.jobs import JobState
from services.supplier.instances import SUPPLIER_MGT
from services.supplier.store.jobs import JobStore
from services.supplier.store.letters import LetterStore
from services.supplier.store.suppliers import SupplierStore
from shared.uow import Work
from shared.workflows import wake

_UNSENT: Final = (
    JobState.ROWS_COMPLETE,
    JobState.FILE_TO_APPROVE,
    JobState.FILE_RETURNED,
    JobState.FILE_WRITTEN,
    JobState.FAILED,
)


async def erase(work: Work, recipient_key: str, address: str) -> int:  # noqa: ARG001
    """Remove contacts of suppliers by address; return how many (what every service offers)."""
    return await SupplierStore(work.connection).forget(address)


async def erase_recipient(work: Work, recipient_id: UUID) -> int:
    """Remove an addressee from all rows; return how many there were.

    A file that has not been mailed is written again without them. One that was mailed stays as
    the router has it, until it is removed.
    """
    rows = await work.connection.fetch(
        "SELECT DISTINCT file_id FROM extraction_rows WHERE recipient_id = $1 ORDER BY file_id",
        recipient_id,
    )
    for row in rows:
        await _erase_in(work, row["file_id"], recipient_id)
    return len(rows)


async def _erase_in(work: Work, file_id: UUID, recipient_id: UUID) -> None:
    store = JobStore(work.connection)
    job = await store.lock(file_id)
    rows = await work.connection.fetch(
        "DELETE FROM extraction_rows WHERE file_id = $1 AND recipient_id = $2 RETURNING ordinal",
        file_id,
        recipient_id,
    )
    if job is None or job.state is JobState.COLLECTING:
        return
    await work.connection.execute(
        "UPDATE jobs SET erased = erased + 1 WHERE file_id = $1 AND sha256 IS NOT NULL", file_id
    )
    # Once the router's proof is approved, the file is with the router and only the word is not.
    if job.state in _UNSENT and not job.proof_approved:
        await LetterStore(work.connection).unset(file_id, [row["ordinal"] for row in rows])
        await store.settle(file_id, JobState.ROWS_COMPLETE, work.now)
        await wake(work, SUPPLIER_MGT)
