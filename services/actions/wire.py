"""What the HTTP routes of actions take and give."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.actions.domain import ActionStatus, Model
from topics.actions import ActionCounts, ActionMove, Filing, ModelKind

ListName = Literal["next", "results", "deals"]
Form = Literal["csv", "html"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SaveModel(_Body):
    """An action model to save."""

    model_id: UUID | None = None
    code: str = Field(pattern=r"^[A-Z0-9_-]{1,20}$")
    label: str = Field(min_length=1, max_length=200)
    kind: ModelKind
    reason: str = Field(default="", max_length=200)
    subject: str = Field(default="", max_length=200)
    sender: str = Field(default="", max_length=200)
    recipient: str = Field(default="", max_length=200)
    delay_days: int = Field(default=0, ge=0, le=3650)
    filing: Filing = Filing.NONE
    item_type: str = Field(default="general", max_length=60)
    processed: bool = False
    business_line: str = Field(default="", max_length=100)
    market: str = Field(default="", max_length=100)
    product: str = Field(default="", max_length=100)


class ModelSaved(BaseModel):
    """A saved model's id and version."""

    model_id: UUID
    version: int


class ModelView(BaseModel):
    """An action model as lists show it."""

    model_id: UUID
    version: int
    code: str
    label: str
    kind: ModelKind
    reason: str
    subject: str
    sender: str
    recipient: str
    delay_days: int
    filing: Filing
    item_type: str
    processed: bool
    business_line: str
    market: str
    product: str

    @classmethod
    def of(cls, model: Model) -> ModelView:
        """Return the view of a model."""
        return cls(**asdict(model))


class Link(_Body):
    """Whether a member takes part."""

    member_id: UUID
    linked: bool


class MemberView(BaseModel):
    """A member of a snapshot; ``ordinal`` is the cursor of the next page."""

    ordinal: int
    member_id: UUID
    kind: str
    site_name: str
    town: str
    contact_name: str
    email: str
    linked: bool


class Move(_Body):
    """What to do to which actions; without ids, to all that can."""

    move: ActionMove
    action_ids: tuple[UUID, ...] | None = Field(default=None, max_length=1000)
    report: str = Field(default="", max_length=2000)


class Moved(BaseModel):
    """What a move did at once; a queued one is carried out in the order asked."""

    queued: bool
    moved: int = 0
    counts: ActionCounts | None = None


class ActionView(BaseModel):
    """An action with the columns people see."""

    action_id: UUID
    status: ActionStatus
    overdue: bool
    action: str
    model_code: str
    reason: str
    subject: str
    sender: str
    recipient: str
    due_on: date
    delay_days: int
    site_id: UUID
    site: str
    postal_code: str
    city: str
    phone: str
    contact_id: UUID | None
    contact: str
    direct_line: str
    mobile: str
    mail: str
    executed_on: datetime | None
    report: str
    cancelled_on: datetime | None
    created: datetime


class ActionPage(BaseModel):
    """A page of actions; ``after`` is the cursor of the next one, if there may be one."""

    actions: list[ActionView]
    after: str | None


class DealView(BaseModel):
    """A deal obtained, with the columns people see; amounts are in minor units too."""

    deal_id: UUID
    business_line: str
    market: str
    offer_owner: str
    product: str
    status: str
    expected_signature_on: date | None
    revenue_minor: int | None
    revenue: str | None
    margin_minor: int | None
    margin: str | None
    currency: str | None
    site_id: UUID
    site: str
    contact_id: UUID | None
    contact: str
    probability_percent: int | None
    success_percent: int | None
    comment: str
    handled_on: date | None
    cancel_reason: str
    created: datetime


class DealPage(BaseModel):
    """A page of deals."""

    deals: list[DealView]
    after: str | None


class ItemView(BaseModel):
    """A dossier item."""

    item_id: UUID
    item_type: str
    action: str
    subject: str
    site: str
    contact: str
    processed: bool
    processed_at: datetime | None
    created: datetime


class ItemPage(BaseModel):
    """A page of dossier items."""

    items: list[ItemView]
    after: str | None


class Processed(_Body):
    """Whether a dossier item needs no more work."""

    processed: bool
