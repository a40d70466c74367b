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
    """How a cost follows from a volume ``n``.

    Source: Adobe Campaign Classic, "Providers, stocks and budgets", "Controlling costs". The upper
    bound of a band is inclusive; its price is that of the whole volume.
    """

    FIXED = "fixed"
    """``amount_minor``, whatever was counted."""
    LINEAR = "linear"
    """``n / per × unit_price``; whole batches of ``per`` with ``whole_batches``."""
    LINEAR_BANDS = "linear_bands"
    """``n ×`` the unit price of the band that ``n`` is in."""
    CONSTANT_BANDS = "constant_bands"
    """The amount of the band that ``n`` is in."""
    DAILY = "daily"
    """Days of a task × ``unit_price``; a campaign has none."""


class CostDriver(StrEnum):
    """The volume that a linear cost counts; fixed costs have ``none``."""

    NONE = "none"
    EMAILS = "emails"
    LETTERS = "letters"
    ORGANISATIONS = "organisations"
    PERSONS = "persons"


class Band(Value):
    """A range of volumes, from the bound of the band before (exclusive) to ``up_to`` (inclusive).

    The last band has no bound. ``unit_price`` counts in linear bands, ``amount_minor`` in constant.
    """

    up_to: int | None = Field(default=None, ge=1)
    unit_price: Decimal = Field(
        default=Decimal(0), ge=0, max_digits=12, decimal_places=6, description="major units"
    )
    amount_minor: int = Field(default=0, ge=0, description="minor units (cents)")


class CostStructure(Value):
    """One priced part of a campaign or task: the formula of a cost type in a cost category.

    The ``label`` of a structure names its cost type.
    """

    structure_id: UUID
    category: str = Field(min_length=1, max_length=60)
    label: str = Field(min_length=1, max_length=200)
    formula: Formula
    driver: CostDriver = CostDriver.NONE
    amount_minor: int = Field(default=0, ge=0, description="minor units (cents), when fixed")
    unit_price: Decimal = Field(
        default=Decimal(0), ge=0, max_digits=12, decimal_places=6, description="major units"
    )
    per: int = Field(default=1, ge=1, le=1_000_000, description="how many the unit price is for")
    whole_batches: bool = Field(
        default=False, description="whether a begun batch costs a whole one"
    )
    stock_line_id: UUID | None = Field(
        default=None, description="the stock line that what it counts is taken from"
    )
    stock_quantity: int = Field(
        default=1, ge=1, le=1000, description="pieces that one of what it counts takes"
    )
    bands: tuple[Band, ...] = Field(default=(), max_length=50)


class CostProcess(StrEnum):
    """What a cost category is for; a campaign without it has no cost of the category."""

    EMAIL = "email"
    DIRECT_MAIL = "direct_mail"
    MOBILE = "mobile"
    TELEPHONE = "telephone"
    TASK = "task"


class CostCategory(Value):
    """A category whose cost types exclude each other: one is chosen, or the default one holds.

    Of a category that a budget does not list, every structure applies. ``envelope_minor`` is the
    part of the allocation meant for it; envelopes, where given, sum to the allocation.
    """

    label: str = Field(min_length=1, max_length=60)
    process: CostProcess
    default_id: UUID | None = Field(default=None, description="the structure used unless chosen")
    must_choose: bool = Field(default=False, description="whether a campaign without choice waits")
    envelope_minor: int = Field(default=0, ge=0, description="minor units (cents)")


class CostChoice(Value):
    """A cost type chosen for one campaign or task, and what is added to it there alone.

    ``amount_minor`` replaces a fixed structure's amount.
    """

    structure_id: UUID
    surcharge_minor: int = Field(default=0, ge=0, le=10**15)
    amount_minor: int | None = Field(default=None, ge=0, le=10**15)


class Overrun(StrEnum):
    """What happens when more is asked of a budget than it has left."""

    REFUSE = "refuse"
    WARN = "warn"


