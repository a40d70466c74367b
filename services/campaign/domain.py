"""What a campaign may do: its states and moves, its defaults, what an edit voids. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from services.campaign.earlier import EarlierRun, minus, plus, used
from shared.errors import Refused
from topics.actions import ActionCounts
from topics.budget import Volumes
from topics.campaign import CampaignPlan, Synthesis
from topics.campaign import CampaignStatus as Status
from topics.delivery import DeliveryCounts
from topics.targeting import TargetCounts
from topics.workflows import WorkflowStatus

DURATION: Final = timedelta(days=90)
FINAL: Final = frozenset({Status.FINISHED, Status.CANCELLED})

# Source of the states: ARTIS CRM; of the moves: our own table, kept in the glossary of the docs.
ALLOWED: Final[dict[Status, frozenset[Status]]] = {
    Status.NEW: frozenset({Status.READY_TO_TEST, Status.READY_TO_RUN, Status.CANCELLED}),
    Status.READY_TO_TEST: frozenset({Status.PROOF_GENERATING, Status.CANCELLED}),
    Status.PROOF_GENERATING: frozenset({Status.PROOF_PENDING, Status.ERROR, Status.CANCELLED}),
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
    {"targeting_id", "template_id", "action_model_ids", "supplier_service_id"}
)
FIXED: Final = ("description", "remark")
EDITABLE: Final = frozenset(
    {Status.NEW, Status.READY_TO_TEST, Status.PROOF_PENDING, Status.READY_TO_RUN}
    | {Status.SUSPENDED}
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as this service keeps it.

    ``funds`` and ``goods`` are none, asked, held or closed; amounts live in budget and stock.
    What names a run is of the latest one; ``earlier_runs`` are those that edits ended.
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

    @property
    def short(self) -> str:
        """The number people say: ``C-1042``."""
        return f"C-{self.number}"

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


COLUMNS: Final = tuple(field.name for field in fields(Campaign))


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
    chosen_zone = _known_zone(plan.zone or zone)
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
        changes["zone"] = _known_zone(plan.zone)
    changes |= {n: v for n in ("start_at", "end_at") if (v := getattr(plan, n)) is not None}
    return _checked(replace(campaign, modified_at=now, **changes))


def _check_editable(campaign: Campaign) -> None:
    if campaign.status is Status.RUNNING:
        reason = f"{campaign.short} is running: it cannot be edited; suspend it first"
        raise Refused(reason, code="suspend_to_edit", **named(campaign))
    if campaign.status not in EDITABLE:
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
    }
    return {own: v for name, own in names.items() if (v := getattr(plan, name)) is not None}


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        reason = f"{name} is no time zone; try one like Europe/Paris"
        raise Refused(reason, field="zone", code="unknown_zone", zone=name)
    return name


def _checked(campaign: Campaign) -> Campaign:
    if campaign.end_at <= campaign.start_at:
        reason = "the end must come after the start"
        raise Refused(reason, field="end_at", code="end_before_start")
    return campaign


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


def volumes_planned(campaign: Campaign) -> Volumes:
    """Return the most a run can use, for its hold: everybody reachable gets a message.

    Whom an earlier run over the same target reached is in it, and gets nothing more. Of another
    target nobody knows that before its run, so it is held for whole; the real cost is booked.
    """
    same = [run.used for run in campaign.earlier_runs if run.targeting_id == campaign.targeting_id]
    return minus(_volumes_of_target(campaign), plus(same, Volumes()))


def _volumes_of_target(campaign: Campaign) -> Volumes:
    # Targeting counts addresses; where doubles are sent to as well, each of them costs one more.
    counts = campaign.counts or TargetCounts()
    doubles = counts.duplicates if campaign.send_doubles else 0
    return Volumes(
        emails=counts.reachable + doubles if campaign.has_message else 0,
        letters=campaign.letters if campaign.has_message else 0,
        organisations=counts.organisations if campaign.action_model_ids else 0,
        persons=counts.persons if campaign.action_model_ids else 0,
    )


def volumes_real(campaign: Campaign) -> Volumes:
    """Return what the latest run really used, and earlier ones after their cost was booked."""
    counts = campaign.delivery_counts or DeliveryCounts()
    latest = used(counts, campaign.organisations, campaign.persons)
    return plus((run.unbooked for run in campaign.earlier_runs), latest)


def synthesis(campaign: Campaign) -> Synthesis:
    """Return the counts of the results tab, as their owners counted them."""
    actions = campaign.action_counts or ActionCounts()
    messages = plus(
        (run.counts for run in campaign.earlier_runs), campaign.delivery_counts or DeliveryCounts()
    )
    return Synthesis(
        targeted=campaign.snapshot_members,
        deals_generated=actions.deals,
        actions_generated=actions.generated,
        actions_waiting=actions.waiting,
        actions_suspended=actions.suspended,
        actions_executed=actions.executed,
        actions_finished=actions.finished,
        actions_cancelled=actions.cancelled,
        dossier_items=actions.dossier_items,
        messages_targeted=messages.targeted,
        messages_pending=messages.pending,
        messages_sent=messages.sent,
        messages_failed=messages.failed,
        messages_ignored=messages.ignored,
        messages_ambiguous=messages.ambiguous,
        extracted=campaign.extracted + sum(run.extracted for run in campaign.earlier_runs),
    )


def is_complete(campaign: Campaign) -> bool:
    """Whether its runs left nothing to do: no message open, no action waiting or suspended."""
    if not campaign.all_delivered:
        return False
    if campaign.validity_over or not campaign.has_actions:
        return True
    if campaign.action_model_ids and not campaign.actions_completed:
        return False
    actions = campaign.action_counts
    return actions is not None and not (actions.waiting or actions.suspended)


@dataclass(frozen=True, slots=True)
class Wait:
    """What holds a campaign up: in words, by code for other languages, the workflow behind it."""

    reason: str | None = None
    code: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    workflow: str | None = None


def waiting(campaign: Campaign, workflows: Mapping[str, WorkflowStatus], *, now: datetime) -> Wait:
    """Return what holds a campaign up, and the stopped workflow behind it, if one is."""
    for name, needed in _needs(campaign, now):
        status = workflows.get(name, WorkflowStatus.STARTED)
        if needed and status is not WorkflowStatus.STARTED:
            values = {"workflow": name, "status": status.value}
            return Wait(f"waits for {name}, which is {status}", "waits_workflow", values, name)
    if campaign.status is Status.PROOF_PENDING and campaign.approved:
        return Wait("waits for its budget and stock", "waits_means")
    if campaign.status is Status.PROOF_PENDING:
        return Wait("waits for the approval of its proof", "waits_proof")
    if campaign.status is Status.READY_TO_RUN and not campaign.approved:
        return Wait("waits for the approval of its target", "waits_target")
    if campaign.status is Status.READY_TO_RUN and campaign.start_at > now:
        at = campaign.start_at.isoformat(timespec="minutes")
        return Wait(f"starts at {at}", "waits_start", {"at": at})
    return Wait(campaign.problem or None)


def _needs(campaign: Campaign, now: datetime) -> tuple[tuple[str, bool], ...]:
    running = campaign.status is Status.RUNNING
    delivered = campaign.delivery_counts
    letters = volumes_planned(campaign).letters
    letters_open = letters > 0 and (delivered is None or delivered.letters_sent < letters)
    due = campaign.status is Status.READY_TO_RUN and campaign.start_at <= now
    return (
        ("operationMgt", due and campaign.approved),
        ("deliveryMgt", running and campaign.has_message and delivered is None),
        ("supplierMgt", running and campaign.has_message and letters_open),
        ("deliveryMgt", campaign.status is Status.PROOF_PENDING and not campaign.approved),
        ("budgetMgt", campaign.status is Status.FINISHED and campaign.funds == "held"),
    )
