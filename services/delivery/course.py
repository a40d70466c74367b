"""An open approval's course: reminded of, put off, handed on, escalated, expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.delivery.approving import DEADLINE, ESCALATION, SERVICE, SNOOZE, end, publish
from services.delivery.domain.approvals import Approval, escalates, is_open, joined
from services.delivery.store.approval_log import ApprovalLog, LogEvent
from services.delivery.store.approvals import ApprovalStore
from shared.rights import members_of
from shared.timers import clear, set_timer
from shared.uow import Work
from topics.approval_rules import EscalationRule
from topics.approvals import ApprovalDelegated, ApprovalEscalated, ApprovalSnoozed
from topics.delivery import ApprovalOutcome, ApprovalReminded
from topics.message import Actor


async def remind(work: Work, approval_id: UUID, number: int = 0, *, to: UUID | None = None) -> None:
    """Send a reminder of an approval that is open: to all who have not put theirs off.

    Its number is the one planned, or the next. With ``to`` it goes to one alone, who had put theirs
    off until now.
    """
    store = ApprovalStore(work.connection)
    if to is not None:
        await store.wake(approval_id, to)
    approval = await store.reminded(approval_id, number)
    if approval is None:
        return
    snoozing = await store.snoozing(approval_id)
    told = [to] if to else [one for one in approval.reviewer_ids if one not in snoozing]
    work.emit(
        ApprovalReminded(
            campaign_id=approval.campaign_id,
            approval_id=approval_id,
            revision=approval.revision,
            number=approval.reminders_sent,
            deadline_at=approval.deadline_at,
            reviewer_ids=approval.reviewer_ids,
            snoozed_ids=tuple(snoozing),
            to=to,
        )
    )
    log = ApprovalLog(work.connection)
    await log.add(approval, LogEvent.REMINDED, work.now, by=SERVICE.id, operator_ids=told)
    publish(work, approval)


async def snooze(work: Work, approval: Approval, until: datetime, *, by: Actor) -> None:
    """Put a reviewer's reminders off; they are reminded when the time has come."""
    operator_id = UUID(by.id)
    await ApprovalStore(work.connection).snooze(approval.approval_id, operator_id, until)
    await set_timer(work, SNOOZE, f"{approval.approval_id}:{operator_id}", until)
    log = ApprovalLog(work.connection)
    await log.add(
        approval, LogEvent.SNOOZED, work.now, by=by.id, operator_ids=(operator_id,), until=until
    )
    work.emit(
        ApprovalSnoozed(
            campaign_id=approval.campaign_id,
            approval_id=approval.approval_id,
            until=until,
            actor=by,
        )
    )


async def delegate(
    work: Work,
    approval: Approval,
    reviewer_ids: tuple[UUID, ...],
    to: UUID,
    *,
    by: Actor,
    comment: str,
) -> None:
    """Hand an approval on to another operator, and tell so."""
    store = ApprovalStore(work.connection)
    changed = await store.change(approval.approval_id, reviewer_ids=list(reviewer_ids))
    await store.wake(approval.approval_id, UUID(by.id))
    await clear(work, SNOOZE, f"{approval.approval_id}:{by.id}")
    log = ApprovalLog(work.connection)
    await log.add(
        changed, LogEvent.DELEGATED, work.now, by=by.id, operator_ids=(to,), comment=comment
    )
    work.emit(
        ApprovalDelegated(
            campaign_id=approval.campaign_id,
            approval_id=approval.approval_id,
            revision=approval.revision,
            to=to,
            comment=comment,
            actor=by,
        )
    )
    publish(work, changed)


async def overdue(work: Work, approval: Approval) -> Approval:
    """Return an open approval after what its time brings: its escalation, its end, or nothing."""
    rule = approval.rules.of(approval.kind)
    if escalates(approval, work.now) and rule is not None and rule.escalation is not None:
        approval = await _escalate(work, approval, rule.escalation)
    if is_open(approval) and approval.deadline_at <= work.now:
        reason = "nobody answered before the deadline"
        return await end(work, approval, ApprovalOutcome.EXPIRED, by=SERVICE, reason=reason)
    return approval


async def _escalate(work: Work, approval: Approval, rule: EscalationRule) -> Approval:
    """Add reviewers; one that escalates at its deadline gives them time from now on."""
    members = await members_of(work, rule.groups)
    added = tuple(
        one
        for one in dict.fromkeys((*rule.operator_ids, *members))
        if one not in approval.reviewer_ids
    )
    deadline_at = approval.deadline_at
    if deadline_at <= work.now:
        deadline_at = work.now + timedelta(hours=rule.more_hours)
    changed = await ApprovalStore(work.connection).change(
        approval.approval_id,
        reviewer_ids=list(joined(approval, added)),
        deadline_at=deadline_at,
        escalated_at=work.now,
    )
    await clear(work, ESCALATION, str(approval.approval_id))
    await set_timer(work, DEADLINE, str(approval.approval_id), deadline_at)
    log = ApprovalLog(work.connection)
    await log.add(
        changed,
        LogEvent.ESCALATED,
        work.now,
        by=SERVICE.id,
        operator_ids=added,
        until=deadline_at,
    )
    work.emit(
        ApprovalEscalated(
            campaign_id=approval.campaign_id,
            approval_id=approval.approval_id,
            revision=approval.revision,
            operator_ids=added,
            deadline_at=deadline_at,
        )
    )
    publish(work, changed)
    return changed
