"""What a campaign waits for: a person, a date, other campaigns, a stopped workflow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.campaign.domain.campaigns import FINAL, Campaign, HeldBack
from services.campaign.domain.gates import start_is_open, waits_for_person
from services.campaign.domain.series import proof_wanted
from services.campaign.domain.starts import is_ready
from services.campaign.domain.volumes import volumes_planned
from topics.campaign import CampaignStatus as Status
from topics.delivery import ApprovalKind
from topics.workflows import WorkflowStatus


@dataclass(frozen=True, slots=True)
class Wait:
    """What holds a campaign up: in words, by code for other languages, the workflow behind it."""

    reason: str | None = None
    code: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    workflow: str | None = None


def waiting(campaign: Campaign, workflows: Mapping[str, WorkflowStatus], *, now: datetime) -> Wait:
    """Return what holds a campaign up, and the stopped workflow behind it, if one is."""
    return _for_workflow(campaign, workflows, now) or _for_others(campaign, now)


def _for_workflow(
    campaign: Campaign, workflows: Mapping[str, WorkflowStatus], now: datetime
) -> Wait | None:
    for name, needed in _needs(campaign, now):
        status = workflows.get(name, WorkflowStatus.STARTED)
        if needed and status is not WorkflowStatus.STARTED:
            values = {"workflow": name, "status": status.value}
            return Wait(f"waits for {name}, which is {status}", "waits_workflow", values, name)
    return None


_FOR_MEANS: Final = Wait("waits for its budget and stock", "waits_means")


def _for_others(campaign: Campaign, now: datetime) -> Wait:
    if campaign.is_series:
        return _of_series(campaign)
    if campaign.held_back is HeldBack.MISSED and campaign.status not in FINAL:
        return Wait("its start was missed: start it now or drop it", "waits_missed")
    if campaign.status in _PROVING:
        return _of_proving(campaign)
    if campaign.held_back is HeldBack.QUEUED and proof_wanted(campaign):
        return Wait("its proof is made as soon as there is room for it", "waits_proof_queue")
    if campaign.status is Status.READY_TO_RUN:
        return _of_ready(campaign, now)
    return _of_run(campaign)


_HELD_BACK: Final = {
    HeldBack.QUEUED: Wait("starts as soon as there is room for another start", "waits_queue"),
    HeldBack.WINDOW: Wait("starts in the next hours of low activity", "waits_window"),
    HeldBack.WAVES: Wait(
        "its last wave would leave after its end: set a later end, or bigger or closer waves",
        "waits_end",
    ),
    HeldBack.SERIES: Wait("waits until its recurring campaign is launched again", "waits_series"),
}


_PROVING: Final = frozenset({Status.PROOF_GENERATING, Status.PROOF_PENDING})
_SUBMISSION: Final = Wait("its next approval waits to be submitted", "waits_submission")
_ASKED: Final = {
    ApprovalKind.TARGET: Wait("waits for the approval of its target", "waits_target"),
    ApprovalKind.PROOF: Wait("waits for the approval of its proof", "waits_proof"),
    ApprovalKind.EXTERNAL_CONTENT: Wait(
        "waits for the approval of its external content", "waits_external"
    ),
    ApprovalKind.START: Wait("waits for the approval of its start", "waits_start_approval"),
}


def _of_proving(campaign: Campaign) -> Wait:
    if campaign.approved or (campaign.asked is None and "asked" in _means(campaign)):
        return _FOR_MEANS
    if waits_for_person(campaign):
        return _SUBMISSION
    if campaign.status is Status.PROOF_PENDING:
        return _ASKED[campaign.asked or ApprovalKind.PROOF]
    return _ASKED[campaign.asked] if campaign.asked is ApprovalKind.TARGET else _problem(campaign)


def _means(campaign: Campaign) -> tuple[str, str]:
    return campaign.funds, campaign.goods


def _problem(campaign: Campaign) -> Wait:
    return Wait(campaign.problem or None)


def _of_ready(campaign: Campaign, now: datetime) -> Wait:
    if not campaign.approved:
        return _ASKED[ApprovalKind.TARGET]
    if start_is_open(campaign):
        return _SUBMISSION if waits_for_person(campaign) else _ASKED[ApprovalKind.START]
    if campaign.held_back is not None:
        return _HELD_BACK[campaign.held_back]
    if not campaign.auto_start:
        return Wait("waits to be launched", "waits_launch")
    if campaign.start_at > now:
        return _at("starts at", "waits_start", campaign.start_at)
    return _problem(campaign)


def _of_run(campaign: Campaign) -> Wait:
    waves = campaign.wave_progress
    if waves is None or waves.next_at is None or campaign.status is not Status.RUNNING:
        return Wait(campaign.problem or None)
    number, total = str(waves.opened + 1), str(waves.total)
    late = waves.next_at >= campaign.end_at
    wave = _at(
        f"its wave {number} of {total} {'would leave, after its end, at' if late else 'leaves at'}",
        "waits_late_wave" if late else "waits_wave",
        waves.next_at,
    )
    return replace(wave, values={**wave.values, "number": number, "total": total})


def _of_series(campaign: Campaign) -> Wait:
    if campaign.status in {Status.READY_TO_TEST, Status.READY_TO_RUN}:
        return Wait("its schedule waits to be launched", "waits_schedule")
    if campaign.status is not Status.RUNNING:
        return _problem(campaign)
    if campaign.next_at is None:
        return Wait("has no date left: waits for the end of its occurrences", "waits_last")
    return _at("creates its next occurrence for", "waits_occurrence", campaign.next_at)


def _at(words: str, code: str, at: datetime) -> Wait:
    text = at.isoformat(timespec="minutes")
    return Wait(f"{words} {text}", code, {"at": text})


def _needs(campaign: Campaign, now: datetime) -> tuple[tuple[str, bool], ...]:
    if campaign.is_series:
        return (("operationMgt", campaign.status is Status.RUNNING),)
    running = campaign.status is Status.RUNNING
    delivered, waves = campaign.delivery_counts, campaign.wave_progress
    in_waves = waves is not None and waves.next_at is not None
    letters = volumes_planned(campaign).letters
    letters_open = letters > 0 and (delivered is None or delivered.letters_sent < letters)
    due = campaign.status is Status.READY_TO_RUN and campaign.start_at <= now
    prove_at = campaign.prove_at
    to_prove = prove_at is not None and prove_at <= now and proof_wanted(campaign)
    return (
        ("operationMgt", to_prove),
        ("operationMgt", due and is_ready(campaign)),
        ("deliveryMgt", running and campaign.has_message and (delivered is None or in_waves)),
        ("supplierMgt", running and campaign.has_message and letters_open),
        ("deliveryMgt", campaign.status in _PROVING and not campaign.approved),
        ("deliveryMgt", campaign.asked is ApprovalKind.START),
        ("budgetMgt", campaign.status in FINAL and campaign.funds == "held"),
        ("stockMgt", campaign.status in FINAL and campaign.goods == "held"),
    )
