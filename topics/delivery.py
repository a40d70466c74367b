"""Messages of templates, deliveries, proofs, approvals and single messages."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from topics.approval_rules import ApprovalRules
from topics.content import ContentWarning
from topics.letters import LetterWindow
from topics.message import Actor, Command, Event, State, Value
from topics.names import (
    APPROVALS_STATE,
    DELIVERY_ACTIVITY,
    DELIVERY_BATCH_MESSAGES,
    DELIVERY_COMMANDS,
    DELIVERY_EVENTS,
    DELIVERY_MESSAGES,
    TEMPLATES_STATE,
)
from topics.waves import WaveProgress, Waves


class Channel(StrEnum):
    """How a message reaches its recipient; direct mail goes through a supplier's file.

    SMS and webhooks carry single messages for outside events, never campaigns.
    """

    EMAIL = "email"
    DIRECT_MAIL = "direct_mail"
    SMS = "sms"
    WEBHOOK = "webhook"


class Outcome(StrEnum):
    """Where a recipient of a run stands. ``pending`` and ``ambiguous`` are not final."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    IGNORED = "ignored"
    AMBIGUOUS = "ambiguous"


class ApprovalKind(StrEnum):
    """What is approved: content and target by a proof, the target, a file, its router's proof.

    The external content is the approved proof as somebody outside sees it; the start comes last.
    """

    PROOF = "proof"
    TARGET = "target"
    EXTRACTION_FILE = "extraction_file"
    ROUTER_PROOF = "router_proof"
    EXTERNAL_CONTENT = "external_content"
    START = "start"


class Decision(StrEnum):
    """What a reviewer can answer."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    REJECT = "reject"


class ApprovalOutcome(StrEnum):
    """How an approval stands: open, or one of five ends that are never merged."""

    PENDING = "pending"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AttachedFile(Value):
    """A file of a template, uploaded before: its name, its type, and its SHA-256 (hex)."""

    name: str = Field(min_length=1, max_length=120)
    content_type: str = Field(min_length=3, max_length=100)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Seed(Value):
    """An address outside the target that gets what a campaign's recipients get.

    ``fields`` is what the message says of it, such as ``contact.first_name`` or ``site.town``.
    """

    address: str = Field(min_length=3, max_length=254)
    fields: dict[str, str] = Field(default_factory=dict, max_length=12)


class SaveTemplate(Command, topic=DELIVERY_COMMANDS, key="template_id"):
    """Save a message template. Answers: ``TemplateState`` or ``TemplateRefused``.

    ``body`` is MJML when ``mjml`` is set, else HTML; subject, body and text are Jinja2 over
    ``contact``, ``site``, ``campaign`` and ``ctx``. A direct-mail template has no body to send.
    ``track_clicks``, ``track_opens``, ``mirror`` (a page to read it on) and ``utm`` (parameters on
    links) are off unless chosen; they are part of what is approved. ``letter`` is typst markup over
    ``data.contact``, ``data.site`` and ``data.campaign`` for those without e-mail; without one
    their addresses alone go to the supplier. ``letter_window`` says where the envelope's window is.
    ``send_doubles``: contacts that share an address each get their message; else the first alone.
    ``seeds`` get each run's message too, unless its campaign has seeds of its own.
    One of the channel ``sms`` is its ``text`` alone; one of ``webhook`` names the registered
    ``endpoint`` that gets the event, with its ``text`` if it has one. Subject, body and From
    address are e-mail's.
    """

    template_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    language: str = Field(default="en", pattern="^(en|fr)$")
    channel: Channel = Channel.EMAIL
    endpoint: str = Field(default="", max_length=60)
    subject: str = Field(default="", max_length=500)
    body: str = Field(default="", max_length=400_000)
    mjml: bool = False
    text: str = Field(default="", max_length=200_000)
    from_name: str = Field(default="", max_length=100)
    from_address: str = Field(default="", max_length=254)
    proof_recipients: tuple[str, ...] = Field(default=(), max_length=20)
    track_clicks: bool = False
    track_opens: bool = False
    mirror: bool = False
    utm: bool = False
    attachments: tuple[AttachedFile, ...] = Field(default=(), max_length=10)
    letter: str = Field(default="", max_length=60_000)
    letter_window: LetterWindow = LetterWindow.DIN_5008_B
    send_doubles: bool = False
    seeds: tuple[Seed, ...] = Field(default=(), max_length=50)


class PrepareDelivery(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Give a campaign its content: make or change its delivery over a template.

    Source: campaign. Answers: ``DeliveryPrepared`` or ``DeliveryRefused``.
    """

    campaign_id: UUID
    delivery_id: UUID
    template_id: UUID
    supplier_service_id: UUID | None = None


