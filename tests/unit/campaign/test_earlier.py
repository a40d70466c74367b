"""Runs that an edit ended: what they leave to the next one, and that nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from services.campaign.domain.campaigns import Campaign, after_edit, edited, ended_for_rest
from services.campaign.domain.earlier import EarlierRun, minus, plus
from services.campaign.domain.volumes import is_complete, synthesis, volumes_planned, volumes_real
from shared.errors import Refused
from shared.french import in_french
from tests.unit.campaign.test_domain import NOW, a_campaign
from topics.actions import ActionCounts
from topics.budget import Volumes
from topics.campaign import CampaignPlan
from topics.campaign import CampaignStatus as Status
from topics.delivery import DeliveryCounts
from topics.targeting import TargetCounts

SENT_THREE = DeliveryCounts(targeted=10, sent=3, ignored=7, emails_sent=3)


def suspended(**more: object) -> Campaign:
    values: dict[str, object] = {
        "status": Status.SUSPENDED,
        "template_id": uuid4(),
        "targeting_id": uuid4(),
        "delivery_id": uuid4(),
        "counts": TargetCounts(records=10, reachable=10, organisations=5, persons=10),
        "run_id": uuid4(),
        "hold_id": uuid4(),
        "funds": "held",
        "delivery_counts": SENT_THREE,
        "delivery_revision": 4,
    }
    return replace(a_campaign(), **(values | more))  # type: ignore[arg-type] # any field


def test_a_suspended_campaign_is_edited_and_is_to_be_tested_again() -> None:
    after = edited(suspended(), CampaignPlan(label="Winter"), now=NOW)
    assert after_edit(after).status is Status.READY_TO_TEST
    without_message = replace(after, template_id=None)
    assert after_edit(without_message).status is Status.READY_TO_RUN


@pytest.mark.parametrize(
    ("campaign", "code"),
    [
        (suspended(status=Status.RUNNING), "suspend_to_edit"),
        (suspended(status=Status.FINISHED), "cannot_edit"),
        (suspended(validity_over=True), "over_to_edit"),
    ],
)
def test_what_cannot_be_edited_is_said_in_both_languages(campaign: Campaign, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        edited(campaign, CampaignPlan(label="Winter"), now=NOW)
    assert refusal.value.code == code
    french = in_french(code, refusal.value.values, lambda _name, text: text)
    assert french is not None
    assert campaign.short in french


def test_an_ended_run_keeps_its_hold_and_totals_and_the_campaign_starts_anew() -> None:
    before = suspended()
    after = ended_for_rest(before)
    [run] = after.earlier_runs
    assert (run.run_id, run.hold_id, run.counts) == (before.run_id, before.hold_id, SENT_THREE)
    assert (after.run_id, after.delivery_id, after.hold_id, after.funds) == (
        None,
        None,
        None,
        "none",
    )
    assert ended_for_rest(after) == after


def test_the_rest_is_planned_without_those_who_were_reached_over_the_same_target() -> None:
    after = ended_for_rest(suspended())
    assert volumes_planned(after).emails == 7
    assert volumes_planned(replace(after, targeting_id=uuid4())).emails == 10


def test_what_was_booked_is_not_booked_again_and_what_came_later_is() -> None:
    after = ended_for_rest(suspended())
    [run] = after.earlier_runs
    running = replace(after, run_id=uuid4(), delivery_counts=DeliveryCounts(sent=5, emails_sent=5))
    assert volumes_real(running).emails == 5  # the earlier hold pays for its own
    booked = run.model_copy(update={"closed": True, "booked": run.used})
    assert volumes_real(running.with_earlier(booked)).emails == 5
    late = booked.model_copy(update={"counts": DeliveryCounts(sent=4, emails_sent=4)})
    assert volumes_real(running.with_earlier(late)).emails == 6


def test_totals_are_the_sum_over_all_runs() -> None:
    after = ended_for_rest(suspended())
    rest = DeliveryCounts(targeted=7, sent=6, failed=1, emails_sent=6)
    totals = synthesis(replace(after, run_id=uuid4(), delivery_counts=rest))
    assert totals.messages_targeted == 17
    assert (totals.messages_sent, totals.messages_ignored, totals.messages_failed) == (9, 7, 1)


def test_a_campaign_is_complete_once_its_ended_runs_are_and_actions_of_theirs_are_done() -> None:
    after = ended_for_rest(suspended())
    running = replace(after, status=Status.RUNNING, run_id=uuid4(), delivery_done=True)
    assert not is_complete(running)
    [run] = running.earlier_runs
    done = running.with_earlier(run.model_copy(update={"done": True}))
    assert is_complete(done)
    assert not is_complete(replace(done, action_counts=ActionCounts(generated=1, waiting=1)))


def test_volumes_never_go_below_zero_and_a_run_without_a_hold_is_never_charged() -> None:
    assert minus(Volumes(emails=1), Volumes(emails=3, letters=1)) == Volumes()
    assert plus([Volumes(emails=1)], Volumes(emails=2)) == Volumes(emails=3)
    unpaid = EarlierRun(run_id=uuid4(), counts=SENT_THREE, closed=True)
    assert unpaid.unbooked == Volumes()
