"""The rules of approvals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.delivery.domain.approvals import (
    Answer,
    AnswerNotTaken,
    Approval,
    decide,
)
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BOB = UUID(int=1), UUID(int=2)
APPROVAL = Approval(
    approval_id=UUID(int=9),
    version=1,
    campaign_id=UUID(int=8),
    campaign_number=1042,
    campaign_label="Spring",
    delivery_id=None,
    revision=2,
    kind=ApprovalKind.PROOF,
    outcome=ApprovalOutcome.PENDING,
    subject="",
    proof_number=1,
    proof_path=None,
    count=3,
    content_hash="c",
    snapshot_id=UUID(int=7),
    snapshot_hash="s",
    requested_by=str(BOB),
    requested_at=NOON,
    deadline_at=NOON + timedelta(days=3),
    reviewer_ids=(ANN, BOB),
    reminders_sent=0,
    decided_by=None,
    decided_at=None,
    reason="",
)
ANSWER = Answer(str(ANN), True, False, frozenset(), 2, Decision.APPROVE, "")


def code_of(approval: Approval, answer: Answer) -> str | None:
    try:
        decide(approval, answer, self_approval=False)
    except AnswerNotTaken as problem:
        return problem.code
    return None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ANSWER, None),
        (replace(ANSWER, may_approve=False), "not_reviewer"),
        (replace(ANSWER, actor_id="3"), "not_reviewer"),
        (replace(ANSWER, actor_id="3", administrator=True), None),
        (replace(ANSWER, actor_id="3", administrator=True, may_approve=False), "not_reviewer"),
        (replace(ANSWER, revision=1), "stale_revision"),
        (replace(ANSWER, actor_id=str(BOB)), "self_approval"),
        (replace(ANSWER, decision=Decision.REJECT), "reason_missing"),
        (replace(ANSWER, decision=Decision.REQUEST_CHANGES, reason=" "), "reason_missing"),
        (replace(ANSWER, decision=Decision.REJECT, reason="no"), None),
    ],
)
def test_an_answer_is_taken_or_refused_with_a_code(answer: Answer, code: str | None) -> None:
    assert code_of(APPROVAL, answer) == code


@pytest.mark.parametrize("outcome", [one for one in ApprovalOutcome if one != "pending"])
def test_whoever_has_no_right_does_not_learn_how_an_approval_ended(
    outcome: ApprovalOutcome,
) -> None:
    ended = replace(APPROVAL, outcome=outcome)
    assert code_of(ended, ANSWER) == "already_decided"
    assert code_of(ended, replace(ANSWER, may_approve=False)) == "not_reviewer"


def test_each_decision_has_an_end_of_its_own() -> None:
    ends = [
        decide(APPROVAL, replace(ANSWER, decision=one, reason="why"), self_approval=False)
        for one in Decision
    ]
    assert len(set(ends)) == 3


def test_a_member_of_a_group_that_is_asked_answers_and_nobody_else_does() -> None:
    asked = replace(APPROVAL, reviewer_ids=(), reviewer_groups=("legal",))
    assert code_of(asked, ANSWER) == "not_reviewer"
    assert code_of(asked, replace(ANSWER, groups=frozenset({"legal", "sales"}))) is None
    assert code_of(asked, replace(ANSWER, administrator=True)) is None
