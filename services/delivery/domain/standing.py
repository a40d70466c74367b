"""Whether one approval stands for another occurrence of the same content. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.delivery.domain.approvals import Approval
from topics.approval_rules import ApproveOnce
from topics.delivery import ApprovalOutcome


def stands(approval: Approval, once: ApproveOnce, *, count: int, now: datetime) -> bool:
    """Return whether an approval of the same content stands for a target of ``count`` members.

    It does for some days from its answer, while the target is about as large as it was then.
    """
    if approval.outcome is not ApprovalOutcome.APPROVED or approval.decided_at is None:
        return False
    differs = abs(count - approval.count) * 100
    in_time = now <= approval.decided_at + timedelta(days=once.days)
    return in_time and differs <= once.tolerance_percent * approval.count
