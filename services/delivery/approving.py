"""Approvals in motion: opened, ended, withdrawn; each change is published and sets its timers."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast
from uuid import UUID

from services.delivery.domain.approvals import Approval
from services.delivery.domain.terms import Defaults, Terms, terms
from services.delivery.settings import DeliverySettings
from services.delivery.store.approval_log import ApprovalLog, LogEvent
from services.delivery.store.approvals import ApprovalStore, Request
from services.delivery.store.runs import RunStore
from shared.rights import members_of
from shared.timers import clear, set_timer
from shared.uow import Work
from topics.delivery import (
    ApprovalDecided,
    ApprovalOutcome,
    ApprovalRequested,
    ApprovalState,
)
from topics.message import Actor, system_actor

DEADLINE: Final = "approval.deadline"
REMINDER: Final = "approval.reminder"
ESCALATION: Final = "approval.escalation"
SNOOZE: Final = "approval.snooze"
TIMERS: Final = (DEADLINE, REMINDER, ESCALATION, SNOOZE)
SERVICE: Final = system_actor("delivery")


def settings_of(work: Work) -> DeliverySettings:
    """Return this service's settings."""
    return cast("DeliverySettings", work.settings)


async def open_approval(work: Work, request: Request) -> Approval:
    """Open an approval, ask for it and set its timers.

    The one of its kind that was open or in force is withdrawn, and those over another snapshot.
    """
    approval = await _enter(work, request)
    await set_timer(work, DEADLINE, str(approval.approval_id), approval.deadline_at)
    for number, at in enumerate(approval.remind_at, 1):
        await set_timer(work, REMINDER, f"{approval.approval_id}:{number}", at)
    if approval.escalate_at is not None:
        await set_timer(work, ESCALATION, str(approval.approval_id), approval.escalate_at)
    await ApprovalLog(work.connection).add(
        approval,
        LogEvent.REQUESTED,
        work.now,
        by=approval.requested_by,
        operator_ids=approval.reviewer_ids,
        until=approval.deadline_at,
    )
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


async def grant_at_once(work: Work, request: Request, reason: str) -> Approval:
    """Write an approval that is granted already: nobody is asked, and nobody reminded."""
    approval = await _enter(work, request)
    return await end(work, approval, ApprovalOutcome.APPROVED, by=SERVICE, reason=reason)


async def _enter(work: Work, request: Request) -> Approval:
    newer = "a newer request took its place"
    if request.file_id is None:
        await _make_way(work, request, newer)
    else:
        await withdraw_files(work, request.campaign_id, newer, by=SERVICE, of=request)
    return await ApprovalStore(work.connection).open(request, await _terms(work, request))


async def _make_way(work: Work, request: Request, reason: str) -> None:
    for approval in await ApprovalStore(work.connection).lock_in_force(request.campaign_id):
        if approval.kind is request.kind or approval.snapshot_id != request.snapshot_id:
            await _withdraw_one(work, approval, reason, by=SERVICE)


async def _terms(work: Work, request: Request) -> Terms:
    """Return the terms of a request; the members of its groups are asked as they are now."""
    settings = settings_of(work)
    defaults = Defaults(
        settings.approval_deadline_hours, settings.reminder_hours, request.reviewer_ids
    )
    found = terms(request.rules.of(request.kind), defaults, request.requested_at)
    members = await members_of(work, found.reviewer_groups)
    return replace(found, reviewer_ids=tuple(dict.fromkeys([*found.reviewer_ids, *members])))


async def end(
    work: Work, approval: Approval, outcome: ApprovalOutcome, *, by: Actor, reason: str = ""
) -> Approval:
    """End an approval, publish how, and forget its timers; its row must be locked."""
    ended = await ApprovalStore(work.connection).end(
        approval.approval_id, outcome, by=by.id, at=work.now, reason=reason
    )
    await _clear_timers(work, approval)
    log = ApprovalLog(work.connection)
    await log.add(ended, outcome.value, work.now, by=by.id, comment=reason)
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


async def withdraw(work: Work, campaign_id: UUID, reason: str, *, by: Actor) -> None:
    """Withdraw a campaign's open and granted approvals, of every kind and of its files."""
    in_force = await ApprovalStore(work.connection).lock_in_force(campaign_id)
    for approval in in_force:
        await _withdraw_one(work, approval, reason, by=by)
    if in_force:
        await withdraw_files(work, campaign_id, reason, by=by)


async def _withdraw_one(work: Work, approval: Approval, reason: str, *, by: Actor) -> None:
    await _halt_runs(work, approval.approval_id, reason)
    await end(work, approval, ApprovalOutcome.WITHDRAWN, by=by, reason=reason)


async def withdraw_files(
    work: Work, campaign_id: UUID, reason: str, *, by: Actor, of: Request | None = None
) -> None:
    """Withdraw a campaign's open approvals of files, or those that a request takes the place of."""
    store = ApprovalStore(work.connection)
    file_id, kind = (of.file_id, of.kind) if of else (None, None)
    for approval in await store.lock_open_files(campaign_id, file_id, kind):
        await end(work, approval, ApprovalOutcome.WITHDRAWN, by=by, reason=reason)


async def _halt_runs(work: Work, approval_id: UUID, reason: str) -> None:
    """Let nothing more leave that went out on an approval which is not in force any more."""
    runs = RunStore(work.connection)
    for run in await runs.lock_started_on(approval_id):
        await runs.change(run.run_id, stop_reason=f"approval withdrawn: {reason}")
        await runs.mark(run.run_id)


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
            has_letter=approval.has_letter,
            file_id=approval.file_id,
            requested_by=approval.requested_by,
            requested_at=approval.requested_at,
            deadline_at=approval.deadline_at,
            reviewer_ids=approval.reviewer_ids,
            reviewer_groups=approval.reviewer_groups,
            reminders_sent=approval.reminders_sent,
            warnings=approval.warnings,
            decided_by=approval.decided_by,
            decided_at=approval.decided_at,
            reason=approval.reason,
        )
    )


async def _clear_timers(work: Work, approval: Approval) -> None:
    store, key = ApprovalStore(work.connection), str(approval.approval_id)
    for kind in (DEADLINE, ESCALATION):
        await clear(work, kind, key)
    for number in range(1, len(approval.remind_at) + 1):
        await clear(work, REMINDER, f"{key}:{number}")
    for operator_id in await store.snoozing(approval.approval_id):
        await clear(work, SNOOZE, f"{key}:{operator_id}")
        await store.wake(approval.approval_id, operator_id)
