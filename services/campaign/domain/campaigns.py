"""What a campaign may do: its states and moves, its defaults, what an edit voids. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.campaign.domain.earlier import EarlierRun
from services.campaign.domain.local_times import known_zone
from shared.errors import Refused
from topics.actions import ActionCounts
from topics.approval_rules import ApprovalRules
from topics.campaign import CampaignPlan, Severity
from topics.campaign import CampaignStatus as Status
from topics.delivery import ApprovalKind, DeliveryCounts
from topics.schedules import CampaignKind
from topics.targeting import ControlGroup, ControlMethod, ControlUnit, TargetCounts
from topics.waves import WaveProgress, Waves

DURATION: Final = timedelta(days=90)
FINAL: Final = frozenset({Status.FINISHED, Status.CANCELLED})

# Source of the states: ARTIS CRM; of the moves: our own table, kept in the glossary of the docs.
ALLOWED: Final[dict[Status, frozenset[Status]]] = {
    Status.NEW: frozenset({Status.READY_TO_TEST, Status.READY_TO_RUN, Status.CANCELLED}),
    Status.READY_TO_TEST: frozenset({Status.PROOF_GENERATING, Status.CANCELLED}),
    Status.PROOF_GENERATING: frozenset(
        # Back to the test, where the target is approved before the proof, and was not.
        {Status.PROOF_PENDING, Status.READY_TO_TEST, Status.ERROR, Status.CANCELLED}
    ),
    Status.PROOF_PENDING: frozenset({Status.READY_TO_RUN, Status.READY_TO_TEST, Status.CANCELLED}),
    Status.READY_TO_RUN: frozenset({Status.RUNNING, Status.READY_TO_TEST, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUSPENDED, Status.FINISHED, Status.ERROR, Status.CANCELLED}),
    Status.SUSPENDED: frozenset(
        # An edit leads back to the test; without a message there is only a target to approve.
        {Status.RUNNING, Status.FINISHED, Status.CANCELLED}
        | {Status.READY_TO_TEST, Status.READY_TO_RUN}
    ),
    Status.ERROR: frozenset({Status.PROOF_GENERATING, Status.RUNNING, Status.CANCELLED}),
    Status.FINISHED: frozenset(),
    Status.CANCELLED: frozenset(),
}

# What a proof shows or a run uses: changing it voids the approval.
BINDING: Final = frozenset(
    {"targeting_id", "template_id", "action_model_ids", "supplier_service_id", "control_group"}
    # Who must approve it cannot change under an approval that is open or given.
    | {"approvals"}
)
FIXED: Final = ("description", "remark")
EDITABLE: Final = frozenset(
    {Status.NEW, Status.READY_TO_TEST, Status.PROOF_PENDING, Status.READY_TO_RUN}
    | {Status.SUSPENDED}
)


class HeldBack(StrEnum):
    """Why operationMgt has not started a campaign whose start has come."""

    MISSED = "missed"
    QUEUED = "queued"
    WINDOW = "window"
    SERIES = "series"
    WAVES = "waves"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as this service keeps it.

    ``funds`` and ``goods`` are none, asked, held or closed; amounts live in budget and stock.
    What names a run is of the latest one; ``earlier_runs`` are those that edits ended.
    A recurring or periodic one has no run: its occurrences are campaigns that name it in
    ``series_id``, ``occurrence`` is their number, and ``next_at`` the date of its next one.
    ``auto_start`` is off where a person launches it; ``confirmed`` on once one did, whatever the
    date. ``ready_at`` is when nothing but its start was left to wait for, ``asked_at`` when its
    latest snapshot was asked for. ``delivery_prepared`` once the recipients of its run are known
    and its letters are with the supplier. ``approvals`` says which are asked, and how; ``granted``
    are those over the snapshot, ``asked`` is the one open now. ``approved`` it is once nothing is
    left to grant before its money and goods.
    """

    campaign_id: UUID
    number: int
    label: str
    start_at: datetime
    end_at: datetime
    zone: str
    manager_id: str
    created_at: datetime
    modified_at: datetime
    version: int = 0
    status: Status = Status.NEW
    description: str = ""
    remark: str = ""
    targeting_id: UUID | None = None
    template_id: UUID | None = None
    action_model_ids: tuple[UUID, ...] = ()
    budget_id: UUID | None = None
    supplier_service_id: UUID | None = None
    stock_line_id: UUID | None = None
    stock_per_letter: int = 1
    reviewer_ids: tuple[UUID, ...] = ()
    delivery_id: UUID | None = None
    content_hash: str | None = None
    send_doubles: bool = False
    counts: TargetCounts | None = None
    snapshot_id: UUID | None = None
    snapshot_hash: str | None = None
    snapshot_members: int = 0
    snapshot_chunks: int = 0
    approved: bool = False
    hold_id: UUID | None = None
    funds: str = "none"
    reservation_id: UUID | None = None
    goods: str = "none"
    run_id: UUID | None = None
    delivery_counts: DeliveryCounts | None = None
    delivery_revision: int = 0
    delivery_done: bool = False
    delivery_prepared: bool = False
    action_counts: ActionCounts | None = None
    action_revision: int = 0
    actions_completed: bool = False
    organisations: int = 0
    persons: int = 0
    extracted: int = 0
    validity_over: bool = False
    problem: str = ""
    waiting_for: str | None = None
    waiting_workflow: str | None = None
    earlier_runs: tuple[EarlierRun, ...] = ()
    kind: CampaignKind = CampaignKind.UNIQUE
    program_id: UUID | None = None
    series_id: UUID | None = None
    occurrence: int | None = None
    next_at: datetime | None = None
    priority: int = 5
    weight: int = 5
    severity: Severity = Severity.NORMAL
    low_activity: bool = False
    auto_start: bool = True
    confirmed: bool = False
    held_back: HeldBack | None = None
    prove_at: datetime | None = None
    ready_at: datetime | None = None
    started_at: datetime | None = None
    asked_at: datetime | None = None
    control_group: ControlGroup | None = None
    control_members: int = 0
    waves: Waves | None = None
    wave_progress: WaveProgress | None = None
    approvals: ApprovalRules | None = None
    granted: tuple[ApprovalKind, ...] = ()
    asked: ApprovalKind | None = None

    @property
    def short(self) -> str:
        """The number people say: ``C-1042``."""
        return f"C-{self.number}"

    @property
    def is_series(self) -> bool:
        """Whether its occurrences run in its place."""
        return self.kind is not CampaignKind.UNIQUE

    @property
    def has_message(self) -> bool:
        """Whether there is something to prove; without, the target alone is approved."""
        return self.template_id is not None

    @property
    def letters(self) -> int:
        """How many letters the target asks for, when a supplier takes them."""
        if self.counts is None or self.supplier_service_id is None:
            return 0
        return self.counts.without_email

    @property
    def has_actions(self) -> bool:
        """Whether actions were generated, or will be."""
        generated = self.action_counts is not None and self.action_counts.generated > 0
        return bool(self.action_model_ids) or generated

    @property
    def all_delivered(self) -> bool:
        """Whether no message of any run is open."""
        latest = self.delivery_done or not self.has_message
        return latest and all(run.done for run in self.earlier_runs)

    def earlier(self, run_id: UUID) -> EarlierRun | None:
        """Return a run that an edit ended."""
        return next((run for run in self.earlier_runs if run.run_id == run_id), None)

    def with_earlier(self, changed: EarlierRun) -> Campaign:
        """Return the campaign with a run that an edit ended as it stands now."""
        runs = (changed if run.run_id == changed.run_id else run for run in self.earlier_runs)
        return replace(self, earlier_runs=tuple(runs))


