"""What the HTTP routes of approvals take and return."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.delivery.domain.approvals import Approval
from services.delivery.store.approval_log import Entry
from services.delivery.wire import View
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision


class ApprovalView(View):
    """An approval."""

    approval_id: UUID
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
    snapshot_hash: str
    send_doubles: bool
    requested_by: str
    requested_at: datetime
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    reviewer_groups: tuple[str, ...]
    remind_at: tuple[datetime, ...]
    reminders_sent: int
    escalate_at: datetime | None
    escalated_at: datetime | None
    warnings: tuple[ContentWarning, ...]
    decided_by: str | None
    decided_at: datetime | None
    reason: str

    @classmethod
    def of(cls, approval: Approval) -> ApprovalView:
        """Return an approval's view."""
        values: dict[str, Any] = {name: getattr(approval, name) for name in cls.model_fields}
        return cls(**values)


class NewDecision(BaseModel):
    """An answer to an approval; ``revision`` is the one that was seen."""

    model_config = ConfigDict(extra="forbid")

    revision: int
    decision: Decision
    reason: str = Field(default="", max_length=2000)


class NewSnooze(BaseModel):
    """Until when a reviewer wants no reminder."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime


class NewDelegation(BaseModel):
    """To whom an approval is handed on, and why."""

    model_config = ConfigDict(extra="forbid")

    to: UUID
    comment: str = Field(default="", max_length=1000)


class LogView(View):
    """An entry of the approvals log: who did what, who is concerned, until when."""

    entry_id: int
    approval_id: UUID
    campaign_id: UUID
    kind: ApprovalKind
    revision: int
    event: str
    actor_id: str
    operator_ids: tuple[UUID, ...]
    until: datetime | None
    comment: str
    at: datetime

    @classmethod
    def of(cls, entry: Entry) -> LogView:
        """Return an entry's view."""
        values: dict[str, Any] = {name: getattr(entry, name) for name in cls.model_fields}
        return cls(**values)
