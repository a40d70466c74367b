"""The rules of campaigns: moves, defaults, edits, ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.campaign.domain.campaigns import (
    ALLOWED,
    FINAL,
    Campaign,
    default_end,
    edited,
    move,
    planned,
    settled,
)
from services.campaign.domain.volumes import is_complete, volumes_planned
from services.campaign.domain.waiting import Wait, waiting
from shared.errors import Refused
from topics.actions import ActionCounts
from topics.campaign import CampaignPlan
from topics.campaign import CampaignStatus as Status
from topics.targeting import TargetCounts
from topics.workflows import WorkflowStatus

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)


def a_campaign(plan: CampaignPlan | None = None) -> Campaign:
    return planned(
        plan or CampaignPlan(label="Autumn"),
        campaign_id=uuid4(),
        number=1042,
        manager_id="m",
        zone="Europe/Paris",
        now=NOW,
    )


def test_a_new_campaign_needs_only_a_label_and_starts_now_in_state_new() -> None:
    campaign = a_campaign()
    assert (campaign.status, campaign.start_at, campaign.short) == (Status.NEW, NOW, "C-1042")
    with pytest.raises(Refused) as refusal:
        a_campaign(CampaignPlan(label=" "))
    assert refusal.value.field == "label"


def test_the_end_is_90_calendar_days_later_at_the_same_local_time_over_winter_time() -> None:
    end = default_end(NOW, "Europe/Paris")
    assert end == datetime(2026, 10, 30, 11, tzinfo=UTC)  # 12:00 in Paris on both days
    assert default_end(NOW, "UTC") - NOW == timedelta(days=90)


def test_a_final_state_has_no_way_out_and_every_state_can_be_reached() -> None:
    assert all(not ALLOWED[state] for state in FINAL)
    reached = {Status.NEW}.union(*ALLOWED.values())
    assert reached == set(Status)


@pytest.mark.parametrize("state", sorted(set(Status) - FINAL))
def test_a_campaign_can_be_cancelled_from_any_state_that_is_not_final(state: Status) -> None:
    assert move(replace(a_campaign(), status=state), Status.CANCELLED).status is Status.CANCELLED


def test_an_illegal_move_names_both_states() -> None:
    with pytest.raises(Refused, match="C-1042 is new: it cannot become running"):
        move(a_campaign(), Status.RUNNING)


@pytest.mark.parametrize("field", ["description", "remark"])
def test_description_and_remark_are_fixed_after_the_first_save(field: str) -> None:
    with pytest.raises(Refused) as refusal:
        edited(a_campaign(), CampaignPlan.model_validate({field: "new"}), now=NOW)
    assert refusal.value.field == field


@pytest.mark.parametrize("state", [Status.RUNNING, Status.FINISHED, Status.PROOF_GENERATING])
def test_a_campaign_on_its_way_is_read_only(state: Status) -> None:
    with pytest.raises(Refused, match="cannot be edited"):
        edited(replace(a_campaign(), status=state), CampaignPlan(label="x"), now=NOW)


def test_counts_and_content_make_it_ready_to_test_and_models_alone_ready_to_run() -> None:
    counts = TargetCounts(records=1)
    with_message = replace(a_campaign(), template_id=uuid4(), counts=counts)
    assert settled(with_message).status is Status.NEW
    assert settled(replace(with_message, content_hash="h")).status is Status.READY_TO_TEST
    models_only = replace(a_campaign(), action_model_ids=(uuid4(),), counts=counts)
    assert settled(models_only).status is Status.READY_TO_RUN


def test_it_is_complete_when_no_message_is_open_and_no_action_waits() -> None:
    running = replace(
        a_campaign(), status=Status.RUNNING, template_id=uuid4(), action_model_ids=(uuid4(),)
    )
    delivered = replace(running, delivery_done=True, actions_completed=True)
    assert not is_complete(replace(delivered, action_counts=ActionCounts(waiting=1)))
    assert not is_complete(replace(delivered, action_counts=ActionCounts(suspended=1)))
    assert not is_complete(
        replace(delivered, delivery_done=False, action_counts=ActionCounts(executed=1))
    )
    assert is_complete(replace(delivered, action_counts=ActionCounts(executed=1)))
    over = replace(delivered, action_counts=ActionCounts(waiting=1), validity_over=True)
    assert is_complete(over)


def test_letters_are_planned_only_with_a_supplier() -> None:
    counts = TargetCounts(reachable=10, without_email=3)
    campaign = replace(a_campaign(), template_id=uuid4(), counts=counts)
    assert volumes_planned(campaign).letters == 0
    planned_volumes = volumes_planned(replace(campaign, supplier_service_id=uuid4()))
    assert (planned_volumes.emails, planned_volumes.letters) == (10, 3)


def test_doubles_are_planned_only_where_they_are_sent_to() -> None:
    counts = TargetCounts(persons=15, duplicates=3, opted_out=2, reachable=10)
    campaign = replace(a_campaign(), template_id=uuid4(), counts=counts)
    assert volumes_planned(campaign).emails == 10
    assert volumes_planned(replace(campaign, send_doubles=True)).emails == 13


def test_a_stopped_workflow_is_named_by_what_waits_for_it() -> None:
    due = replace(a_campaign(), status=Status.READY_TO_RUN, approved=True)
    stopped = {"operationMgt": WorkflowStatus.STOPPED}
    wait = waiting(due, stopped, now=NOW)
    assert (wait.reason, wait.workflow) == (
        "waits for operationMgt, which is stopped",
        "operationMgt",
    )
    assert (wait.code, wait.values["status"]) == ("waits_workflow", "stopped")
    assert waiting(due, {}, now=NOW) == Wait()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("deliveryMgt", {"status": Status.PROOF_GENERATING}),
        ("deliveryMgt", {"status": Status.PROOF_PENDING}),
        ("budgetMgt", {"status": Status.FINISHED, "funds": "held"}),
        ("budgetMgt", {"status": Status.CANCELLED, "funds": "held"}),
        ("stockMgt", {"status": Status.FINISHED, "goods": "held"}),
        ("stockMgt", {"status": Status.CANCELLED, "goods": "held"}),
    ],
)
def test_a_campaign_waits_for_the_workflow_whose_turn_it_is(
    name: str, changes: dict[str, Any]
) -> None:
    campaign = replace(a_campaign(), **changes)
    stopped = dict.fromkeys(("deliveryMgt", "budgetMgt", "stockMgt"), WorkflowStatus.STOPPED)
    assert waiting(campaign, stopped, now=NOW).workflow == name
    assert waiting(campaign, {}, now=NOW).workflow is None
