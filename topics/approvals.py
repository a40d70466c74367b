"""Messages of an open approval's course: put off, handed on, escalated."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event
from topics.names import DELIVERY_COMMANDS, DELIVERY_EVENTS


class SnoozeApproval(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Put a reviewer's own reminders of an open approval off until a time before its deadline.

    Answers: ``ApprovalSnoozed`` or ``AnswerRefused``.
    """

    approval_id: UUID
    campaign_id: UUID
    until: datetime
    actor: Actor


class DelegateApproval(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Hand an open approval on to another operator, who may approve and did not ask for it.

    Answers: ``ApprovalDelegated`` or ``AnswerRefused``.
    """

    approval_id: UUID
    campaign_id: UUID
    to: UUID
    comment: str = Field(default="", max_length=1000)
    actor: Actor


class ApprovalSnoozed(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """A reviewer is not reminded before ``until``, and then by themselves."""

    campaign_id: UUID
    approval_id: UUID
    until: datetime
    actor: Actor


class ApprovalDelegated(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """A reviewer handed an approval on; where anybody may answer, they still may."""

    campaign_id: UUID
    approval_id: UUID
    revision: int
    to: UUID
    comment: str = ""
    actor: Actor


class ApprovalEscalated(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """Nobody answered in time: these operators are reviewers too, and ``deadline_at`` holds."""

    campaign_id: UUID
    approval_id: UUID
    revision: int
    operator_ids: tuple[UUID, ...]
    deadline_at: datetime
