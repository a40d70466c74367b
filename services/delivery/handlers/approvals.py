"""Approvals: asked for, answered, withdrawn."""

from __future__ import annotations

from services.delivery.approving import end, expire, open_approval, settings_of
from services.delivery.approving import withdraw as withdraw_approval_of
from services.delivery.domain.approvals import Answer, AnswerNotTaken, Approval, covers, decide
from services.delivery.handlers.deliveries import refuse_for_campaign
from services.delivery.store.approvals import ApprovalStore, Request
from services.delivery.store.causes import first_time
from shared.errors import Refused
from shared.ids import new_id
from shared.registry import Registry
from shared.rights import Operator, Right, find, require
from shared.uow import Work
from topics.delivery import (
    AnswerRefused,
    ApprovalKind,
    ApprovalOutcome,
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
    if not await first_time(work):
        return
    approval = await ApprovalStore(work.connection).lock(command.approval_id)
    if approval is None or approval.campaign_id != command.campaign_id:
        _refuse(work, command, None, AnswerNotTaken("unknown_approval", "no such approval"))
        return
    # The deadline holds also while deliveryMgt, which announces it, is stopped.
    if approval.outcome is ApprovalOutcome.PENDING and approval.deadline_at <= work.now:
        approval = await expire(work, approval)
    answer = _answer(command, await find(work, command.actor.id))
    try:
        outcome = decide(approval, answer, self_approval=settings_of(work).self_approval)
    except AnswerNotTaken as problem:
        _refuse(work, command, approval, problem)
    else:
        await end(work, approval, outcome, by=command.actor, reason=command.reason.strip())


def _answer(command: DecideApproval, operator: Operator | None) -> Answer:
    known = operator is not None and not command.actor.is_system
    return Answer(
        actor_id=command.actor.id,
        may_approve=known and operator is not None and operator.may(Right.APPROVE),
        administrator=operator is not None and Role.ADMINISTRATOR in operator.roles,
        groups=operator.groups if operator is not None else frozenset(),
        revision=command.revision,
        decision=command.decision,
        reason=command.reason,
    )


def _refuse(
    work: Work, command: DecideApproval, approval: Approval | None, problem: AnswerNotTaken
) -> None:
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
