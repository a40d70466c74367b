"""The rules of runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.delivery.domain.approvals import Approval
from services.delivery.domain.runs import (
    Circumstances,
    RunKind,
    StartAsked,
    Verdict,
    back_off,
    not_granted,
    rule,
    start_refusal,
    verdict_of,
)
from tests.unit.delivery.test_approvals import APPROVAL, NOON
from topics.delivery import ApprovalKind, ApprovalOutcome, Outcome

GRANTED = replace(APPROVAL, outcome=ApprovalOutcome.APPROVED)
ASKED = StartAsked("c", "c", "s", 3, 3, NOON)
AROUND = Circumstances(
    kind=RunKind.CAMPAIGN,
    policy="hold",
    attempt=1,
    retry_until=NOON + timedelta(hours=1),
    base_seconds=60,
    spread=0.0,
    now=NOON,
)


def refusal(asked: StartAsked, approval: Any = GRANTED, days: float = 0) -> str | None:
    now = NOON + timedelta(days=days)
    return start_refusal(asked, approval, max_age_days=7, now=now)


def test_what_was_approved_may_start() -> None:
    assert refusal(ASKED) is None
    assert refusal(ASKED, days=7) is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (replace(ASKED, content_hash="x"), "content"),
        (replace(ASKED, content_now="x"), "content"),
        (replace(ASKED, content_hash="x", content_now="x"), "content"),
        (replace(ASKED, snapshot_hash="x"), "snapshot that was approved"),
        (replace(ASKED, count=4), "3 recipients were approved"),
        (replace(ASKED, members=2), "2 are in the snapshot"),
    ],
)
def test_anything_else_may_not(asked: StartAsked, words: str) -> None:
    assert words in (refusal(asked) or "")


@pytest.mark.parametrize("outcome", [one for one in ApprovalOutcome if one != "approved"])
def test_nothing_starts_on_an_approval_that_is_not_in_force(outcome: ApprovalOutcome) -> None:
    assert outcome in (refusal(ASKED, replace(GRANTED, outcome=outcome)) or "")


def test_nothing_starts_on_no_approval_or_one_of_the_target_alone() -> None:
    for approval in (None, replace(GRANTED, kind=ApprovalKind.TARGET)):
        assert "never approved" in (refusal(ASKED, approval) or "")


def test_further_approvals_are_waited_for_and_must_be_of_the_same_snapshot() -> None:
    start = replace(GRANTED, kind=ApprovalKind.START)

    def refused(approval: Approval | None) -> str | None:
        return not_granted({ApprovalKind.START: approval}, GRANTED.snapshot_id)

    assert refused(start) is None
    assert refused(replace(start, outcome=ApprovalOutcome.PENDING)) is None
    assert "start was never asked" in (refused(None) or "")
    assert "start is rejected" in (refused(replace(start, outcome=ApprovalOutcome.REJECTED)) or "")
    assert refused(replace(start, snapshot_id=UUID(int=99))) is not None


def test_an_old_snapshot_asks_for_the_proof_again() -> None:
    assert "7 days old" in (refusal(ASKED, days=7.01) or "")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(250, Verdict.SENT), (451, Verdict.DEFERRED), (421, Verdict.DEFERRED), (550, Verdict.FAILED)],
)
def test_an_answers_class_says_what_it_means(code: int, verdict: Verdict) -> None:
    assert verdict_of(code) is verdict


def test_a_deferral_waits_twice_as_long_each_time_and_at_most_an_hour() -> None:
    waits = [back_off(attempt, 60, 0).total_seconds() for attempt in (1, 2, 3, 7, 50)]
    assert waits == [60, 120, 240, 3600, 3600]
    assert back_off(1, 60, 1).total_seconds() == 48


def test_a_deferral_past_the_deadline_is_a_failure() -> None:
    soon = rule(Verdict.DEFERRED, "why", AROUND)
    assert (soon.outcome, soon.next_at) == (Outcome.PENDING, NOON + timedelta(minutes=1))
    late = rule(Verdict.DEFERRED, "why", replace(AROUND, retry_until=NOON))
    assert (late.outcome, late.reason) == (Outcome.FAILED, "deferred_too_long")


@pytest.mark.parametrize(
    ("policy", "kind", "outcome"),
    [
        ("hold", RunKind.CAMPAIGN, Outcome.AMBIGUOUS),
        ("assume_sent", RunKind.CAMPAIGN, Outcome.SENT),
        ("resend", RunKind.TRANSACTIONAL, Outcome.PENDING),
        ("hold", RunKind.PROOF, Outcome.PENDING),
    ],
)
def test_the_policy_decides_about_what_is_ambiguous(
    policy: str, kind: RunKind, outcome: Outcome
) -> None:
    found = rule(Verdict.AMBIGUOUS, "", replace(AROUND, policy=policy, kind=kind))
    assert found.outcome is outcome


def test_what_always_ends_ambiguous_is_held_at_its_deadline() -> None:
    around = replace(AROUND, policy="resend", retry_until=NOON)
    assert rule(Verdict.AMBIGUOUS, "", around).outcome is Outcome.AMBIGUOUS
