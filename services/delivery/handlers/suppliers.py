"""Suppliers' answers about the letters of a run."""

from __future__ import annotations

from uuid import UUID

from services.delivery.approving import SERVICE, end, open_approval
from services.delivery.domain.runs import Reason
from services.delivery.store.approvals import ApprovalStore, Request
from services.delivery.store.causes import first_time
from services.delivery.store.letters import LetterStore
from services.delivery.store.runs import RunStore
from shared.ids import new_id
from shared.registry import Registry
from shared.uow import Work
from topics.delivery import ApprovalKind, ApprovalOutcome, Outcome
from topics.supplier import (
    ExtractionSubmitted,
    LettersFailed,
    LettersReported,
    RouterProofSubmitted,
    SupplierNotified,
    SupplierRefused,
)

registry = Registry()


@registry.on(SupplierNotified)
async def supplier_notified(event: SupplierNotified, work: Work) -> None:
    """Count a run's letters as sent: the router's server took the file.

    Where the router reports on each letter, they wait for its word.
    """
    if not event.awaits_results:
        await _settle(work, event.run_id, Outcome.SENT, "")


@registry.on(SupplierRefused)
async def supplier_refused(event: SupplierRefused, work: Work) -> None:
    """Count a run's letters as failed, with the supplier's reason; as ignored after a stop."""
    if event.run_id is not None:
        reason = f"{Reason.SUPPLIER_REFUSED}: {event.reason}"
        await _settle(work, event.run_id, Outcome.FAILED, reason)


@registry.on(LettersFailed)
async def letters_failed(event: LettersFailed, work: Work) -> None:
    """Count those as failed whose letter cannot be set; it comes before the supplier's answer."""
    reason = f"{Reason.PERSONALISATION}: letter: {event.reason}"
    if await LetterStore(work.connection).fail(event.run_id, event.recipient_ids, reason, work.now):
        await RunStore(work.connection).mark(event.run_id)


@registry.on(LettersReported)
async def letters_reported(event: LettersReported, work: Work) -> None:
    """Count letters as their router reported them; whatever is final stays as it is."""
    failed = {
        one.recipient_id: f"{Reason.SUPPLIER_REFUSED}: {one.reason or 'no reason given'}"
        for one in event.failed
    }
    letters = LetterStore(work.connection)
    if await letters.report(event.run_id, event.sent, failed, work.now):
        await RunStore(work.connection).mark(event.run_id)


@registry.on(ExtractionSubmitted)
async def extraction_submitted(event: ExtractionSubmitted, work: Work) -> None:
    """Ask whoever approved the content for the approval of the file; its SHA-256 binds it."""
    await _ask(work, event, ApprovalKind.EXTRACTION_FILE, event.file_name)


@registry.on(RouterProofSubmitted)
async def router_proof_submitted(event: RouterProofSubmitted, work: Work) -> None:
    """Ask whoever approved the content for the approval of the router's proof."""
    await _ask(work, event, ApprovalKind.ROUTER_PROOF, event.proof_name)


async def _ask(
    work: Work, event: ExtractionSubmitted | RouterProofSubmitted, kind: ApprovalKind, name: str
) -> None:
    approvals = ApprovalStore(work.connection)
    run = await RunStore(work.connection).lock(event.run_id)
    content = await approvals.lock_of_run(event.run_id)
    if run is None or content is None or not await first_time(work):
        return
    pending = await approvals.lock_open_files(content.campaign_id, event.file_id, kind)
    if any(one.content_hash == event.sha256 for one in pending):
        return
    approval = await open_approval(
        work,
        Request(
            approval_id=new_id(),
            campaign_id=content.campaign_id,
            campaign_number=content.campaign_number,
            campaign_label=content.campaign_label,
            delivery_id=content.delivery_id,
            kind=kind,
            subject=name,
            proof_number=None,
            proof_path=event.review_path,
            count=event.rows,
            content_hash=event.sha256,
            snapshot_id=content.snapshot_id,
            snapshot_hash=content.snapshot_hash,
            requested_by=content.requested_by,
            requested_at=work.now,
            reviewer_ids=content.reviewer_ids,
            rules=content.rules,
            file_id=event.file_id,
        ),
    )
    if run.stop_reason is not None:
        reason = f"the delivery was stopped: {run.stop_reason}"
        await end(work, approval, ApprovalOutcome.WITHDRAWN, by=SERVICE, reason=reason)


async def _settle(work: Work, run_id: UUID, outcome: Outcome, reason: str) -> None:
    runs = RunStore(work.connection)
    run = await runs.lock(run_id)
    if run is None or run.letters_outcome is not None:
        return
    if outcome is Outcome.FAILED and run.stop_reason is not None:
        outcome, reason = Outcome.IGNORED, run.left_out
    await runs.change(run_id, letters_outcome=outcome.value, letters_reason=reason)
    await runs.mark(run_id)
