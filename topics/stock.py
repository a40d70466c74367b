"""Messages of goods: stock lines, orders, reservations, consumptions, alerts."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State
from topics.names import STOCK_COMMANDS, STOCK_EVENTS, STOCK_STATE


class SaveStockLine(Command, topic=STOCK_COMMANDS, key="line_id"):
    """Save a stock line. Answers: ``StockLineState`` or ``StockRefused``.

    ``initial`` is counted once, when the line is new; ``group`` is told of alerts.
    """

    line_id: UUID
    actor: Actor
    stock: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=200)
    initial: int = Field(ge=0)
    alert_level: int = Field(default=0, ge=0)
    group: str = Field(default="", max_length=100)


class OrderStock(Command, topic=STOCK_COMMANDS, key="line_id"):
    """Order more of a line; stockMgt receives it when its date is reached."""

    order_id: UUID
    line_id: UUID
    quantity: int = Field(gt=0)
    due_on: date
    actor: Actor


class ReserveStock(Command, topic=STOCK_COMMANDS, key="campaign_id"):
    """Hold goods for an approved campaign. Source: campaign; budget, for the costs of a hold.

    One reservation per id. Answers: ``StockReserved`` or ``StockReservationRefused``, with the
    hold, which tells the budget's reservations from the campaign's own.
    """

    campaign_id: UUID
    reservation_id: UUID
    line_id: UUID
    quantity: int = Field(gt=0)
    hold_id: UUID | None = None


class EstimateStock(Command, topic=STOCK_COMMANDS, key="campaign_id"):
    """Say whether a line could cover a campaign, holding nothing.

    Source: campaign, bot. Answer: ``StockEstimated``; none for a line that is not known.
    """

    campaign_id: UUID
    line_id: UUID
    quantity: int = Field(ge=0)


class ReleaseStock(Command, topic=STOCK_COMMANDS, key="campaign_id"):
    """Give back what a reservation has not consumed."""

    campaign_id: UUID
    reservation_id: UUID
    reason: str


class ConsumeStock(Command, topic=STOCK_COMMANDS, key="campaign_id"):
    """The extraction took goods of a reservation; ``cause_id`` (the file) counts once.

    Source: campaign, budget. Answer: ``StockConsumed``.
    """

    campaign_id: UUID
    reservation_id: UUID
    cause_id: UUID
    quantity: int = Field(ge=0)


class StockReserved(Event, topic=STOCK_EVENTS, key="campaign_id"):
    """The goods are held; ``available`` is what others may still reserve."""

    campaign_id: UUID
    reservation_id: UUID
    line_id: UUID
    quantity: int
    available: int
    hold_id: UUID | None = None


class StockReservationRefused(Event, topic=STOCK_EVENTS, key="campaign_id"):
    """Not enough goods, or an unknown line (then ``available`` is 0)."""

    campaign_id: UUID
    reservation_id: UUID
    line_id: UUID
    asked: int
    available: int
    reason: str
    hold_id: UUID | None = None


class StockEstimated(Event, topic=STOCK_EVENTS, key="campaign_id"):
    """What a campaign would take of a line, for the card its reviewer sees.

    ``covered``: there is enough that nobody else reserved. ``reaches_alert``: what is left in
    stock would be at or under the alert level.
    """

    campaign_id: UUID
    line_id: UUID
    stock: str
    label: str
    asked: int
    available: int
    on_order: int
    alert_level: int
    covered: bool
    reaches_alert: bool


class StockConsumed(Event, topic=STOCK_EVENTS, key="campaign_id"):
    """Goods left the stock for a campaign."""

    campaign_id: UUID
    reservation_id: UUID
    line_id: UUID
    cause_id: UUID
    quantity: int
    in_stock: int


class StockReleased(Event, topic=STOCK_EVENTS, key="campaign_id"):
    """What was left of a reservation went back."""

    campaign_id: UUID
    reservation_id: UUID
    line_id: UUID
    quantity: int


class OrderReceived(Event, topic=STOCK_EVENTS, key="line_id"):
    """An order's goods were added to its line."""

    order_id: UUID
    line_id: UUID
    quantity: int
    in_stock: int


class StockAlertRaised(Event, topic=STOCK_EVENTS, key="line_id"):
    """A line fell to its alert level; raised once per crossing (``crossing`` counts them)."""

    line_id: UUID
    label: str
    in_stock: int
    alert_level: int
    crossing: int
    group: str = ""
    stock: str = ""
    on_order: int = 0


class StockAlertCleared(Event, topic=STOCK_EVENTS, key="line_id"):
    """A line rose above its alert level again."""

    line_id: UUID
    label: str
    in_stock: int
    crossing: int


class StockRefused(Event, topic=STOCK_EVENTS, key="line_id"):
    """A line could not be saved or ordered."""

    line_id: UUID
    actor: Actor
    command: str
    reason: str
    field: str | None = None


class StockLineState(State, topic=STOCK_STATE, key="line_id"):
    """A stock line: ``in_stock = initial + delivered - consumed``; ``reserved`` is part of it."""

    line_id: UUID
    stock: str
    label: str
    initial: int
    delivered: int
    consumed: int
    reserved: int
    in_stock: int
    on_order: int
    alert_level: int
    alert: bool
    available: int | None = None
    group: str = ""
