"""An approval stands for some days, while the target is about as large as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.delivery.domain.approvals import Approval
from services.delivery.domain.standing import stands
from tests.unit.delivery.test_approvals import APPROVAL
from topics.approval_rules import ApproveOnce
from topics.delivery import ApprovalOutcome

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONCE = ApproveOnce(days=30, tolerance_percent=10)


def granted() -> Approval:
    return replace(
        APPROVAL,
        outcome=ApprovalOutcome.APPROVED,
        decided_at=NOON,
        decided_by=str(uuid4()),
        count=1000,
    )


@pytest.mark.parametrize(
    ("count", "days", "holds"),
    [
        (1000, 0, True),
        (900, 30, True),
        (1100, 30, True),
        (899, 1, False),
        (1101, 1, False),
        (1000, 30.01, False),
    ],
)
def test_it_stands_within_its_days_and_its_tolerance(count: int, days: float, holds: bool) -> None:
    assert stands(granted(), ONCE, count=count, now=NOON + timedelta(days=days)) is holds


def test_no_tolerance_means_the_very_count() -> None:
    exact = ApproveOnce(days=1, tolerance_percent=0)
    assert stands(granted(), exact, count=1000, now=NOON)
    assert not stands(granted(), exact, count=1001, now=NOON)


@pytest.mark.parametrize(
    "outcome", [one for one in ApprovalOutcome if one is not ApprovalOutcome.APPROVED]
)
def test_no_other_end_stands(outcome: ApprovalOutcome) -> None:
    assert not stands(replace(granted(), outcome=outcome), ONCE, count=1000, now=NOON)