COLUMNS: Final = tuple(one.name for one in fields(Campaign))


def move(campaign: Campaign, to: Status) -> Campaign:
    """Return the campaign in state ``to``.

    Raises:
        Refused: the state table lacks the move.
    """
    if to not in ALLOWED[campaign.status]:
        reason = f"{campaign.short} is {campaign.status}: it cannot become {to}"
        raise Refused(reason, code="cannot_move", **named(campaign), to=to)
    return replace(campaign, status=to)


def named(campaign: Campaign) -> dict[str, str]:
    """Return what a refusal's sentence says of a campaign: its short number and its state."""
    return {"campaign": campaign.short, "status": campaign.status.value}


def default_end(start_at: datetime, zone: str) -> datetime:
    """Return the start plus 90 calendar days: the same local time, whatever summer time does."""
    local = start_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + DURATION
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(start_at.tzinfo)


def planned(
    plan: CampaignPlan, *, campaign_id: UUID, number: int, manager_id: str, zone: str, now: datetime
) -> Campaign:
    """Return a new campaign from what the form says.

    Raises:
        Refused: a field is missing or wrong; ``field`` says which.
    """
    if plan.label is None or not plan.label.strip():
        raise Refused("a campaign needs a label", field="label", code="label_missing")
    chosen_zone = known_zone(plan.zone or zone)
    start_at = plan.start_at or now
    campaign = Campaign(
        campaign_id=campaign_id,
        number=number,
        label=plan.label.strip(),
        start_at=start_at,
        end_at=plan.end_at or default_end(start_at, chosen_zone),
        zone=chosen_zone,
        manager_id=manager_id,
        created_at=now,
        modified_at=now,
        description=plan.description or "",
        remark=plan.remark or "",
        **_chosen(plan),
    )
    return _checked(campaign)


