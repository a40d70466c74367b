"""What a person decides about a mail that was refused, or that nobody knows about."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.supplier.clerk import notified
from services.supplier.domain.jobs import DECIDED, Decision, JobState, after_mail
from services.supplier.domain.results import LetterOutcome
from services.supplier.instances import SUPPLIER_MGT, end_instance
from services.supplier.store.attempts import AttemptStore
from services.supplier.store.jobs import JobStore
from services.supplier.writing import refused
from shared.errors import Refused
from shared.rights import Right, require
from shared.uow import Work
from shared.workflows import wake
from topics.message import Actor

RESTS: Final = {
    Decision.REST_SENT: LetterOutcome.SENT,
    Decision.REST_FAILED: LetterOutcome.FAILED,
}


async def decide(work: Work, file_id: UUID, decision: Decision, actor: Actor) -> None:
    """Have a file that does not go on by itself count as sent, be sent or written again, or end.

    Raises:
        Refused: the actor may not, or this is not to be decided about the file.
    """
    await require(work, actor, Right.MANAGE_SUPPLIERS)
    store = JobStore(work.connection)
    job = await store.lock(file_id)
    choices = DECIDED.get(job.state, {}) if job else {}
    if job is None or not choices:
        raise Refused(
            "only a file that is ambiguous, failed, returned or awaits results takes a decision"
        )
    if decision not in choices:
        allowed = ", ".join(choices)
        raise Refused(f"about a file that is {job.state}, decide: {allowed}", field="decision")
    await AttemptStore(work.connection).decide(file_id, decision, actor.id, work.now)
    if decision in RESTS:
        await store.set_rest(file_id, RESTS[decision])
        await wake(work, SUPPLIER_MGT)
        return
    state = choices[decision]
    if decision is Decision.SENT and job.state is not JobState.AWAITING_PROOF:
        state = after_mail(router_proof=job.router_proof, proof_approved=job.proof_approved)
    given_up = "given up by a person" if state is JobState.REFUSED else ""
    await store.settle(file_id, state, work.now, error=given_up)
    await wake(work, SUPPLIER_MGT)
    if state is JobState.NOTIFIED:
        work.emit(notified(job))
    elif state is JobState.REFUSED:
        await end_instance(file_id, work)
        work.emit(refused(job, given_up))
