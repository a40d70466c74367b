"""How a campaign's approvals are asked: which, of whom, until when, with what reminders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from topics.message import Value

Hours = Annotated[float, Field(gt=0, le=24 * 90)]


class EscalationRule(Value):
    """Who joins the reviewers when nobody answered, and when.

    ``hours_before`` the deadline; 0: at the deadline, which then moves by ``more_hours``, once.
    """

    operator_ids: tuple[UUID, ...] = Field(default=(), max_length=20)
    groups: tuple[str, ...] = Field(default=(), max_length=20)
    hours_before: float = Field(default=0, ge=0, le=24 * 90)
    more_hours: Hours = 24


class ApprovalRule(Value):
    """How approvals of one kind are asked; what is left out is as everywhere in the instance.

    ``automatic``: asked as soon as it can be; else once a person submits it. Reviewers are the
    operators named and the members of the groups; nobody named: the campaign's reviewers. They are
    reminded so many hours after the submission, and at the dates.
    """

    asked: bool = True
    automatic: bool = True
    reviewer_ids: tuple[UUID, ...] = Field(default=(), max_length=50)
    reviewer_groups: tuple[str, ...] = Field(default=(), max_length=20)
    deadline_hours: Hours | None = None
    remind_after_hours: tuple[Hours, ...] | None = Field(default=None, max_length=50)
    remind_at: tuple[datetime, ...] = Field(default=(), max_length=50)
    escalation: EscalationRule | None = None


class ApproveOnce(Value):
    """How long the approval of one occurrence stands for those of the same content.

    For so many days from its answer, while the target's count differs by ``tolerance_percent`` at
    most from the count that was approved.
    """

    days: int = Field(ge=1, le=366)
    tolerance_percent: int = Field(default=10, ge=0, le=100)


class ApprovalRules(Value):
    """The rule of each kind of approval; ``once`` is what an occurrence's schedule says of proofs.

    Without one, only the proof is asked, and the target alone where there is no message.
    Whether a supplier's file and its router's proof are asked is said in the supplier's service;
    here is of whom, and until when.
    """

    target: ApprovalRule | None = None
    proof: ApprovalRule | None = None
    external_content: ApprovalRule | None = None
    extraction_file: ApprovalRule | None = None
    router_proof: ApprovalRule | None = None
    start: ApprovalRule | None = None
    once: ApproveOnce | None = None

    def of(self, kind: str) -> ApprovalRule | None:
        """Return the rule of a kind of approval, by its name."""
        found: ApprovalRule | None = getattr(self, kind)
        return found

    def asks(self, kind: str) -> bool:
        """Whether a rule says that a kind of approval is asked."""
        rule = self.of(kind)
        return rule is not None and rule.asked
