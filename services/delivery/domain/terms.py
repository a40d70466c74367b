"""The terms of an approval: of whom it is asked, until when, and when they are reminded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from topics.approval_rules import ApprovalRule


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for an approval whose rule does not say otherwise.

    Attributes:
        reviewer_ids: the campaign's reviewers.
    """

    deadline_hours: float
    reminder_hours: Sequence[float]
    reviewer_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed when an approval is asked; a later change of settings leaves it alone.

    Attributes:
        remind_at: when reminders are due, ascending; the first is number 1.
        escalate_at: when others join the reviewers; at the deadline, it moves then.
    """

    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    reviewer_groups: tuple[str, ...]
    remind_at: tuple[datetime, ...]
    escalate_at: datetime | None


def terms(rule: ApprovalRule | None, defaults: Defaults, requested_at: datetime) -> Terms:
    """Return the terms of an approval asked at a time."""
    rule = rule or ApprovalRule()
    deadline_at = requested_at + timedelta(hours=rule.deadline_hours or defaults.deadline_hours)
    named = bool(rule.reviewer_ids or rule.reviewer_groups)
    return Terms(
        deadline_at=deadline_at,
        reviewer_ids=rule.reviewer_ids if named else defaults.reviewer_ids,
        reviewer_groups=rule.reviewer_groups,
        remind_at=_reminders(rule, defaults, requested_at, deadline_at),
        escalate_at=_escalation(rule, requested_at, deadline_at),
    )


def _escalation(
    rule: ApprovalRule, requested_at: datetime, deadline_at: datetime
) -> datetime | None:
    if rule.escalation is None:
        return None
    return max(requested_at, deadline_at - timedelta(hours=rule.escalation.hours_before))


def _reminders(
    rule: ApprovalRule, defaults: Defaults, requested_at: datetime, deadline_at: datetime
) -> tuple[datetime, ...]:
    """Return when reminders fall between the submission and the deadline, each time once."""
    own = rule.remind_after_hours
    hours = defaults.reminder_hours if own is None else own
    due = {*rule.remind_at, *(requested_at + timedelta(hours=one) for one in hours)}
    return tuple(sorted(at for at in due if requested_at < at < deadline_at))
