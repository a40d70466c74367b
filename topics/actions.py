"""Messages of actions, deals and dossier items generated from a snapshot."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State, Value
from topics.names import ACTIONS_COMMANDS, ACTIONS_EVENTS, ACTIONS_STATE


class ModelKind(StrEnum):
    """What a model makes, and on what (source: ARTIS CRM, "Les campagnes")."""

    ACTION_ON_SITE = "action_on_site"
    DEAL_ON_SITE = "deal_on_site"
    ACTION_ON_DEAL = "action_on_deal"


class Filing(StrEnum):
    """Dossier items of an action (source: AFAS Profit, "Générer une action de campagne")."""

    NONE = "none"
    PER_CONTACT = "per_contact"
    ONE_FOR_ALL = "one_for_all"


class ActionMove(StrEnum):
    """What can be done to generated actions."""

    EXECUTE = "execute"
    CANCEL = "cancel"
    SUSPEND = "suspend"
    RESUME = "resume"
    FINISH = "finish"


class SaveActionModel(Command, topic=ACTIONS_COMMANDS, key="model_id"):
    """Save an action model. Answers: ``ActionModelState`` or ``ActionsRefused``.

    ``processed``: dossier items are filed as done, out of the to-do list.
    """

    model_id: UUID
    actor: Actor
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


class SetLinked(Command, topic=ACTIONS_COMMANDS, key="campaign_id"):
    """Take a member out of a campaign's actions, or back in, before they are generated."""

    campaign_id: UUID
    member_id: UUID
    linked: bool
    actor: Actor


class GenerateActions(Command, topic=ACTIONS_COMMANDS, key="campaign_id"):
    """Generate actions, deals and dossier items over an approved snapshot.

    Source: campaign. Answers: ``ActionsGenerated`` per chunk, then ``ActionsCompleted``; or
    ``ActionsRefused``.
    """

    campaign_id: UUID
    run_id: UUID
    snapshot_id: UUID
    snapshot_hash: str
    chunks: int
    model_ids: tuple[UUID, ...] = Field(min_length=1, max_length=20)


class MoveActions(Command, topic=ACTIONS_COMMANDS, key="campaign_id"):
    """Execute, cancel, suspend, resume or finish actions; ``action_ids=None`` means all that can.

    Answers: ``ActionsMoved`` or ``ActionsRefused``.
    """

    campaign_id: UUID
    move: ActionMove
    action_ids: tuple[UUID, ...] | None = Field(default=None, max_length=1000)
    report: str = Field(default="", max_length=2000)
    actor: Actor


class ActionCounts(Value):
    """A campaign's actions by state; ``generated`` is their sum."""

    generated: int = 0
    waiting: int = 0
    suspended: int = 0
    executed: int = 0
    finished: int = 0
    cancelled: int = 0
    deals: int = 0
    dossier_items: int = 0


class ActionsGenerated(Event, topic=ACTIONS_EVENTS, key="campaign_id"):
    """One chunk of a snapshot has its actions: how many of each, in this chunk."""

    campaign_id: UUID
    run_id: UUID
    index: int
    actions: int
    deals: int
    dossier_items: int


class ActionsCompleted(Event, topic=ACTIONS_EVENTS, key="campaign_id"):
    """All chunks are generated; ``organisations`` and ``persons`` are the linked ones."""

    campaign_id: UUID
    run_id: UUID
    counts: ActionCounts
    organisations: int
    persons: int
    revision: int


class ActionsMoved(Event, topic=ACTIONS_EVENTS, key="campaign_id"):
    """Actions changed state; ``counts`` are the campaign's totals afterwards.

    ``revision`` grows per campaign: a lower one is out of date.
    """

    campaign_id: UUID
    move: ActionMove
    moved: int
    counts: ActionCounts
    revision: int


class ActionsRefused(Event, topic=ACTIONS_EVENTS, key="subject_id"):
    """A command on a campaign or model was not carried out."""

    subject_id: UUID
    command: str
    reason: str


class ActionModelState(State, topic=ACTIONS_STATE, key="model_id"):
    """An action model, for lists and selects."""

    model_id: UUID
    code: str
    label: str
    kind: ModelKind
