"""Messages of orders, invoices and currency rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from topics.expenses import Amount, ExpenseKind
from topics.message import Actor, Command, Event, Value
from topics.names import BUDGET_COMMANDS, BUDGET_EVENTS

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class InvoiceStatus(StrEnum):
    """How an invoice stands; a paid one can no longer change."""

    RECEIVED = "received"
    PAID = "paid"
    CANCELLED = "cancelled"


class OrderLine(Value):
    """One line of an order."""

    label: str = Field(min_length=1, max_length=200)
    amount_minor: Amount


class SaveOrder(Command, topic=BUDGET_COMMANDS, key="order_id"):
    """Save what was ordered of a supplier; the lines, where given, sum to the total.

    Source: web, cli. Answers: ``OrderSaved`` or ``InvoiceRefused``.
    """

    order_id: UUID
    number: str = Field(min_length=1, max_length=60)
    supplier: str = Field(min_length=1, max_length=200)
    supplier_id: UUID | None = None
    budget_id: UUID | None = None
    currency: Currency = "EUR"
    total_minor: Amount
    lines: tuple[OrderLine, ...] = Field(default=(), max_length=200)
    ordered_on: date | None = None
    actor: Actor


class InvoiceLine(Value):
    """One line of an invoice: for an order, and for a delivery's or task's cost, where it is.

    A line for neither is charged to the invoice's budget directly.
    """

    label: str = Field(min_length=1, max_length=200)
    amount_minor: Amount
    order_id: UUID | None = None
    kind: ExpenseKind | None = None
    object_id: UUID | None = None


class SaveInvoice(Command, topic=BUDGET_COMMANDS, key="invoice_id"):
    """Save an invoice charged to a budget; its lines sum to its total.

    A supplier's number is taken once. Source: web, cli. Answers: ``InvoiceSaved`` or
    ``InvoiceRefused``.
    """

    invoice_id: UUID
    number: str = Field(min_length=1, max_length=60)
    supplier: str = Field(min_length=1, max_length=200)
    supplier_id: UUID | None = None
    budget_id: UUID
    currency: Currency = "EUR"
    total_minor: Amount
    lines: tuple[InvoiceLine, ...] = Field(min_length=1, max_length=200)
    invoiced_on: date
    actor: Actor


class MoveInvoice(Command, topic=BUDGET_COMMANDS, key="invoice_id"):
    """Mark an invoice paid or cancelled; once.

    What is paid goes from spent to invoiced, in the budget's currency at the rate of ``on``.
    Answers: ``InvoiceMoved`` or ``InvoiceRefused``.
    """

    invoice_id: UUID
    to: InvoiceStatus
    on: date
    actor: Actor


class OrderSaved(Event, topic=BUDGET_EVENTS, key="order_id"):
    """An order was saved."""

    order_id: UUID
    number: str
    supplier: str
    currency: str
    total_minor: int
    actor: Actor


class InvoiceSaved(Event, topic=BUDGET_EVENTS, key="invoice_id"):
    """An invoice was saved."""

    invoice_id: UUID
    number: str
    supplier: str
    budget_id: UUID
    currency: str
    total_minor: int
    actor: Actor


class InvoiceMoved(Event, topic=BUDGET_EVENTS, key="invoice_id"):
    """An invoice was paid or cancelled; ``charged_minor`` is in the budget's currency."""

    invoice_id: UUID
    number: str
    supplier: str
    budget_id: UUID
    status: InvoiceStatus
    charged_minor: int
    currency: str
    actor: Actor


class InvoiceRefused(Event, topic=BUDGET_EVENTS, key="document_id"):
    """An order or invoice could not be saved or moved; ``command`` is the command's class name."""

    document_id: UUID
    command: str
    reason: str
    field: str | None = None
    actor: Actor


class SaveRate(Command, topic=BUDGET_COMMANDS, key="base"):
    """Say how many ``quote`` one ``base`` is from a date on, until a later date's rate.

    It counts the other way round too, where no rate is given for that. What was converted stays.
    Answers: ``RateSaved`` or ``RateRefused``.
    """

    base: Currency
    quote: Currency
    valid_from: date
    rate: Decimal = Field(gt=0, max_digits=18, decimal_places=8)
    actor: Actor


class RateSaved(Event, topic=BUDGET_EVENTS, key="base"):
    """A rate is known."""

    base: str
    quote: str
    valid_from: date
    rate: Decimal
    actor: Actor


class RateRefused(Event, topic=BUDGET_EVENTS, key="base"):
    """A rate could not be kept."""

    base: str
    quote: str
    reason: str
    field: str | None = None
    actor: Actor