class Volumes(Value):
    """How many of each a campaign has or had."""

    emails: int = Field(default=0, ge=0)
    letters: int = Field(default=0, ge=0)
    organisations: int = Field(default=0, ge=0)
    persons: int = Field(default=0, ge=0)


class SaveBudget(Command, topic=BUDGET_COMMANDS, key="budget_id"):
    """Save a budget with the cost structures that its campaigns use.

    ``starts_on`` and ``ends_on`` are information only. Lowering the allocation under what is held
    or spent is refused. With ``needs_approval`` a person approves each hold before it is answered
    (``DecideFunds``). Answers: ``BudgetState`` or ``BudgetRefused``.
    """

    budget_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    allocated_minor: int = Field(ge=0)
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    starts_on: date | None = None
    ends_on: date | None = None
    structures: tuple[CostStructure, ...] = Field(default=(), max_length=50)
    categories: tuple[CostCategory, ...] = Field(default=(), max_length=50)
    overrun: Overrun = Overrun.REFUSE
    needs_approval: bool = False
    main_budget_id: UUID | None = Field(default=None, description="the budget this one belongs to")


class EstimateCost(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """The target is known: say what it would cost, and plan it; nothing is held.

    Source: campaign, bot. For a ``draft``, a campaign that is not saved yet, nothing is planned.
    Answer: ``CostEstimated``.
    """

    campaign_id: UUID
    budget_id: UUID
    volumes: Volumes
    program_id: UUID | None = None
    plan_id: UUID | None = None
    draft: bool = False


class ReserveFunds(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Hold what an approved campaign may cost at most. Source: campaign.

    One hold per ``hold_id``. Answers: ``FundsReserved`` or ``FundsRefused``; where the budget asks
    for an approval, ``FundsAwaitApproval`` comes first. ``requested_by`` may not approve it.
    """

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    hold_id: UUID
    budget_id: UUID
    volumes: Volumes
    program_id: UUID | None = None
    plan_id: UUID | None = None
    requested_by: Actor | None = None


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


class GoodsNeeded(Value):
    """Pieces of a stock line that cost types take."""

    line_id: UUID
    quantity: int


class CostEstimated(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """What the volumes would cost, and what the budget has left.

    ``note`` says what is not priced because nobody chose its cost type, ``goods`` what the cost
    types would take of the stock.
    """

    campaign_id: UUID
    budget_id: UUID
    amount_minor: int
    left_minor: int
    currency: str
    note: str = ""
    goods: tuple[GoodsNeeded, ...] = ()


class FundsReserved(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The hold stands; ``over_minor`` is what it takes beyond the budget, where that is allowed.

    ``decided_by`` is who approved it, where the budget asks for that.
    """

    campaign_id: UUID
    hold_id: UUID
    budget_id: UUID
    amount_minor: int
    left_minor: int
    currency: str
    over_minor: int = 0
    decided_by: Actor | None = None


class FundsRefused(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The hold would exceed what is left, or the budget is unknown (then both are 0).

    ``decided_by`` is who refused it, where the budget asks for an approval.
    """

    campaign_id: UUID
    hold_id: UUID
    budget_id: UUID
    asked_minor: int
    left_minor: int
    reason: str
    decided_by: Actor | None = None


class FundsReleased(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """A hold was given back whole."""

    campaign_id: UUID
    hold_id: UUID
    amount_minor: int


class CostLine(Value):
    """One line of a campaign's real cost; the surcharge is part of the amount."""

    category: str
    label: str
    quantity: int
    amount_minor: int
    surcharge_minor: int = 0


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
    """A budget's balance in minor units.

    ``left = allocated - reserved - committed - spent - invoiced``; what is only planned takes
    nothing. An amount is in one level at a time.
    """

    budget_id: UUID
    label: str
    currency: str
    allocated_minor: int
    reserved_minor: int
    spent_minor: int
    left_minor: int
    calculated_at: datetime | None = None
    planned_minor: int = 0
    committed_minor: int = 0
    invoiced_minor: int = 0
    overrun: Overrun = Overrun.REFUSE
    needs_approval: bool = False
    main_budget_id: UUID | None = None
