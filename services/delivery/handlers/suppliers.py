"""Suppliers' answers about the letters of a run."""

from __future__ import annotations

from uuid import UUID

from services.delivery.domain.runs import Reason
from services.delivery.store.letters import LetterStore
from services.delivery.store.runs import RunStore
from shared.registry import Registry
from shared.uow import Work
from topics.delivery import Outcome
from topics.supplier import LettersFailed, SupplierNotified, SupplierRefused

registry = Registry()


@registry.on(SupplierNotified)
async def supplier_notified(event: SupplierNotified, work: Work) -> None:
    """Count a run's letters as sent: the router's server took the file."""
    await _settle(work, event.run_id, Outcome.SENT, "")


@registry.on(SupplierRefused)
async def supplier_refused(event: SupplierRefused, work: Work) -> None:
    """Count a run's letters as failed, with the supplier's reason."""
    if event.run_id is not None:
        reason = f"{Reason.SUPPLIER_REFUSED}: {event.reason}"
        await _settle(work, event.run_id, Outcome.FAILED, reason)


@registry.on(LettersFailed)
async def letters_failed(event: LettersFailed, work: Work) -> None:
    """Count those as failed whose letter cannot be set; it comes before the supplier's answer."""
    reason = f"{Reason.PERSONALISATION}: letter: {event.reason}"
    if await LetterStore(work.connection).fail(event.run_id, event.recipient_ids, reason, work.now):
        await RunStore(work.connection).mark(event.run_id)


async def _settle(work: Work, run_id: UUID, outcome: Outcome, reason: str) -> None:
    runs = RunStore(work.connection)
    run = await runs.lock(run_id)
    if run is None or run.letters_outcome is not None:
        return
    await runs.change(run_id, letters_outcome=outcome.value, letters_reason=reason)
    await runs.mark(run_id)
