"""Messages of money: budgets, cost structures, holds, cost lines."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State, Value
from topics.names import BUDGET_COMMANDS, BUDGET_EVENTS, BUDGET_STATE


class Formula(StrEnum):
    """How a cost follows from a volume: ``amount``, or volume × ``unit_price``."""

    FIXED = "fixed"
    LINEAR = "linear"


class CostDriver(StrEnum):
    """The volume that a linear cost counts; fixed costs have ``none``."""

    NONE = "none"
    EMAILS = "emails"
    LETTERS = "letters"
    ORGANISATIONS = "organisations"
    PERSONS = "persons"


class CostStructure(Value):
    """One priced part of a campaign: a fixed amount, or a unit price for each counted unit."""

    structure_id: UUID
    category: str = Field(min_length=1, max_length=60)
    label: str = Field(min_length=1, max_length=200)
    formula: Formula
    driver: CostDriver = CostDriver.NONE
    amount_minor: int = Field(default=0, ge=0, description="minor units (cents), when fixed")
    unit_price: Decimal = Field(
        default=Decimal(0), ge=0, max_digits=12, decimal_places=6, description="major units"
    )


class Volumes(Value):
    """How many of each a campaign has or had."""

    emails: int = Field(default=0, ge=0)
    letters: int = Field(default=0, ge=0)
    organisations: int = Field(default=0, ge=0)
    persons: int = Field(default=0, ge=0)


class SaveBudget(Command, topic=BUDGET_COMMANDS, key="budget_id"):
    """Save a budget with the cost structures that its campaigns use.

    ``starts_on`` and ``ends_on`` are information only. Lowering the allocation under what is held
    or spent is refused. Answers: ``BudgetState`` or ``BudgetRefused``.
    """

    budget_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    allocated_minor: int = Field(ge=0)
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    starts_on: date | None = None
    ends_on: date | None = None
    structures: tuple[CostStructure, ...] = Field(default=(), max_length=50)


class EstimateCost(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Say what volumes would cost, holding nothing. Source: campaign. Answer: ``CostEstimated``."""

    campaign_id: UUID
    budget_id: UUID
    volumes: Volumes


class ReserveFunds(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Hold what an approved campaign may cost at most. Source: campaign.

    One hold per ``hold_id``. Answers: ``FundsReserved`` or ``FundsRefused``.
    """

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    hold_id: UUID
    budget_id: UUID
    volumes: Volumes


class ReleaseFunds(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Give a hold back: the approval was voided or the campaign cancelled before it cost."""

    campaign_id: UUID
    hold_id: UUID
    reason: str


class CommitFunds(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """The campaign ended: turn the hold into what it really cost and give the rest back.

    Source: campaign; budgetMgt computes. Answer: ``FundsCommitted``.
    """

    campaign_id: UUID
    hold_id: UUID
    volumes: Volumes


class CostEstimated(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """What the volumes would cost, and what the budget has left."""

    campaign_id: UUID
    budget_id: UUID
    amount_minor: int
    left_minor: int
    currency: str


class FundsReserved(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The hold stands."""

    campaign_id: UUID
    hold_id: UUID
    budget_id: UUID
    amount_minor: int
    left_minor: int
    currency: str


class FundsRefused(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The hold would exceed what is left, or the budget is unknown (then both are 0)."""

    campaign_id: UUID
    hold_id: UUID
    budget_id: UUID
    asked_minor: int
    left_minor: int
    reason: str


class FundsReleased(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """A hold was given back whole."""

    campaign_id: UUID
    hold_id: UUID
    amount_minor: int


class CostLine(Value):
    """One line of a campaign's real cost."""

    category: str
    label: str
    quantity: int
    amount_minor: int


class FundsCommitted(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The real cost is booked; ``released_minor`` of the hold went back."""

    campaign_id: UUID
    hold_id: UUID
    budget_id: UUID
    spent_minor: int
    released_minor: int
    currency: str
    lines: tuple[CostLine, ...]


class BudgetRefused(Event, topic=BUDGET_EVENTS, key="budget_id"):
    """A budget could not be saved."""

    budget_id: UUID
    actor: Actor
    reason: str
    field: str | None = None


class BudgetState(State, topic=BUDGET_STATE, key="budget_id"):
    """A budget's balance: ``left = allocated - reserved - spent``; minor units."""

    budget_id: UUID
    label: str
    currency: str
    allocated_minor: int
    reserved_minor: int
    spent_minor: int
    left_minor: int
    calculated_at: datetime | None = None
