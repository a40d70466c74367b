"""Rules of approvals: who may answer, and what an answer means.

An approval binds to content hash, snapshot hash and count. It has five ends that are never merged;
the first answer of a reviewer closes it for everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from topics.approval_rules import ApprovalRules
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as its row holds it."""

    approval_id: UUID
    version: int
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    delivery_id: UUID | None
    revision: int
    kind: ApprovalKind
    outcome: ApprovalOutcome
    subject: str
    proof_number: int | None
    proof_path: str | None
    count: int
    content_hash: str | None
    snapshot_id: UUID
    snapshot_hash: str
    requested_by: str
    requested_at: datetime
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    reminders_sent: int
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    send_doubles: bool = False
    has_letter: bool = False
    warnings: tuple[ContentWarning, ...] = ()
    file_id: UUID | None = None
    reviewer_groups: tuple[str, ...] = ()
    remind_at: tuple[datetime, ...] = ()
    rules: ApprovalRules = field(default_factory=ApprovalRules)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers, and what they are.

    Attributes:
        may_approve: whether one of their roles grants it.
        administrator: may answer although not named among the reviewers.
        groups: whose members they are now.
    """

    actor_id: str
    may_approve: bool
    administrator: bool
    groups: frozenset[str]
    revision: int
    decision: Decision
    reason: str


class AnswerNotTaken(Exception):
    """An answer that changes nothing; ``code`` is the word of the contract for it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


OUTCOME_OF: Final[dict[Decision, ApprovalOutcome]] = {
    Decision.APPROVE: ApprovalOutcome.APPROVED,
    Decision.REQUEST_CHANGES: ApprovalOutcome.CHANGES_REQUESTED,
    Decision.REJECT: ApprovalOutcome.REJECTED,
}
NEEDS_REASON: Final = frozenset({Decision.REQUEST_CHANGES, Decision.REJECT})

Check = Callable[[Approval, Answer, bool], bool]


def _not_reviewer(approval: Approval, answer: Answer, _self_approval: bool) -> bool:  # noqa: FBT001 - a row of the table below
    if not answer.may_approve:
        return True
    return not answer.administrator and not is_reviewer(approval, answer.actor_id, answer.groups)


def is_reviewer(approval: Approval, operator_id: str, groups: frozenset[str]) -> bool:
    """Whether somebody is asked: named, in a group that is, or anybody where nobody is named."""
    if not approval.reviewer_ids and not approval.reviewer_groups:
        return True
    named = {str(reviewer) for reviewer in approval.reviewer_ids}
    return operator_id in named or not groups.isdisjoint(approval.reviewer_groups)


# In this order: somebody without the right learns nothing about the approval.
CHECKS: Final[tuple[tuple[str, Check, str], ...]] = (
    ("not_reviewer", _not_reviewer, "you are not among the reviewers of this approval"),
    (
        "already_decided",
        lambda approval, _answer, _own: approval.outcome is not ApprovalOutcome.PENDING,
        "this approval has ended already",
    ),
    (
        "stale_revision",
        lambda approval, answer, _own: answer.revision != approval.revision,
        "this approval has changed since; answer its latest card",
    ),
    (
        "self_approval",
        lambda approval, answer, own: answer.actor_id == approval.requested_by and not own,
        "whoever asked for an approval may not give it; ask another reviewer",
    ),
    (
        "reason_missing",
        lambda _approval, answer, _own: (
            answer.decision in NEEDS_REASON and not answer.reason.strip()
        ),
        "say why, so that whoever prepares the campaign knows what to change",
    ),
)


def is_open(approval: Approval | None) -> bool:
    """Whether an approval waits for its answer."""
    return approval is not None and approval.outcome is ApprovalOutcome.PENDING


def covers(approval: Approval, snapshot_id: UUID | None) -> bool:
    """Whether an approval is granted over a snapshot."""
    return approval.outcome is ApprovalOutcome.APPROVED and approval.snapshot_id == snapshot_id


def decide(approval: Approval, answer: Answer, *, self_approval: bool) -> ApprovalOutcome:
    """Return the end an answer brings about.

    Raises:
        AnswerNotTaken: the first of ``CHECKS`` that holds against it.
    """
    for code, fails, reason in CHECKS:
        if fails(approval, answer, self_approval):
            raise AnswerNotTaken(code, reason)
    return OUTCOME_OF[answer.decision]
