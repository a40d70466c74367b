"""Messages of what people decide about a campaign's money: its cost types, its approval."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from topics.budget import CostChoice
from topics.message import Actor, Command, Event
from topics.names import BUDGET_COMMANDS, BUDGET_EVENTS


class ChooseCosts(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Choose a campaign's cost types and surcharges; they count from its next estimate or hold on.

    Answers: ``CostsChosen`` or ``CostsRefused``.
    """

    campaign_id: UUID
    budget_id: UUID
    choices: tuple[CostChoice, ...] = Field(default=(), max_length=50)
    actor: Actor


class CostsChosen(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """A campaign's cost types are chosen."""

    campaign_id: UUID
    budget_id: UUID
    choices: tuple[CostChoice, ...]
    actor: Actor


class CostsRefused(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """Cost types could not be chosen."""

    campaign_id: UUID
    budget_id: UUID
    reason: str
    field: str | None = None
    actor: Actor


class DecideFunds(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """Approve or refuse what a campaign's hold would commit; the first answer closes it.

    Source: bot, web, cli. Answers: ``FundsReserved`` or ``FundsRefused``; or ``FundsUndecided``.
    """

    campaign_id: UUID
    hold_id: UUID
    approve: bool
    reason: str = Field(default="", max_length=1000)
    actor: Actor


class UseGoods(Command, topic=BUDGET_COMMANDS, key="campaign_id"):
    """The extraction took goods: what a hold's cost types count leaves the stock, once a file.

    Source: campaign, for each file of letters (``cause_id``). The budget asks the stock.
    """

    campaign_id: UUID
    hold_id: UUID
    cause_id: UUID
    letters: int = Field(ge=0)


class FundsAwaitApproval(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """The money is held, and a person must approve it before the campaign goes on."""

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    hold_id: UUID
    budget_id: UUID
    budget_label: str
    amount_minor: int
    left_minor: int
    over_minor: int = 0
    currency: str
    requested_by: Actor | None = None


class FundsUndecided(Event, topic=BUDGET_EVENTS, key="campaign_id"):
    """A decision about a hold was not taken: no right, decided already, not known."""

    campaign_id: UUID
    hold_id: UUID
    reason: str
    actor: Actor
