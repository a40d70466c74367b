"""HTTP routes of approvals: listed, logged, answered, put off, handed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query

from services.delivery import approval_wire as wire
from services.delivery.store.approval_log import ApprovalLog
from services.delivery.store.approvals import ApprovalStore
from shared.http import Caller, Here, carry_out
from shared.service import Runtime
from topics.approvals import DelegateApproval, SnoozeApproval
from topics.delivery import ApprovalOutcome, DecideApproval
from topics.message import Command

Limit = Annotated[int, Query(ge=1, le=1000)]
router = APIRouter()


@router.get("/approvals")
async def approvals(
    runtime: Here,
    outcome: ApprovalOutcome | None = None,
    before: Annotated[UUID | None, Query(description="the last id of the page before")] = None,
    limit: Limit = 100,
) -> list[wire.ApprovalView]:
    """Return approvals, latest first, those before one of them."""
    async with runtime.pool.acquire() as connection:
        found = await ApprovalStore(connection).page(outcome=outcome, before=before, limit=limit)
    return [wire.ApprovalView.of(approval) for approval in found]


@router.get("/approvals/log")
async def log(
    runtime: Here,
    campaign_id: UUID,
    after: Annotated[int, Query(ge=0, description="the last id of the page before")] = 0,
    limit: Limit = 100,
) -> list[wire.LogView]:
    """Return what happened to a campaign's approvals, oldest first, after an entry."""
    async with runtime.pool.acquire() as connection:
        found = await ApprovalLog(connection).page(campaign_id, after=after, limit=limit)
    return [wire.LogView.of(entry) for entry in found]


@router.get("/approvals/{approval_id}")
async def approval(approval_id: UUID, runtime: Here) -> wire.ApprovalView:
    """Return one approval."""
    async with runtime.pool.acquire() as connection:
        found = await ApprovalStore(connection).find(approval_id)
    if found is None:
        raise HTTPException(404, "there is no such approval")
    return wire.ApprovalView.of(found)


@router.post("/approvals/{approval_id}/decision")
async def decide(
    approval_id: UUID, body: wire.NewDecision, actor: Caller, runtime: Here
) -> wire.ApprovalView:
    """Answer an approval; refused with a reason when it has ended or is not yours to answer."""

    def command(campaign_id: UUID) -> DecideApproval:
        return DecideApproval(
            approval_id=approval_id,
            campaign_id=campaign_id,
            revision=body.revision,
            decision=body.decision,
            reason=body.reason,
            actor=actor,
        )

    return await _after(command, approval_id, runtime)


@router.post("/approvals/{approval_id}/snooze")
async def snooze(
    approval_id: UUID, body: wire.NewSnooze, actor: Caller, runtime: Here
) -> wire.ApprovalView:
    """Put your own reminders of an open approval off until a time before its deadline."""

    def command(campaign_id: UUID) -> SnoozeApproval:
        return SnoozeApproval(
            approval_id=approval_id, campaign_id=campaign_id, until=body.until, actor=actor
        )

    return await _after(command, approval_id, runtime)


@router.post("/approvals/{approval_id}/delegation")
async def delegate(
    approval_id: UUID, body: wire.NewDelegation, actor: Caller, runtime: Here
) -> wire.ApprovalView:
    """Hand an open approval on to another operator who may approve."""

    def command(campaign_id: UUID) -> DelegateApproval:
        return DelegateApproval(
            approval_id=approval_id,
            campaign_id=campaign_id,
            to=body.to,
            comment=body.comment,
            actor=actor,
        )

    return await _after(command, approval_id, runtime)


async def _after(
    command: Callable[[UUID], Command], approval_id: UUID, runtime: Runtime
) -> wire.ApprovalView:
    """Return an approval as it is after a command, which names its campaign too."""
    found = await approval(approval_id, runtime)
    await carry_out(runtime, command(found.campaign_id))
    return await approval(approval_id, runtime)
