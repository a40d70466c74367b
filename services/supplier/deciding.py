"""What a person decides about a mail that was refused, or that nobody knows about."""

from __future__ import annotations

from uuid import UUID

from services.supplier.clerk import notified
from services.supplier.domain import DECIDED, Decision, JobState
from services.supplier.store.attempts import AttemptStore
from services.supplier.store.jobs import JobStore
from services.supplier.workflows import SUPPLIER_MGT
from shared.errors import Refused
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.message import Actor


async def decide(work: Work, file_id: UUID, decision: Decision, actor: Actor) -> None:
    """Count a router as notified, or have the mail sent again.

    Raises:
        Refused: the actor may not, or nothing is to be decided about this file.
    """
    await require(work, actor, Right.MANAGE_SUPPLIERS)
    store = JobStore(work.connection)
    job = await store.lock_decidable(file_id)
    if job is None:
        raise Refused("only a file whose mail is ambiguous or failed waits for a decision")
    await AttemptStore(work.connection).decide(file_id, decision, actor.id, work.now)
    state = DECIDED[decision]
    await store.settle(file_id, state, work.now)
    await wake(work, SUPPLIER_MGT)
    if state is JobState.NOTIFIED:
        work.emit(notified(job))
