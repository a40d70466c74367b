"""Series: occurrences created ahead, once each, whatever two schedulers and restarts do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.campaign.domain.campaigns import Campaign, HeldBack, planned
from services.campaign.domain.schedules import lines
from services.campaign.domain.series import (
    Series,
    check_plannable,
    dates,
    due,
    followed,
    launched,
    left_over,
    occurrence,
    proof_wanted,
)
from services.campaign.domain.waiting import waiting
from shared.errors import Refused
from tests.unit.campaign.zones import ZONES
from topics.campaign import CampaignPlan
from topics.campaign import CampaignStatus as Status
from topics.schedules import CampaignKind, Frequency, Recurrence, Schedule, ScheduleLine
from topics.targeting import TargetCounts
from topics.workflows import WorkflowStatus

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
GRACE = timedelta(hours=1)
WEEKLY = Schedule(
    recurrence=Recurrence(frequency=Frequency.WEEKLY), times=("09:30",), create_ahead_days=10
)


def a_series(schedule: Schedule = WEEKLY, zone: str = "Europe/Paris") -> tuple[Campaign, Series]:
    campaign = planned(
        CampaignPlan(
            label="News",
            start_at=START,
            end_at=START + YEARS,
            zone=zone,
            template_id=uuid4(),
            targeting_id=uuid4(),
            reviewer_ids=(uuid4(),),
            priority=2,
        ),
        campaign_id=uuid4(),
        number=7,
        manager_id="m",
        zone="UTC",
        now=START,
    )
    ready = replace(campaign, status=Status.READY_TO_TEST, kind=CampaignKind.RECURRING)
    return ready, Series(campaign_id=ready.campaign_id, schedule=schedule, since=START)


def one(number: int = 1, kind: CampaignKind = CampaignKind.RECURRING, **more: object) -> Campaign:
    parent, series = a_series()
    now = more.pop("now", START)
    assert isinstance(now, datetime)
    series = replace(series, created=number - 1, schedule=WEEKLY.model_copy(update=more))
    return occurrence(
        replace(parent, kind=kind),
        series,
        next(dates(parent, series)),
        campaign_id=UUID(int=1),
        campaign_number=8,
        now=now,
        grace=GRACE,
    )


schedules = st.builds(
    Schedule,
    recurrence=st.builds(
        Recurrence,
        frequency=st.sampled_from([Frequency.WEEKLY, Frequency.MONTHLY, Frequency.YEARLY]),
        interval=st.integers(1, 3),
        count=st.none() | st.integers(1, 60),
    ),
    times=st.lists(st.sampled_from(["00:00", "02:15", "02:30", "23:59"]), max_size=2, unique=True),
    lines=st.lists(
        st.integers(0, YEARS.days * 24).map(
            lambda hours: ScheduleLine(at=f"{START + timedelta(hours=hours):%Y-%m-%dT%H:%M}")
        ),
        max_size=5,
    ),
    create_ahead_days=st.integers(0, 40),
)


@settings(max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    schedule=schedules,
    steps=st.lists(
        st.tuples(st.integers(0, 60 * 24), st.integers(1, 10), st.booleans()),
        min_size=1,
        max_size=60,
    ),
)
def test_three_years_of_looks_by_schedulers_that_die_create_exactly_the_dates(
    zone: str, schedule: Schedule, steps: list[tuple[int, int, bool]]
) -> None:
    campaign, series = a_series(schedule, zone)
    expected = [
        line
        for line in lines(schedule, zone=zone, start_at=START, end_at=START + YEARS)
        if line.at > START
    ]
    if not expected:
        with pytest.raises(Refused, match="no date"):
            launched(campaign, series, START)
        return
    campaign, series = launched(campaign, series, START)
    created: list[tuple[datetime, int]] = []
    now, horizon = START, timedelta(days=schedule.create_ahead_days)
    for hours, limit, dies in [*steps, *[(0, 10, False)] * 200]:
        now = min(START + YEARS, now + timedelta(hours=hours)) if hours else START + YEARS
        if series.look_at is None or series.look_at > now:
            assert all(line.at > now + horizon for line in expected[len(created) :])
            continue
        soon = due(campaign, series, now, limit)
        if dies:
            continue  # before its transaction ended: nothing of it is there
        created += [(line.local, series.created + at + 1) for at, line in enumerate(soon)]
        assert all(line.at <= now + horizon for line in soon)
        if soon:
            series = replace(series, through=soon[-1].local)
        campaign, series = followed(campaign, series, len(soon))
    assert created == [(line.local, number) for number, line in enumerate(expected, 1)]
    assert (series.look_at, campaign.next_at) == (None, None)


def test_a_launch_follows_the_schedule_from_then_on_and_past_dates_stay_past() -> None:
    campaign, series = a_series()
    now = START + timedelta(days=30)
    running, fresh = launched(campaign, series, now)
    assert running.status is Status.RUNNING
    assert running.next_at == datetime(2026, 2, 9, 8, 30, tzinfo=UTC)
    assert fresh.look_at == running.next_at - timedelta(days=10)
    wait = waiting(running, {}, now=now)
    assert (wait.code, wait.values) == ("waits_occurrence", {"at": "2026-02-09T08:30+00:00"})
    with pytest.raises(Refused, match="C-7 is running: its schedule cannot be launched"):
        launched(running, fresh, now)
    with pytest.raises(Refused, match="C-7 is new"):
        launched(replace(campaign, status=Status.NEW), series, now)


def test_a_date_is_created_at_the_very_moment_it_comes_within_the_horizon() -> None:
    running, series = launched(*a_series(), START - timedelta(days=30))
    assert series.look_at is not None
    assert len(due(running, series, series.look_at, 5)) == 1
    assert due(running, series, series.look_at - timedelta(seconds=1), 5) == []


def test_an_occurrence_is_numbered_and_is_what_its_campaign_is_when_it_is_created() -> None:
    made = one(3, duration_days=14)
    parent, _ = a_series()
    assert (made.label, made.occurrence, made.kind) == ("News#3", 3, CampaignKind.UNIQUE)
    assert made.start_at == datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert made.end_at == datetime(2026, 1, 19, 8, 30, tzinfo=UTC)
    assert (made.priority, made.zone, made.auto_start) == (2, parent.zone, True)
    assert made.prove_at == made.start_at - timedelta(hours=72)
    assert (made.delivery_id, made.counts, made.run_id, made.held_back) == (None, None, None, None)


def test_a_periodic_one_carries_its_date_and_long_labels_keep_their_end() -> None:
    assert one(kind=CampaignKind.PERIODIC).label == "News 2026-01-05 09:30"
    parent, series = a_series()
    long = replace(parent, label="x" * 200)
    line = next(dates(parent, series))
    made = occurrence(
        long, series, line, campaign_id=uuid4(), campaign_number=8, now=START, grace=GRACE
    )
    assert (len(made.label), made.label[-3:]) == (200, "x#1")


def test_one_that_is_not_to_be_approved_or_started_waits_for_people() -> None:
    made = one(to_be_approved=False, to_be_started=False)
    assert (made.prove_at, made.auto_start) == (None, False)
    ready = replace(made, status=Status.READY_TO_RUN, approved=True)
    assert waiting(ready, {}, now=START).code == "waits_launch"


def test_one_created_too_late_is_missed_and_its_approval_is_not_asked_for() -> None:
    at = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert one(now=at + GRACE).held_back is None
    missed = one(now=at + GRACE + timedelta(seconds=1))
    assert missed.held_back is HeldBack.MISSED
    tested = replace(missed, status=Status.READY_TO_TEST, counts=TargetCounts(records=1))
    assert not proof_wanted(tested)
    stopped = {"operationMgt": WorkflowStatus.STOPPED}
    assert waiting(replace(tested, held_back=None), stopped, now=at).workflow == "operationMgt"
    assert proof_wanted(replace(tested, held_back=None))
    assert waiting(tested, {}, now=at).code == "waits_missed"


def test_dates_that_a_changed_schedule_lacks_are_left_over() -> None:
    campaign, series = a_series()
    created = {(line.local, campaign.zone) for line in due(campaign, series, START, 2)}
    assert left_over(campaign, series.schedule, created) == set()
    later = WEEKLY.model_copy(update={"times": ("10:00",)})
    assert left_over(campaign, later, created) == created
    assert left_over(replace(campaign, zone="Europe/London"), WEEKLY, created) == created
    fewer = WEEKLY.model_copy(update={"without": (date(2026, 1, 12),)})
    assert {local.day for local, _ in left_over(campaign, fewer, created)} == {12}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"series_id": uuid4()}, "schedule_of_occurrence"),
        ({"status": Status.RUNNING}, "cannot_schedule"),
        ({"status": Status.SUSPENDED, "kind": CampaignKind.UNIQUE}, "cannot_schedule"),
        ({"snapshot_id": uuid4()}, "cannot_schedule"),
        ({"status": Status.CANCELLED}, "cannot_schedule"),
    ],
)
def test_a_schedule_is_not_set_on_what_is_under_way(changes: dict[str, object], code: str) -> None:
    campaign, _ = a_series()
    check_plannable(replace(campaign, status=Status.SUSPENDED))
    with pytest.raises(Refused) as refusal:
        check_plannable(replace(campaign, **changes))  # type: ignore[arg-type] # any field
    assert refusal.value.code == code
