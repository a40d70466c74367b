"""What the HTTP routes take and return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from services.delivery.domain.attachments import Attachment
from services.delivery.domain.tracking import Switch
from services.delivery.store.deliveries import Delivery
from services.delivery.store.templates import Template
from topics.delivery import (
    AttachedFile,
    Channel,
    DeliveryCounts,
    Outcome,
    Seed,
)
from topics.letters import LetterWindow


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class TemplateLine(View):
    """A template in a list."""

    template_id: UUID
    label: str
    language: str
    subject: str
    content_hash: str
    saved_at: datetime
    channel: Channel

    @classmethod
    def of(cls, template: Template) -> TemplateLine:
        """Return a template's line."""
        return cls(
            template_id=template.template_id,
            label=template.label,
            language=template.language,
            subject=template.subject,
            content_hash=template.template_hash,
            saved_at=template.saved_at,
            channel=Channel(template.channel),
        )


class TemplateView(TemplateLine):
    """A template with its content."""

    body: str
    mjml: bool
    text: str
    from_name: str
    from_address: str
    proof_recipients: list[str]
    track_clicks: bool
    track_opens: bool
    mirror: bool
    utm: bool
    attachments: list[AttachedFile]
    letter: str
    letter_window: LetterWindow
    send_doubles: bool
    seeds: list[Seed]
    version: int
    endpoint: str

    @classmethod
    def with_files(cls, template: Template, attachments: Sequence[Attachment]) -> TemplateView:
        """Return a template's view."""
        line = TemplateLine.of(template).model_dump()
        return cls(
            body=template.body,
            mjml=template.mjml,
            text=template.text,
            from_name=template.from_name,
            from_address=template.from_address,
            proof_recipients=template.proof_recipients,
            version=template.version,
            endpoint=template.endpoint,
            track_clicks=Switch.CLICKS in template.tracking,
            track_opens=Switch.OPENS in template.tracking,
            mirror=Switch.MIRROR in template.tracking,
            utm=Switch.UTM in template.tracking,
            attachments=[
                AttachedFile(name=one.name, content_type=one.content_type, sha256=one.sha256)
                for one in attachments
            ],
            letter=template.letter,
            letter_window=LetterWindow(template.letter_window),
            send_doubles=template.send_doubles,
            seeds=[Seed.model_validate(seed) for seed in template.seeds],
            **line,
        )


class NewTemplate(BaseModel):
    """A template to save; without an id it is a new one."""

    model_config = ConfigDict(extra="forbid")

    template_id: UUID | None = None
    label: str = Field(min_length=1, max_length=200)
    language: str = Field(default="en", pattern="^(en|fr)$")
    channel: Channel = Field(default=Channel.EMAIL, description="email, sms or webhook")
    endpoint: str = Field(
        default="", max_length=60, description="of a webhook: the registered endpoint's name"
    )
    subject: str = Field(default="", max_length=500, description="of an e-mail: needed")
    body: str = Field(default="", max_length=400_000, description="of an e-mail: needed")
    mjml: bool = False
    text: str = Field(
        default="", max_length=200_000, description="of an SMS: needed, and all there is"
    )
    from_name: str = Field(default="", max_length=100)
    from_address: str = Field(default="", max_length=254, description="of an e-mail: needed")
    proof_recipients: tuple[str, ...] = Field(default=(), max_length=20)
    track_clicks: bool = False
    track_opens: bool = False
    mirror: bool = False
    utm: bool = False
    attachments: tuple[AttachedFile, ...] = Field(
        default=(), max_length=10, description="files uploaded before, at most 10 MiB together"
    )
    letter: str = Field(default="", max_length=60_000, description="typst markup over `data`")
    letter_window: LetterWindow = LetterWindow.DIN_5008_B
    send_doubles: bool = Field(
        default=False,
        description="contacts that share an address each get their message; else the first alone",
    )
    seeds: tuple[Seed, ...] = Field(
        default=(), max_length=50, description="get each run's message too; count nowhere"
    )


class NewFile(BaseModel):
    """A file to attach to templates."""

    model_config = ConfigDict(extra="forbid")

    content: Base64Bytes = Field(description="what it holds, in base64", repr=False)


class FileSaved(View):
    """An uploaded file; templates name it by its SHA-256."""

    sha256: str
    size_bytes: int


class TemplateSaved(View):
    """The answer to a saved template."""

    template_id: UUID
    content_hash: str


class Group(View):
    """How many recipients of a run share a channel, an outcome and a reason."""

    channel: Channel
    outcome: Outcome
    reason: str
    recipients: int


class WaveView(View):
    """A wave of a run: when it opens or did, and its size; ``null``: all that is left."""

    number: int
    starts_at: datetime
    size: int | None
    opened_at: datetime | None


class SeedsView(View):
    """The seeds of a run: the run beside it that their messages leave in, and what came of them."""

    run_id: UUID
    groups: list[Group]


class RunView(View):
    """A run of a delivery: its totals, counted from rows, why who got nothing, and its waves."""

    run_id: UUID
    state: str
    paused: bool
    stop_reason: str | None
    counts: DeliveryCounts
    groups: list[Group]
    seeds: SeedsView | None = None
    waves: list[WaveView]
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class DeliveryView(View):
    """A delivery and its runs."""

    delivery_id: UUID
    campaign_id: UUID
    template_id: UUID
    supplier_service_id: UUID | None
    content_hash: str
    proofs: int
    runs: list[RunView]

    @classmethod
    def of(cls, delivery: Delivery, runs: list[RunView]) -> DeliveryView:
        """Return a delivery's view."""
        return cls(
            delivery_id=delivery.delivery_id,
            campaign_id=delivery.campaign_id,
            template_id=delivery.template_id,
            supplier_service_id=delivery.supplier_service_id,
            content_hash=delivery.content_hash,
            proofs=delivery.proofs,
            runs=runs,
        )


class RecipientView(View):
    """A recipient of a run, or a seed; the address only for those who manage campaigns."""

    member_id: UUID
    channel: Channel
    outcome: Outcome
    reason: str
    code: str
    attempts: int
    outcome_at: datetime | None
    seed: bool
    address: str | None = None


class AmbiguousView(View):
    """A message whose server was lost before it answered."""

    run_id: UUID
    member_id: UUID
    campaign_id: UUID | None
    attempted_at: datetime
    attempts: int
    address: str | None = None
