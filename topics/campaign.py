"""Messages of campaigns: create, prove, launch, suspend, end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.approval_rules import ApprovalRules
from topics.message import Actor, Command, Event, State, Value
from topics.names import CAMPAIGN_COMMANDS, CAMPAIGN_EVENTS, CAMPAIGN_STATE
from topics.schedules import CampaignKind
from topics.targeting import ControlGroup
from topics.waves import WaveProgress, Waves


class CampaignStatus(StrEnum):
    """The ten states of a campaign (source: ARTIS CRM, "Les états d'une campagne")."""

    NEW = "new"
    READY_TO_TEST = "ready_to_test"
    PROOF_GENERATING = "proof_generating"
    PROOF_PENDING = "proof_pending"
    READY_TO_RUN = "ready_to_run"
    RUNNING = "running"
    SUSPENDED = "suspended"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    ERROR = "error"


class Severity(StrEnum):
    """How much depends on a campaign's start; among equal priorities the most critical is first."""

    NORMAL = "normal"
    PRODUCTION = "production"
    CRITICAL = "critical"


class CampaignPlan(Value):
    """What a manager chooses; every field may be left out and set later.

    ``start_at`` defaults to now, ``end_at`` to 90 calendar days after the start in ``zone``.
    ``stock_quantity_per_letter`` items of ``stock_line_id`` go into each extracted row.
    Where a pressure rule allows a recipient fewer messages than are planned, the campaigns of more
    ``weight`` go first.
    Where more campaigns are due than may be prepared at once, ``priority`` 1 starts before 9; among
    equals the ``severity`` decides, then the date. ``low_activity`` has it start in the instance's
    hours of low activity only. The members of the ``control_group`` get nothing. The e-mails leave
    in ``waves`` where some are set, the last of them before the end. ``approvals`` says which are
    asked besides the proof's, and how; occurrences begin with those of their series.
    """

    label: str | None = Field(default=None, min_length=1, max_length=200)
    start_at: datetime | None = None
    end_at: datetime | None = None
    zone: str | None = Field(default=None, max_length=60)
    description: str | None = Field(default=None, max_length=4000)
    remark: str | None = Field(default=None, max_length=4000)
    targeting_id: UUID | None = None
    template_id: UUID | None = None
    action_model_ids: tuple[UUID, ...] | None = Field(default=None, max_length=20)
    budget_id: UUID | None = None
    supplier_service_id: UUID | None = None
    stock_line_id: UUID | None = None
    stock_quantity_per_letter: int | None = Field(default=None, ge=1, le=1000)
    reviewer_ids: tuple[UUID, ...] | None = Field(default=None, max_length=50)
    program_id: UUID | None = None
    priority: int | None = Field(default=None, ge=1, le=9)
    weight: int | None = Field(default=None, ge=0, le=100)
    severity: Severity | None = None
    low_activity: bool | None = None
    control_group: ControlGroup | None = None
    waves: Waves | None = None
    approvals: ApprovalRules | None = None