class GenerateProof(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Render and send the proof, then ask for approval of content, snapshot and count.

    Source: campaign. Answers: ``ProofSent`` and ``ApprovalRequested``; or ``ProofFailed``.
    """

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    delivery_id: UUID
    snapshot_id: UUID
    snapshot_hash: str
    count: int
    chunks: int
    reviewer_ids: tuple[UUID, ...]
    requested_by: Actor
    rules: ApprovalRules = ApprovalRules()
    series_id: UUID | None = None


class RequestApproval(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Ask for the approval of a campaign's target, of its external content, or of its start.

    The latter two are of the content whose proof was approved.
    Answers: ``ApprovalRequested`` or ``DeliveryRefused``.
    """

    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    snapshot_id: UUID
    snapshot_hash: str
    count: int
    reviewer_ids: tuple[UUID, ...]
    requested_by: Actor
    kind: ApprovalKind = ApprovalKind.TARGET
    rules: ApprovalRules = ApprovalRules()


class DecideApproval(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Answer an approval; the first answer of a reviewer with the right closes it.

    ``revision`` is the approval's revision that the reviewer saw. A reason is asked for changes
    and rejections. Answers: ``ApprovalDecided`` or ``AnswerRefused``.
    """

    approval_id: UUID
    campaign_id: UUID
    revision: int
    decision: Decision
    reason: str = Field(default="", max_length=2000)
    actor: Actor


class WithdrawApproval(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Withdraw a campaign's open and granted approvals, because it was edited or cancelled."""

    campaign_id: UUID
    reason: str = Field(max_length=1000)
    actor: Actor


class StartDelivery(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Send an approved delivery over its approved snapshot; deliveryMgt starts it.

    Besides its proof, the kinds of ``approvals`` must be granted over that snapshot.
    Refused when a hash or the count is not the approved one.
    Answers: ``DeliveryStarted`` … ``DeliveryFinished``; or ``DeliveryRefused``.
    """

    campaign_id: UUID
    run_id: UUID
    delivery_id: UUID
    campaign_number: int
    campaign_label: str
    snapshot_id: UUID
    snapshot_hash: str
    content_hash: str
    count: int
    chunks: int
    rate_per_minute: int | None = Field(
        default=None, gt=0, description="messages a minute at most; none: as fast as they are taken"
    )
    waves: Waves | None = None
    approvals: tuple[ApprovalKind, ...] = ()
    weight: int = Field(
        default=5, ge=0, le=100, description="the heavier goes before the lighter under pressure"
    )


class PauseDelivery(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Hand over no more messages of a campaign until resumed. Answer: ``DeliveryProgressed``."""

    campaign_id: UUID
    actor: Actor


class ResumeDelivery(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Go on with a paused delivery."""

    campaign_id: UUID
    actor: Actor


class SetDeliveryPace(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Limit what a campaign's runs under way hand over a minute, or lift the limit.

    It holds from the next window on. Answer: ``DeliveryProgressed``, or ``DeliveryRefused``.
    """

    campaign_id: UUID
    rate_per_minute: int | None = Field(default=None, gt=0)
    actor: Actor


class AgainScope(StrEnum):
    """Which recipients of a run are sent to again."""

    FAILED = "failed"
    """Those whose message failed."""
    MISSED = "missed"
    """All who got nothing though they may: the failed, and those that a stop left out."""


class SendAgain(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """Send a run again to recipients who got nothing; consent is read again for each.

    Whoever got the message, may have got it, opted out, is a double or has no address is left
    alone. Refused when the run's approval is no longer in force or its rows were purged.
    Answer: ``DeliveryProgressed`` …, ``DeliveryFinished``; or ``DeliveryRefused``.
    """

    campaign_id: UUID
    delivery_id: UUID
    run_id: UUID
    scope: AgainScope = AgainScope.FAILED
    actor: Actor


class StopDelivery(Command, topic=DELIVERY_COMMANDS, key="campaign_id"):
    """End a delivery: what has not left becomes Ignored, with the reason given.

    With a ``run_id`` that run alone ends. ``leave_rest`` leaves what has not left to a later run of
    the campaign, which sends to nobody that this one has dealt with.
    """

    campaign_id: UUID
    reason: str = Field(max_length=1000)
    actor: Actor
    run_id: UUID | None = None
    leave_rest: bool = False


class SendMessage(Command, topic=DELIVERY_MESSAGES, key="message_id"):
    """Send one message for an outside event. Source: events_status.

    Carries the address (the number in E.164, nothing for a webhook) and the event's ``ctx``; the
    event's type, external id and time besides, which a webhook tells. With a ``content_hash`` that
    content is sent, without one whatever the template holds. Who reads ``text`` gets no HTML.
    Answer: ``MessageOutcome``.
    """

    message_id: UUID
    template_id: UUID
    address: str = Field(default="", max_length=254)
    recipient_key: str
    language: str = "en"
    ctx: dict[str, Any] = Field(default_factory=dict)
    channel: Channel = Channel.EMAIL
    event_type: str = Field(default="", max_length=200)
    external_id: str | None = Field(default=None, max_length=200)
    received_at: datetime | None = None
    content_hash: str | None = Field(default=None, max_length=64)
    email_format: str | None = Field(default=None, pattern=r"^(html|text)$")


class SendBatchMessage(SendMessage, topic=DELIVERY_BATCH_MESSAGES, key="message_id"):
    """Send one message for a batch event, when none of a real-time one waits.

    Source: events_status. Answer: ``MessageOutcome``.
    """


class DeliveryCounts(Value):
    """Recipients of a run by outcome, counted from its ledger; they sum to ``targeted``.

    Whoever an earlier run of the campaign has dealt with counts there, and the rest that a later
    one took counts there: so the runs of a campaign add up to its recipients.
    """

    targeted: int = 0
    pending: int = 0
    sent: int = 0
    failed: int = 0
    ignored: int = 0
    ambiguous: int = 0
    emails_sent: int = 0
    letters_sent: int = 0
    pressure: int = Field(default=0, description="of the ignored, those over a pressure rule")


class ActivityCounts(Value):
    """How much happened to a run's messages in one transaction."""

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    opens: int = 0
    clicks: int = 0


class DeliveryActivity(Event, topic=DELIVERY_ACTIVITY, key="run_id"):
    """What one transaction did for a run, for the live view alone; nothing is decided on it.

    ``sequence`` rises with every message of a ``source``, which is one task of one process: a
    reader that keeps a source's last number takes each summary once, however often it comes.
    """

    run_id: UUID
    source: str = Field(min_length=1, max_length=100)
    sequence: int = Field(ge=1)
    counts: ActivityCounts
    at: datetime


class DeliveryPrepared(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """A campaign has content; the hash changes with every change of it."""

    campaign_id: UUID
    delivery_id: UUID
    template_id: UUID
    content_hash: str
    send_doubles: bool = Field(
        default=False, description="whether contacts that share an address each get a message"
    )


class DeliveryRefused(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """A delivery could not be prepared or started."""

    campaign_id: UUID
    delivery_id: UUID
    command: str
    reason: str
    field: str | None = None


class ProofSent(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """Proof number ``proof_number`` reached every proof recipient's server."""

    campaign_id: UUID
    delivery_id: UUID
    proof_number: int
    content_hash: str
    snapshot_id: UUID
    recipients: int


class ProofFailed(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """The proof could not be rendered or sent."""

    campaign_id: UUID
    delivery_id: UUID
    snapshot_id: UUID
    reason: str
    field: str | None = None


class ApprovalRequested(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """Somebody's approval is asked; the card in Slack is made from this and ``ApprovalState``."""

    campaign_id: UUID
    approval_id: UUID
    revision: int
    kind: ApprovalKind
    snapshot_id: UUID
    count: int
    content_hash: str | None
    snapshot_hash: str
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]


class ApprovalReminded(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """Reminder ``number`` of an open approval; each is sent once.

    Those who put theirs off are left out; with ``to`` it is for one alone, who had.
    """

    campaign_id: UUID
    approval_id: UUID
    revision: int
    number: int
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    snoozed_ids: tuple[UUID, ...] = ()
    to: UUID | None = None


class ApprovalDecided(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """An approval ended in one of its five ends; ``snapshot_id`` says which request it answers.

    Of a supplier's file or a router's proof of it, ``file_id`` is that file and ``content_hash``
    the SHA-256 of what was shown.
    """

    campaign_id: UUID
    approval_id: UUID
    revision: int
    kind: ApprovalKind
    outcome: ApprovalOutcome
    reason: str = ""
    by: Actor
    at: datetime
    snapshot_id: UUID
    snapshot_hash: str
    content_hash: str | None
    count: int
    file_id: UUID | None = None


class AnswerRefused(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """An answer came too late or from somebody without the right; so did a wish to put it off.

    ``code``: already_decided, not_reviewer, self_approval, stale_revision, unknown_approval,
    reason_missing, snooze_time, cannot_approve (whom it was handed on to).
    When decided already, by whom, how and when.
    """

    campaign_id: UUID
    approval_id: UUID
    actor: Actor
    code: str
    reason: str
    outcome: ApprovalOutcome | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class DeliveryStarted(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """The ledger of a run is being filled and its messages leave."""

    campaign_id: UUID
    run_id: UUID
    delivery_id: UUID


class DeliveryProgressed(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """Totals of a run after a batch; ``revision`` grows, a lower one is out of date.

    ``prepared`` once all its recipients are known and all its letters are with the supplier.
    """

    campaign_id: UUID
    run_id: UUID
    delivery_id: UUID
    counts: DeliveryCounts
    paused: bool = False
    prepared: bool = True
    waves: WaveProgress | None = None
    in_flight: int = Field(
        default=0, description="of the pending, how many may be in a server's hands right now"
    )
    revision: int


class DeliveryFinished(Event, topic=DELIVERY_EVENTS, key="campaign_id"):
    """No recipient of the run is pending or ambiguous."""

    campaign_id: UUID
    run_id: UUID
    delivery_id: UUID
    counts: DeliveryCounts
    revision: int


class MessageOutcome(Event, topic=DELIVERY_EVENTS, key="message_id"):
    """How a single message stands; ``reason`` names the failure or why it was ignored.

    ``not_taken`` of a failed one: nothing was attempted, and asked again later with another
    ``message_id`` it may go well.
    """

    message_id: UUID
    outcome: Outcome
    reason: str = ""
    at: datetime
    not_taken: bool = False


class TemplateRefused(Event, topic=DELIVERY_EVENTS, key="template_id"):
    """A template could not be saved: which field, and why."""

    template_id: UUID
    actor: Actor
    reason: str
    field: str | None = None


class TemplateState(State, topic=TEMPLATES_STATE, key="template_id"):
    """A template, for lists and selects."""

    template_id: UUID
    label: str
    language: str
    subject: str
    content_hash: str
    channel: Channel = Channel.EMAIL


class ApprovalState(State, topic=APPROVALS_STATE, key="approval_id"):
    """An approval as the bot and the pages show it."""

    approval_id: UUID
    campaign_id: UUID
    campaign_number: int
    campaign_label: str
    delivery_id: UUID | None = None
    revision: int
    kind: ApprovalKind
    outcome: ApprovalOutcome
    subject: str = ""
    proof_number: int | None = None
    proof_path: str | None = None
    count: int
    content_hash: str | None
    snapshot_hash: str
    send_doubles: bool = False
    has_letter: bool = Field(
        default=False, description="``<proof_path>/letter`` is its letter as PDF"
    )
    file_id: UUID | None = None
    requested_by: str
    requested_at: datetime
    deadline_at: datetime
    reviewer_ids: tuple[UUID, ...]
    reviewer_groups: tuple[str, ...] = ()
    reminders_sent: int = 0
    warnings: tuple[ContentWarning, ...] = Field(
        default=(), description="what to look at in the content; nothing is refused for it"
    )
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
