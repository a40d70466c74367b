"""Approvals in motion: opened, ended, withdrawn; each change is published and sets its timers."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast
from uuid import UUID

from services.delivery.domain.approvals import ENDS_WITHDRAWN, Approval, deadline, reminders
from services.delivery.settings import DeliverySettings
from services.delivery.store.approvals import ApprovalStore, Request
from services.delivery.store.runs import RunStore
from shared.timers import clear, set_timer
from shared.uow import Work
from topics.delivery import (
    ApprovalDecided,
    ApprovalOutcome,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalState,
)
from topics.message import Actor, system_actor

DEADLINE: Final = "approval.deadline"
REMINDER: Final = "approval.reminder"
SERVICE: Final = system_actor("delivery")


def settings_of(work: Work) -> DeliverySettings:
    """Return this service's settings."""
    return cast("DeliverySettings", work.settings)


async def open_approval(work: Work, request: Request) -> Approval:
    """Open an approval, ask for it and set its timers; an open one before it is withdrawn."""
    newer = "a newer request took its place"
    if request.file_id is None:
        await withdraw(work, request.campaign_id, newer, by=SERVICE)
    else:
        await withdraw_files(work, request.campaign_id, newer, by=SERVICE, file_id=request.file_id)
    approval = await ApprovalStore(work.connection).open(request)
    await set_timer(work, DEADLINE, str(approval.approval_id), approval.deadline_at)
    hours = settings_of(work).reminder_hours
    for number, at in reminders(approval.requested_at, approval.deadline_at, hours):
        await set_timer(work, REMINDER, f"{approval.approval_id}:{number}", at)
    work.emit(
        ApprovalRequested(
            campaign_id=approval.campaign_id,
            approval_id=approval.approval_id,
            revision=approval.revision,
            kind=approval.kind,
            snapshot_id=approval.snapshot_id,
            count=approval.count,
            content_hash=approval.content_hash,
            snapshot_hash=approval.snapshot_hash,
            deadline_at=approval.deadline_at,
            reviewer_ids=approval.reviewer_ids,
        )
    )
    publish(work, approval)
    return approval


def deadline_for(work: Work) -> datetime:
    """Return when an approval asked now expires."""
    return deadline(work.now, settings_of(work).approval_deadline_hours)


async def end(
    work: Work, approval: Approval, outcome: ApprovalOutcome, *, by: Actor, reason: str = ""
) -> Approval:
    """End an approval, publish how, and forget its timers; its row must be locked."""
    ended = await ApprovalStore(work.connection).end(
        approval.approval_id, outcome, by=by.id, at=work.now, reason=reason
    )
    await _clear_timers(work, approval.approval_id)
    work.emit(
        ApprovalDecided(
            campaign_id=ended.campaign_id,
            approval_id=ended.approval_id,
            revision=ended.revision,
            kind=ended.kind,
            outcome=outcome,
            reason=reason,
            by=by,
            at=work.now,
            snapshot_id=ended.snapshot_id,
            snapshot_hash=ended.snapshot_hash,
            content_hash=ended.content_hash,
            count=ended.count,
            file_id=ended.file_id,
        )
    )
    publish(work, ended)
    return ended


async def expire(work: Work, approval: Approval) -> Approval:
    """End an approval whose deadline has passed."""
    reason = "nobody answered before the deadline"
    return await end(work, approval, ApprovalOutcome.EXPIRED, by=SERVICE, reason=reason)


async def withdraw(work: Work, campaign_id: UUID, reason: str, *, by: Actor) -> Approval | None:
    """Withdraw a campaign's open or granted approval; ``None`` when there is none."""
    approval = await ApprovalStore(work.connection).lock_latest(campaign_id)
    if approval is None or approval.outcome not in ENDS_WITHDRAWN:
        return None
    await _halt_runs(work, approval.approval_id, reason)
    await withdraw_files(work, campaign_id, reason, by=by)
    return await end(work, approval, ApprovalOutcome.WITHDRAWN, by=by, reason=reason)


async def withdraw_files(
    work: Work, campaign_id: UUID, reason: str, *, by: Actor, file_id: UUID | None = None
) -> None:
    """Withdraw the open approvals of a campaign's files, or of one: none of them leaves then."""
    store = ApprovalStore(work.connection)
    for approval in await store.lock_open_files(campaign_id, file_id):
        await end(work, approval, ApprovalOutcome.WITHDRAWN, by=by, reason=reason)


async def _halt_runs(work: Work, approval_id: UUID, reason: str) -> None:
    """Let nothing more leave that went out on an approval which is not in force any more."""
    runs = RunStore(work.connection)
    for run in await runs.lock_started_on(approval_id):
        await runs.change(run.run_id, stop_reason=f"approval withdrawn: {reason}")
        await runs.mark(run.run_id)


async def remind(work: Work, approval_id: UUID, number: int) -> bool:
    """Send a reminder of an open approval, once; return whether it was sent."""
    approval = await ApprovalStore(work.connection).reminded(approval_id, number)
    if approval is None:
        return False
    work.emit(
        ApprovalReminded(
            campaign_id=approval.campaign_id,
            approval_id=approval_id,
            revision=approval.revision,
            number=number,
            deadline_at=approval.deadline_at,
            reviewer_ids=approval.reviewer_ids,
        )
    )
    publish(work, approval)
    return True


def publish(work: Work, approval: Approval) -> None:
    """Emit an approval's state for the bot and the pages."""
    work.emit(
        ApprovalState(
            version=approval.version,
            approval_id=approval.approval_id,
            campaign_id=approval.campaign_id,
            campaign_number=approval.campaign_number,
            campaign_label=approval.campaign_label,
            delivery_id=approval.delivery_id,
            revision=approval.revision,
            kind=approval.kind,
            outcome=approval.outcome,
            subject=approval.subject,
            proof_number=approval.proof_number,
            proof_path=approval.proof_path,
            count=approval.count,
            content_hash=approval.content_hash,
            snapshot_hash=approval.snapshot_hash,
            send_doubles=approval.send_doubles,
            file_id=approval.file_id,
            requested_by=approval.requested_by,
            requested_at=approval.requested_at,
            deadline_at=approval.deadline_at,
            reviewer_ids=approval.reviewer_ids,
            reminders_sent=approval.reminders_sent,
            warnings=approval.warnings,
            decided_by=approval.decided_by,
            decided_at=approval.decided_at,
            reason=approval.reason,
        )
    )


async def _clear_timers(work: Work, approval_id: UUID) -> None:
    await clear(work, DEADLINE, str(approval_id))
    for number in range(1, len(settings_of(work).reminder_hours) + 1):
        await clear(work, REMINDER, f"{approval_id}:{number}")