class OpenCampaignForm(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Give a short number to a form that was just opened; the number is never used again.

    Source: bot, web. Answers: ``CampaignFormOpened`` or ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor


class CreateCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Save a new campaign; ``plan.label`` is the only field that must be set.

    Source: bot, web, cli. Answers: ``CampaignCreated`` or ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor
    plan: CampaignPlan


class EditCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Change the fields that are set in ``plan``; description and remark are fixed after saving.

    An edit of content or target voids a running or granted approval; any edit of a suspended
    campaign ends its run, for another one to do the rest.
    Answers: ``CampaignEdited`` or ``CampaignRefused``.
    """

    campaign_id: UUID
    actor: Actor
    plan: CampaignPlan


class RequestProof(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Freeze the target and have the proof generated, sent and approved.

    A campaign without a message asks for the approval of its target instead. One whose next
    approval waits to be submitted submits it. ``again`` withdraws what is asked or granted first.
    """

    campaign_id: UUID
    actor: Actor
    again: bool = False


class LaunchCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Make an approved campaign due now; operationMgt starts it."""

    campaign_id: UUID
    actor: Actor


class SuspendCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Stop handing over messages and doing actions until resumed."""

    campaign_id: UUID
    actor: Actor
    reason: str = Field(default="", max_length=1000)


class ResumeCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Go on where a suspended campaign was left."""

    campaign_id: UUID
    actor: Actor


class CancelCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """End a campaign that is not final; holds on money and stock are released."""

    campaign_id: UUID
    actor: Actor
    reason: str = Field(default="", max_length=1000)


class RetryCampaign(Command, topic=CAMPAIGN_COMMANDS, key="campaign_id"):
    """Leave the error state: generate the proof again, or go on running."""

    campaign_id: UUID
    actor: Actor


class CampaignFormOpened(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """The form has its number (``C-<number>``)."""

    campaign_id: UUID
    number: int = Field(ge=1)
    actor: Actor


class CampaignCreated(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """A campaign was saved for the first time."""

    campaign_id: UUID
    number: int
    label: str
    actor: Actor


class CampaignEdited(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """Fields were changed; ``voids_approval`` when the proof must be asked again."""

    campaign_id: UUID
    fields: tuple[str, ...]
    voids_approval: bool
    actor: Actor


class CampaignMoved(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """The campaign went from one state to another, and why."""

    campaign_id: UUID
    number: int
    label: str
    before: CampaignStatus
    after: CampaignStatus
    reason: str = ""
    actor: Actor


class CampaignRefused(Event, topic=CAMPAIGN_EVENTS, key="campaign_id"):
    """A command was not carried out.

    ``command`` is its class name, ``field`` the field to mend when there is one. ``code`` and
    ``values`` say the reason for readers of another language.
    """

    campaign_id: UUID
    number: int | None = None
    command: str
    reason: str
    field: str | None = None
    code: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    actor: Actor


class Synthesis(Value):
    """The counts of a campaign's results tab; each is counted from rows by its owner.

    Messages are those of all its runs, each recipient counted once.
    """

    targeted: int = 0
    deals_generated: int = 0
    actions_generated: int = 0
    actions_waiting: int = 0
    actions_suspended: int = 0
    actions_executed: int = 0
    actions_finished: int = 0
    actions_cancelled: int = 0
    dossier_items: int = 0
    messages_pending: int = 0
    messages_sent: int = 0
    messages_failed: int = 0
    messages_ignored: int = 0
    messages_ambiguous: int = 0
    messages_pressure: int = Field(
        default=0, description="of the ignored, those over a pressure rule"
    )
    messages_targeted: int = 0
    extracted: int = 0


class CampaignState(State, topic=CAMPAIGN_STATE, key="campaign_id"):
    """A campaign as the bot, the pages and the other services see it.

    ``waiting_for`` says in words what holds the campaign up, such as a stopped technical workflow
    (then ``waiting_workflow`` is its name, for a button that starts it); ``waiting_code`` and
    ``waiting_values`` say it for readers of another language. A recurring or periodic campaign
    creates its next occurrence for ``next_at``; an occurrence names it in ``series_id``, with its
    number. ``missed``: its start was not made in time and waits for an answer. ``waves``: how many
    of its run's waves are open. ``plan`` is what was
    chosen, as far as another campaign would be made of it: neither dates nor the remark.
    """

    campaign_id: UUID
    number: int
    label: str
    status: CampaignStatus
    start_at: datetime
    end_at: datetime
    zone: str
    manager_id: str
    targeting_id: UUID | None = None
    template_id: UUID | None = None
    delivery_id: UUID | None = None
    budget_id: UUID | None = None
    plan: CampaignPlan | None = None
    snapshot_id: UUID | None = None
    records: int | None = None
    deals: int | None = None
    reachable: int | None = None
    synthesis: Synthesis = Synthesis()
    waiting_for: str | None = None
    waiting_workflow: str | None = None
    waiting_code: str | None = None
    waiting_values: dict[str, str] = Field(default_factory=dict)
    kind: CampaignKind = CampaignKind.UNIQUE
    program_id: UUID | None = None
    series_id: UUID | None = None
    occurrence: int | None = None
    next_at: datetime | None = None
    missed: bool = False
    weight: int = 5
    control_members: int = 0
    waves: WaveProgress | None = None
    created_at: datetime
    modified_at: datetime
