"""Rules of approvals: who may answer, and what an answer means.

An approval binds to content hash, snapshot hash and count. It has five ends that are never merged;
the first answer of a reviewer closes it for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    escalate_at: datetime | None = None
    escalated_at: datetime | None = None
    rules: ApprovalRules = field(default_factory=ApprovalRules)


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is who answers, puts off or hands on.

    Attributes:
        may_approve: whether one of their roles grants it.
        administrator: may answer although not named among the reviewers.
        groups: whose members they are now.
    """

    actor_id: str
    may_approve: bool
    administrator: bool
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer(Standing):
    """What somebody answers, and what they are."""

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


def check_asked(approval: Approval, by: Standing) -> None:
    """Let somebody who is asked act on an approval while it is open.

    Raises:
        AnswerNotTaken: they are not asked; then, for somebody without the right learns nothing
            about it, that it has ended.
    """
    asked = by.administrator or is_reviewer(approval, by.actor_id, by.groups)
    if not by.may_approve or not asked:
        raise AnswerNotTaken("not_reviewer", "you are not among the reviewers of this approval")
    if not is_open(approval):
        raise AnswerNotTaken("already_decided", "this approval has ended already")


def is_reviewer(approval: Approval, operator_id: str, groups: frozenset[str]) -> bool:
    """Whether somebody is asked: named, in a group that is, or anybody where nobody is named."""
    if not approval.reviewer_ids and not approval.reviewer_groups:
        return True
    named = {str(reviewer) for reviewer in approval.reviewer_ids}
    return operator_id in named or not groups.isdisjoint(approval.reviewer_groups)


CHECKS: Final[tuple[tuple[str, Check, str], ...]] = (
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
        AnswerNotTaken: they are not asked, or the first of ``CHECKS`` that holds against it.
    """
    check_asked(approval, answer)
    for code, fails, reason in CHECKS:
        if fails(approval, answer, self_approval):
            raise AnswerNotTaken(code, reason)
    return OUTCOME_OF[answer.decision]


def check_snooze(approval: Approval, by: Standing, until: datetime, now: datetime) -> None:
    """Let a reviewer put their reminders off.

    Raises:
        AnswerNotTaken: they are not asked, the approval has ended, or the time is not before its
            deadline.
    """
    check_asked(approval, by)
    if not now < until < approval.deadline_at:
        reason = "choose a time from now on and before the deadline"
        raise AnswerNotTaken("snooze_time", reason)


def handed_on(
    approval: Approval, by: Standing, to: Standing, *, self_approval: bool
) -> tuple[UUID, ...]:
    """Return the reviewers after one of them named another; where all may answer, all still may.

    Raises:
        AnswerNotTaken: they are not asked, the approval has ended, or the other may not answer.
    """
    check_asked(approval, by)
    if not to.may_approve:
        raise AnswerNotTaken("cannot_approve", "this operator may not approve; choose another one")
    if to.actor_id == approval.requested_by and not self_approval:
        reason = "whoever asked for an approval may not give it; choose another one"
        raise AnswerNotTaken("self_approval", reason)
    if not approval.reviewer_ids and not approval.reviewer_groups:
        return ()
    others = (one for one in approval.reviewer_ids if str(one) != by.actor_id)
    return tuple(dict.fromkeys((*others, UUID(to.actor_id))))


def joined(approval: Approval, operator_ids: Sequence[UUID]) -> tuple[UUID, ...]:
    """Return the reviewers after an escalation; where all may answer, all still may."""
    if not approval.reviewer_ids and not approval.reviewer_groups:
        return ()
    return tuple(dict.fromkeys((*approval.reviewer_ids, *operator_ids)))


def escalates(approval: Approval, now: datetime) -> bool:
    """Whether an open approval's escalation is due and was not made."""
    due = approval.escalate_at is not None and approval.escalate_at <= now
    return is_open(approval) and due and approval.escalated_at is None
