"""Messages of the directory and of targets: save, count, freeze, consent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from topics.message import Actor, Command, Event, State, Value
from topics.names import SNAPSHOTS, TARGETING_COMMANDS, TARGETING_EVENTS, TARGETING_STATE


class Counts(StrEnum):
    """What a targeting's members are."""

    SITES = "sites"
    CONTACTS = "contacts"
    DEALS = "deals"


class TargetingKind(StrEnum):
    """How a targeting chooses: simple criteria or one direct SQL SELECT."""

    CRITERIA = "criteria"
    SQL = "sql"


class Operator(StrEnum):
    """How a criterion compares."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    IS_EMPTY = "is_empty"
    IS_SET = "is_set"


class Criterion(Value):
    """One condition on one field, such as ``site.country equals FR``; all must hold.

    ``field`` is ``<record>.<column>`` with record in site, contact, deal.
    """

    field: str = Field(pattern=r"^(site|contact|deal)\.[a-z_]{1,40}$")
    operator: Operator
    values: tuple[str, ...] = Field(default=(), max_length=200)


class SaveTargeting(Command, topic=TARGETING_COMMANDS, key="targeting_id"):
    """Save a way to choose members. Answers: ``TargetingState`` or ``TargetingRefused``.

    A direct SQL targeting is one SELECT over the allow-listed views whose first column is the id
    of a site, contact or deal as ``counts`` says.
    """

    targeting_id: UUID
    actor: Actor
    label: str = Field(min_length=1, max_length=200)
    counts: Counts = Counts.CONTACTS
    kind: TargetingKind = TargetingKind.CRITERIA
    criteria: tuple[Criterion, ...] = Field(default=(), max_length=50)
    sql: str | None = Field(default=None, max_length=20_000)


class CountTarget(Command, topic=TARGETING_COMMANDS, key="campaign_id"):
    """Count what a targeting chooses now. Source: campaign, bot (a draft's id is as good).

    Answers: ``TargetCounted`` or ``TargetRefused``.
    """

    campaign_id: UUID
    targeting_id: UUID


class ControlMethod(StrEnum):
    """Who of a target gets nothing, to compare the others with."""

    NONE = "none"
    RANDOM = "random"
    FIRST = "first"


class ControlUnit(StrEnum):
    """What the size of a control group counts."""

    PERCENT = "percent"
    MEMBERS = "members"


class ControlSort(StrEnum):
    """By what a target is sorted for its first members to be its control group."""

    SITE_NAME = "site.name"
    SITE_POSTAL_CODE = "site.postal_code"
    SITE_TOWN = "site.town"
    SITE_COUNTRY = "site.country"
    CONTACT_LAST_NAME = "contact.last_name"
    CONTACT_FIRST_NAME = "contact.first_name"
    CONTACT_LANGUAGE = "contact.language"


class ControlGroup(Value):
    """Part of a target that gets nothing: at random, or the first of it after a sort.

    Without ``sort`` the directory's own order holds; it also decides among equal values. Members
    without a value come last, also ``descending``.
    ``size`` is in per cent of the members (rounded down) or in members. The same ``seed`` over the
    same members draws the same ones; without it the campaign's id is the seed.
    """

    method: ControlMethod
    unit: ControlUnit = ControlUnit.PERCENT
    size: int = Field(default=10, ge=1, le=10_000_000)
    seed: str = Field(default="", max_length=100)
    sort: ControlSort | None = None
    descending: bool = False


class FreezeSnapshot(Command, topic=TARGETING_COMMANDS, key="campaign_id"):
    """Make the immutable snapshot of a targeting, less its control group, and publish it in chunks.

    Source: campaign. Answers: ``SnapshotChunk`` …, then ``SnapshotFrozen``; or ``TargetRefused``.
    """

    campaign_id: UUID
    snapshot_id: UUID
    targeting_id: UUID
    control_group: ControlGroup | None = None


class TargetCounts(Value):
    """The waterfall from what matched to who will be reached.

    ``records`` are sites or contacts as the targeting counts; ``organisations`` distinct sites and
    ``persons`` distinct contacts behind them. ``matched - duplicates - opted_out = reachable +
    without_email`` over persons.
    """

    records: int = 0
    deals: int = 0
    organisations: int = 0
    persons: int = 0
    duplicates: int = 0
    opted_out: int = 0
    without_email: int = 0
    reachable: int = 0


class TargetCounted(Event, topic=TARGETING_EVENTS, key="campaign_id"):
    """The count of a campaign's target."""

    campaign_id: UUID
    targeting_id: UUID
    counts: TargetCounts


class TargetRefused(Event, topic=TARGETING_EVENTS, key="campaign_id"):
    """A target could not be counted or frozen; ``snapshot_id`` when a freeze was asked."""

    campaign_id: UUID
    targeting_id: UUID
    snapshot_id: UUID | None = None
    reason: str


class TargetingRefused(Event, topic=TARGETING_EVENTS, key="targeting_id"):
    """A targeting could not be saved."""

    targeting_id: UUID
    actor: Actor
    reason: str
    field: str | None = None


class SiteRecord(Value):
    """A site as a member of a snapshot carries it."""

    site_id: UUID
    name: str
    street: str = ""
    postal_code: str = ""
    town: str = ""
    country: str = ""
    phone: str = ""


class Member(Value):
    """One member of a snapshot: a contact, a site or a deal, with what its messages need.

    ``recipient_key`` is the keyed hash of the normalised address; two members with one key get
    one message. ``opted_out`` is the consent when the snapshot was frozen; it is read again when
    a message leaves.
    """

    member_id: UUID
    kind: Counts
    site: SiteRecord
    contact_id: UUID | None = None
    deal_id: UUID | None = None
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    recipient_key: str | None = None
    direct_line: str = ""
    mobile: str = ""
    language: str = "en"
    opted_out: bool = False


class SnapshotChunk(Event, topic=SNAPSHOTS, key="campaign_id"):
    """A slice of a snapshot, at most 500 members; ``index`` runs from 0 to ``chunks - 1``.

    Carries personal data; readers: actions, delivery.
    """

    campaign_id: UUID
    snapshot_id: UUID
    index: int = Field(ge=0)
    members: tuple[Member, ...] = Field(max_length=500)


class SnapshotFrozen(Event, topic=TARGETING_EVENTS, key="campaign_id"):
    """A snapshot is complete: its hash, its counts and how many chunks were published.

    ``counts`` are of the whole target, ``members`` of what is left without the ``control`` group.
    """

    campaign_id: UUID
    snapshot_id: UUID
    targeting_id: UUID
    snapshot_hash: str
    members: int
    chunks: int
    counts: TargetCounts
    control: int = 0


class RecordConsent(Command, topic=TARGETING_COMMANDS, key="recipient_key"):
    """Note that somebody opted out of a channel, or in again.

    Source: delivery (unsubscribe link), web, cli. Answer: ``ConsentChanged``.
    """

    recipient_key: str
    channel: str = "email"
    opted_out: bool
    actor: Actor
    at: datetime


class ConsentChanged(Event, topic=TARGETING_EVENTS, key="recipient_key"):
    """Consent of one address for one channel, as of ``at``; a later ``at`` wins."""

    recipient_key: str
    channel: str = "email"
    opted_out: bool
    at: datetime


class TargetingState(State, topic=TARGETING_STATE, key="targeting_id"):
    """A saved targeting, for lists and selects."""

    targeting_id: UUID
    label: str
    counts: Counts
    kind: TargetingKind