def edited(campaign: Campaign, plan: CampaignPlan, *, now: datetime) -> Campaign:
    """Return the campaign with the fields the plan sets.

    Raises:
        Refused: the state forbids an edit, a fixed field is set, or a value is wrong.
    """
    _check_editable(campaign)
    for name in FIXED:
        if getattr(plan, name) is not None:
            reason = f"{name} cannot be changed once the campaign is saved"
            raise Refused(reason, field=name, code="fixed_once_saved")
    if plan.label is not None and not plan.label.strip():
        raise Refused("a campaign needs a label", field="label", code="label_missing")
    changes = _chosen(plan)
    if plan.label is not None:
        changes["label"] = plan.label.strip()
    if plan.zone is not None:
        changes["zone"] = known_zone(plan.zone)
    changes |= {n: v for n in ("start_at", "end_at") if (v := getattr(plan, n)) is not None}
    if plan.start_at is not None:
        # A new date is a new start to make, whatever became of the old one.
        changes |= {"held_back": None, "confirmed": False}
    elif campaign.held_back is HeldBack.WAVES and {"end_at", "waves"} & changes.keys():
        changes |= {"held_back": None, "ready_at": now}
    return _checked(replace(campaign, modified_at=now, **changes))


def _check_rules(campaign: Campaign) -> None:
    proof = campaign.approvals.proof if campaign.approvals else None
    if proof is not None and not proof.asked:
        reason = "the proof is always approved: no message leaves that nobody has seen"
        raise Refused(reason, field="approvals", code="proof_always")


def _check_editable(campaign: Campaign) -> None:
    if campaign.status is Status.RUNNING:
        reason = f"{campaign.short} is running: it cannot be edited; suspend it first"
        raise Refused(reason, code="suspend_to_edit", **named(campaign))
    of_target = campaign.asked is ApprovalKind.TARGET
    if campaign.status not in EDITABLE and not of_target:
        reason = f"{campaign.short} is {campaign.status}: it cannot be edited"
        raise Refused(reason, code="cannot_edit", **named(campaign))
    if campaign.validity_over:
        reason = f"the end of {campaign.short} has come, and ended its messages: create another one"
        raise Refused(reason, field="end_at", code="over_to_edit", **named(campaign))


