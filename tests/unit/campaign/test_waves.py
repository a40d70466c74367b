"""A campaign's waves: clear, not too many, and the last one before the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.campaign.domain.campaigns import Campaign, HeldBack, edited
from services.campaign.domain.waiting import waiting
from services.campaign.domain.waves import check_waves
from shared.errors import Refused
from tests.unit.campaign.test_domain import a_campaign
from tests.unit.campaign.test_starts import due, picked
from topics.campaign import CampaignPlan
from topics.campaign import CampaignStatus as Status
from topics.schedules import CampaignKind
from topics.targeting import TargetCounts
from topics.waves import WaveDate, WaveProgress, Waves, WaveUnit
from topics.workflows import WorkflowStatus

START = datetime(2026, 8, 3, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTERS = Waves(unit=WaveUnit.PERCENT, size=25, period_minutes=60)


def parted(waves: Waves, *, reachable: int | None = 1000, hours: float = 4) -> Campaign:
    counts = None if reachable is None else TargetCounts(records=reachable, reachable=reachable)
    return replace(
        a_campaign(),
        start_at=START,
        end_at=START + hours * HOUR,
        template_id=uuid4(),
        counts=counts,
        waves=waves,
    )


@pytest.mark.parametrize(
    ("waves", "code"),
    [
        (Waves(size=10), "waves_unclear"),
        (Waves(period_minutes=10), "waves_unclear"),
        (Waves(size=10, period_minutes=1, calendar=(WaveDate(at=START, size=1),)), "waves_unclear"),
        (Waves(unit=WaveUnit.PERCENT, size=101, period_minutes=1), "waves_over_all"),
        (
            Waves(calendar=(WaveDate(at=START, size=1), WaveDate(at=START, size=1))),
            "waves_in_no_order",
        ),
        (Waves(size=1, period_minutes=1), "waves_too_many"),
    ],
)
def test_waves_that_contradict_themselves_are_refused(waves: Waves, code: str) -> None:
    with pytest.raises(Refused) as refused:
        check_waves(parted(waves, reachable=1001, hours=10_000), START)
    assert refused.value.code == code
    assert (refused.value.field or "").startswith("waves")


@pytest.mark.parametrize("reachable", [None, 1000])
def test_the_last_wave_must_leave_before_the_end(reachable: int | None) -> None:
    check_waves(parted(QUARTERS, reachable=reachable, hours=3.01), START)
    with pytest.raises(Refused, match="its last wave would leave at 2026-08-03T11:00") as refused:
        check_waves(parted(QUARTERS, reachable=reachable, hours=3), START)
    assert (refused.value.field, refused.value.code) == ("waves", "waves_too_late")


def test_a_size_in_messages_is_looked_at_once_the_target_is_counted() -> None:
    hundreds = Waves(size=100, period_minutes=60)
    check_waves(parted(hundreds, reachable=None), START)
    check_waves(parted(hundreds, reachable=400), START)
    with pytest.raises(Refused):
        check_waves(parted(hundreds, reachable=401), START)


def test_a_calendar_ends_before_the_campaign_whenever_it_starts() -> None:
    calendar = Waves(calendar=tuple(WaveDate(at=START + i * HOUR, size=9) for i in (1, 3)))
    check_waves(parted(calendar, hours=3.5), START + 2 * HOUR)
    with pytest.raises(Refused):
        check_waves(parted(calendar, hours=3), START)
    series = replace(parted(calendar), kind=CampaignKind.RECURRING)
    with pytest.raises(Refused) as refused:
        check_waves(series, START)
    assert refused.value.code == "waves_of_series"


def test_one_that_starts_too_late_for_its_waves_is_held_back_until_it_is_edited() -> None:
    ready = due(1, waves=QUARTERS, counts=TargetCounts(reachable=100), template_id=uuid4())
    now = ready.start_at + timedelta(minutes=10)
    in_time = replace(ready, end_at=now + 3.5 * HOUR)
    late = replace(ready, number=2, end_at=now + 3 * HOUR)
    assert picked(in_time, late) == ([1], {2: HeldBack.WAVES})
    held = replace(late, held_back=HeldBack.WAVES)
    assert waiting(held, {}, now=now).code == "waits_end"
    longer = edited(held, CampaignPlan(end_at=now + 4 * HOUR), now=now)
    assert (longer.held_back, longer.ready_at) == (None, now)
    other = edited(held, CampaignPlan(label="Other"), now=now)
    assert other.held_back is HeldBack.WAVES


def test_no_waves_take_back_those_that_were_set() -> None:
    kept = edited(parted(QUARTERS), CampaignPlan(label="Other"), now=START)
    assert kept.waves == QUARTERS
    assert edited(kept, CampaignPlan(waves=Waves()), now=START).waves is None


def test_a_running_one_says_when_its_next_wave_leaves_and_which_workflow_opens_it() -> None:
    progress = WaveProgress(opened=1, total=4, next_at=START + HOUR)
    running = replace(parted(QUARTERS), status=Status.RUNNING, wave_progress=progress)
    wait = waiting(running, {}, now=START)
    assert wait.reason == "its wave 2 of 4 leaves at 2026-08-03T09:00+00:00"
    assert (wait.code, wait.values["number"], wait.values["total"]) == ("waits_wave", "2", "4")
    late = replace(running, wave_progress=progress.model_copy(update={"next_at": START + 5 * HOUR}))
    assert waiting(late, {}, now=START).code == "waits_late_wave"
    stopped = waiting(running, {"deliveryMgt": WorkflowStatus.STOPPED}, now=START)
    assert stopped.workflow == "deliveryMgt"
    over = replace(running, wave_progress=WaveProgress(opened=4, total=4))
    assert waiting(over, {}, now=START).reason is None
