"""Approvals: asked for, answered, withdrawn."""

from __future__ import annotations

from dataclasses import asdict

from services.delivery.approving import end, open_approval, settings_of
from services.delivery.approving import withdraw as withdraw_approval_of
from services.delivery.course import delegate, overdue, snooze
from services.delivery.domain.approvals import (
    Answer,
    AnswerNotTaken,
    Approval,
    Standing,
    check_snooze,
    covers,
    decide,
    handed_on,
)
from services.delivery.handlers.deliveries import refuse_for_campaign
from services.delivery.store.approvals import ApprovalStore, Request
from services.delivery.store.causes import first_time
from shared.errors import Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Right, find, require
from shared.uow import Work
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.delivery import (
    AnswerRefused,
    ApprovalKind,
    DecideApproval,
    RequestApproval,
    WithdrawApproval,
)
from topics.operators import Role

registry = Registry()


@registry.on(RequestApproval)
async def request_approval(command: RequestApproval, work: Work) -> None:
    """Ask for the approval of a target, or of what follows the approval of the proof."""
    if not await first_time(work):
        return
    granted = await _granted_before(command, work)
    if granted is None and command.kind is not ApprovalKind.TARGET:
        refusal = Refused(f"{command.kind} is asked once what comes before it is approved")
        await refuse_for_campaign(command, refusal, work)
        return
    await open_approval(
        work,
        Request(
            approval_id=new_id(),
            campaign_id=command.campaign_id,
            campaign_number=command.campaign_number,
            campaign_label=command.campaign_label,
            delivery_id=granted.delivery_id if granted else None,
            kind=command.kind,
            subject=granted.subject if granted else "",
            proof_number=granted.proof_number if granted else None,
            proof_path=granted.proof_path if granted else None,
            count=command.count,
            content_hash=granted.content_hash if granted else None,
            snapshot_id=command.snapshot_id,
            snapshot_hash=command.snapshot_hash,
            requested_by=command.requested_by.id,
            requested_at=work.now,
            reviewer_ids=command.reviewer_ids,
            rules=command.rules,
            send_doubles=granted.send_doubles if granted else False,
            has_letter=granted.has_letter if granted else False,
            warnings=granted.warnings if granted else (),
        ),
    )


async def _granted_before(command: RequestApproval, work: Work) -> Approval | None:
    """Return what a later approval is about: the proof's, or the target's of one without it."""
    before = {
        ApprovalKind.EXTERNAL_CONTENT: (ApprovalKind.PROOF,),
        ApprovalKind.START: (ApprovalKind.PROOF, ApprovalKind.TARGET),
    }
    store = ApprovalStore(work.connection)
    for kind in before.get(command.kind, ()):
        found = await store.lock_latest(command.campaign_id, kind)
        if found is not None and covers(found, command.snapshot_id):
            return found
    return None


@registry.on(DecideApproval)
async def decide_approval(command: DecideApproval, work: Work) -> None:
    """Take the first answer of a reviewer; tell everybody else who decided."""
    approval = await _current(command, work)
    if approval is None:
        return
    known = await _standing(work, command.actor.id, system=command.actor.is_system)
    answer = Answer(
        **asdict(known),
        revision=command.revision,
        decision=command.decision,
        reason=command.reason,
    )
    try:
        outcome = decide(approval, answer, self_approval=settings_of(work).self_approval)
    except AnswerNotTaken as problem:
        _refuse(work, command, approval, problem)
    else:
        await end(work, approval, outcome, by=command.actor, reason=command.reason.strip())


@registry.on(SnoozeApproval)
async def snooze_approval(command: SnoozeApproval, work: Work) -> None:
    """Put a reviewer's reminders off."""
    approval = await _current(command, work)
    if approval is None:
        return
    by = await _standing(work, command.actor.id, system=command.actor.is_system)
    try:
        check_snooze(approval, by, command.until, work.now)
    except AnswerNotTaken as problem:
        _refuse(work, command, approval, problem)
    else:
        await snooze(work, approval, command.until, by=command.actor)


@registry.on(DelegateApproval)
async def delegate_approval(command: DelegateApproval, work: Work) -> None:
    """Hand an approval on."""
    approval = await _current(command, work)
    if approval is None:
        return
    by = await _standing(work, command.actor.id, system=command.actor.is_system)
    to = await _standing(work, str(command.to))
    own = settings_of(work).self_approval
    try:
        reviewer_ids = handed_on(approval, by, to, self_approval=own)
    except AnswerNotTaken as problem:
        _refuse(work, command, approval, problem)
    else:
        await delegate(
            work,
            approval,
            reviewer_ids,
            command.to,
            by=command.actor,
            comment=command.comment.strip(),
        )


Acted = DecideApproval | SnoozeApproval | DelegateApproval


async def _current(command: Acted, work: Work) -> Approval | None:
    """Return the approval a command is about, locked and as its time leaves it.

    ``None``: the command was handled before, or names none; then it is refused.
    """
    if not await first_time(work):
        return None
    approval = await ApprovalStore(work.connection).lock(command.approval_id)
    if approval is None or approval.campaign_id != command.campaign_id:
        _refuse(work, command, None, AnswerNotTaken("unknown_approval", "no such approval"))
        return None
    # The deadline holds also while deliveryMgt, which announces it, is stopped.
    return await overdue(work, approval)


async def _standing(work: Work, operator_id: str, *, system: bool = False) -> Standing:
    operator = None if system else await find(work, operator_id)
    return Standing(
        actor_id=operator_id,
        may_approve=operator is not None and operator.may(Right.APPROVE),
        administrator=operator is not None and Role.ADMINISTRATOR in operator.roles,
        groups=operator.groups if operator is not None else frozenset(),
    )


def _refuse(work: Work, command: Acted, approval: Approval | None, problem: AnswerNotTaken) -> None:
    ended = approval if problem.code == "already_decided" else None
    work.refusals.append(Refused(problem.reason, code=problem.code))
    work.emit(
        AnswerRefused(
            campaign_id=command.campaign_id,
            approval_id=command.approval_id,
            actor=command.actor,
            code=problem.code,
            reason=problem.reason,
            outcome=ended.outcome if ended else None,
            decided_by=ended.decided_by if ended else None,
            decided_at=ended.decided_at if ended else None,
        )
    )


@registry.on(WithdrawApproval)
async def withdraw_approval(command: WithdrawApproval, work: Work) -> None:
    """End an open approval as withdrawn, or void the one in force."""
    try:
        await require(work, command.actor, Right.MANAGE_CAMPAIGNS)
    except Refused as refusal:
        await refuse_for_campaign(command, refusal, work)
        return
    if await first_time(work):
        await withdraw_approval_of(work, command.campaign_id, command.reason, by=command.actor)