def changed_fields(before: Campaign, after: Campaign) -> tuple[str, ...]:
    """Return the names of what an edit changed, without the time of the edit."""
    names = (name for name in COLUMNS if name != "modified_at")
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def _chosen(plan: CampaignPlan) -> dict[str, Any]:
    names = {
        "targeting_id": "targeting_id",
        "template_id": "template_id",
        "action_model_ids": "action_model_ids",
        "budget_id": "budget_id",
        "supplier_service_id": "supplier_service_id",
        "stock_line_id": "stock_line_id",
        "stock_quantity_per_letter": "stock_per_letter",
        "reviewer_ids": "reviewer_ids",
        "program_id": "program_id",
        "priority": "priority",
        "weight": "weight",
        "severity": "severity",
        "low_activity": "low_activity",
        "approvals": "approvals",
    }
    chosen = {own: v for name, own in names.items() if (v := getattr(plan, name)) is not None}
    if plan.waves is not None:
        chosen["waves"] = None if plan.waves == Waves() else plan.waves
    group = plan.control_group
    if group is not None:
        chosen["control_group"] = (
            None if group.method is ControlMethod.NONE else _small_enough(group)
        )
    return chosen


def _small_enough(group: ControlGroup) -> ControlGroup:
    if group.unit is ControlUnit.PERCENT and group.size > 99:
        reason = f"a control group of {group.size} % leaves nobody: at most 99"
        raise Refused(reason, field="control_group", code="control_too_big")
    return group


def _checked(campaign: Campaign) -> Campaign:
    if campaign.end_at <= campaign.start_at:
        reason = "the end must come after the start"
        raise Refused(reason, field="end_at", code="end_before_start")
    _check_rules(campaign)
    return campaign


def without_approval(campaign: Campaign) -> Campaign:
    """Return the campaign with no approval granted or asked, and without the target they are of."""
    nothing: dict[str, Any] = {"snapshot_id": None, "snapshot_hash": None}
    return replace(campaign, approved=False, granted=(), asked=None, **nothing)


def after_edit(campaign: Campaign) -> Campaign:
    """Return the campaign where an edit of content or target leaves it: to be tested again."""
    if campaign.status is Status.NEW:
        return campaign
    to = Status.READY_TO_TEST if campaign.has_message else Status.READY_TO_RUN
    return campaign if to is campaign.status else move(campaign, to)


def settled(campaign: Campaign) -> Campaign:
    """Return a new campaign moved on once it has what it needs to be tested, or run."""
    if campaign.status is not Status.NEW:
        return campaign
    to = _settled_status(campaign)
    return campaign if to is Status.NEW else move(campaign, to)


def _settled_status(campaign: Campaign) -> Status:
    if campaign.counts is None:
        return Status.NEW
    if campaign.has_message:
        return Status.READY_TO_TEST if campaign.content_hash else Status.NEW
    return Status.READY_TO_RUN if campaign.action_model_ids else Status.NEW


def ended_for_rest(campaign: Campaign) -> Campaign:
    """Return a suspended campaign whose run is over and stays done; the rest needs another run.

    Money and goods stay with the run they are held for, until it is known what it used.
    """
    if campaign.run_id is None:
        return campaign
    run = EarlierRun(
        run_id=campaign.run_id,
        counts=campaign.delivery_counts or DeliveryCounts(),
        revision=campaign.delivery_revision,
        done=campaign.delivery_done or not campaign.has_message,
        targeting_id=campaign.targeting_id,
        organisations=campaign.organisations,
        persons=campaign.persons,
        extracted=campaign.extracted,
        hold_id=campaign.hold_id if campaign.funds == "held" else None,
        reservation_id=campaign.reservation_id if campaign.goods == "held" else None,
        stock_per_letter=campaign.stock_per_letter,
    )
    return replace(
        campaign,
        earlier_runs=(*campaign.earlier_runs, run),
        run_id=None,
        # What has left stays the content of its own delivery.
        delivery_id=None,
        delivery_counts=None,
        delivery_revision=0,
        delivery_done=False,
        delivery_prepared=False,
        wave_progress=None,
        actions_completed=False,
        organisations=0,
        persons=0,
        extracted=0,
        hold_id=None,
        funds="none",
        reservation_id=None,
        goods="none",
        problem="",
    )
