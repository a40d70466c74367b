"""The terms of an approval: what its rule says, and what holds where it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.delivery.domain.terms import Defaults, terms
from topics.approval_rules import ApprovalRule

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BOB = UUID(int=1), UUID(int=2)
DEFAULTS = Defaults(72, (24, 48), (ANN,))


def after(*hours: float) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(hours=one) for one in hours)


def test_without_a_rule_the_instance_and_the_campaign_say_it() -> None:
    found = terms(None, DEFAULTS, NOON)
    assert (found.deadline_at, found.remind_at) == (*after(72), after(24, 48))
    assert (found.reviewer_ids, found.reviewer_groups) == ((ANN,), ())


def test_a_rule_names_reviewers_groups_and_hours_of_its_own() -> None:
    rule = ApprovalRule(reviewer_ids=(BOB,), deadline_hours=10)
    found = terms(rule, DEFAULTS, NOON)
    assert (found.reviewer_ids, found.deadline_at) == ((BOB,), *after(10))
    group = terms(ApprovalRule(reviewer_groups=("legal",)), DEFAULTS, NOON)
    assert (group.reviewer_ids, group.reviewer_groups) == ((), ("legal",))


def test_reminders_at_fixed_dates_and_hours_after_submission_lie_before_the_deadline() -> None:
    rule = ApprovalRule(remind_after_hours=(48, 24, 72, 100), remind_at=after(-1, 24, 30))
    assert terms(rule, DEFAULTS, NOON).remind_at == after(24, 30, 48)
    assert terms(ApprovalRule(remind_after_hours=()), DEFAULTS, NOON).remind_at == ()
