"""Messages of expenses: what plans, programs, campaigns, deliveries and tasks cost."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, Value
from topics.names import BUDGET_COMMANDS, BUDGET_EVENTS

Amount = Annotated[int, Field(ge=0, le=10**15)]


class ExpenseKind(StrEnum):
    """What costs; a campaign's delivery has the campaign's id.

    An invoice costs what its lines say that are for no delivery or task.
    """

    PLAN = "plan"
    PROGRAM = "program"
    CAMPAIGN = "campaign"
    DELIVERY = "delivery"
    TASK = "task"
    INVOICE = "invoice"


class EntryStatus(StrEnum):
    """Whether what was typed counts: only what is specified does."""

    EDITING = "editing"
    SPECIFIED = "specified"


class CommitmentLevel(StrEnum):
    """How firm an amount is before it is spent."""

    PLANNED = "planned"
    RESERVED = "reserved"
    COMMITTED = "committed"


class TypedCost(Value):
    """An amount typed by hand, where wanted with its parts by category, which sum to it."""

    amount_minor: Amount
    by_category: dict[str, Amount] = Field(default_factory=dict, max_length=50)


class SaveExpense(Command, topic=BUDGET_COMMANDS, key="object_id"):
    """Save the provisional and the real cost of something, as typed by hand.

    A campaign's amounts count in ``budget_id``; those of plans and programs in their roll-ups
    alone. A real cost of a campaign or delivery is taken once the campaign is finished; tasks have
    ``SaveTask``. Source: web, bot, cli. Answers: ``ExpenseSaved`` or ``ExpenseRefused``.
    """

    kind: ExpenseKind
    object_id: UUID
    budget_id: UUID
    label: str = Field(default="", max_length=200)
    status: EntryStatus = EntryStatus.EDITING
    provisional: TypedCost | None = None
    real: TypedCost | None = None
    program_id: UUID | None = None
    plan_id: UUID | None = None
    actor: Actor


class ExpenseSaved(Event, topic=BUDGET_EVENTS, key="object_id"):
    """What was typed is kept; ``calculated_minor`` follows from it and from what is known."""

    kind: ExpenseKind
    object_id: UUID
    budget_id: UUID
    status: EntryStatus
    calculated_minor: int | None
    currency: str
    actor: Actor


class ExpenseRefused(Event, topic=BUDGET_EVENTS, key="object_id"):
    """What was typed cannot be kept."""

    kind: ExpenseKind
    object_id: UUID
    budget_id: UUID
    reason: str
    field: str | None = None
    actor: Actor


class CostsCalculated(Event, topic=BUDGET_EVENTS, key="object_id"):
    """budgetMgt rolled up what a campaign, program or plan costs, in one currency (minor units)."""

    kind: ExpenseKind
    object_id: UUID
    currency: str
    provisional_minor: int | None
    calculated_minor: int | None
    real_minor: int | None
    planned_minor: int
    reserved_minor: int
    committed_minor: int
    spent_minor: int
    invoiced_minor: int
    calculated_at: datetime
