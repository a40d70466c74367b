"""Schedules: which dates they have, over three years, in twelve zones; what is refused."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.domain.local_times import local_of
from services.campaign.domain.schedules import checked, lines
from shared.errors import Refused
from tests.unit.campaign.zones import ZONES, first_shown
from topics.schedules import Frequency, Recurrence, Schedule, ScheduleLine

START = datetime(2026, 1, 5, 8, tzinfo=UTC)  # a Monday
YEARS = timedelta(days=3 * 365)
EACH_HOUR = [f"{hour:02}:00" for hour in range(24)]
DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


def dates(
    schedule: Schedule, zone: str = "UTC", start: datetime = START, length: timedelta = YEARS
) -> list[str]:
    found = lines(schedule, zone=zone, start_at=start, end_at=start + length)
    return [line.local.isoformat(timespec="minutes") for line in found]


def rule(frequency: str, **more: object) -> Schedule:
    times = more.pop("times", ())
    made = Recurrence.model_validate({"frequency": frequency, **more})
    return Schedule.model_validate({"recurrence": made, "times": times})


def test_without_times_the_start_s_time_of_day_counts_in_the_campaign_s_zone() -> None:
    assert dates(rule("daily", count=2), "Europe/Paris") == ["2026-01-05T09:00", "2026-01-06T09:00"]


def test_a_weekly_rule_without_weekdays_falls_on_the_start_s_own() -> None:
    assert dates(rule("weekly", interval=2, count=3)) == [
        "2026-01-05T08:00",
        "2026-01-19T08:00",
        "2026-02-02T08:00",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (rule("weekly", weekdays=["th", "mo"], count=3), ["01-05", "01-08", "01-12"]),
        (rule("monthly", weekdays=["1mo", "-1fr"], count=4), ["01-05", "01-30", "02-02", "02-27"]),
        (rule("monthly", month_days=[-1], count=3), ["01-31", "02-28", "03-31"]),
        (rule("monthly", month_days=[31], count=3), ["01-31", "03-31", "05-31"]),
        (rule("daily", interval=30, count=3), ["01-05", "02-04", "03-06"]),
    ],
)
def test_rules_fall_on_the_days_people_mean(schedule: Schedule, expected: list[str]) -> None:
    assert dates(schedule) == [f"2026-{day}T08:00" for day in expected]


def test_a_yearly_rule_from_29_february_falls_on_leap_years_only() -> None:
    start = datetime(2024, 2, 29, 9, tzinfo=UTC)
    assert dates(rule("yearly"), start=start, length=timedelta(days=3000)) == [
        "2024-02-29T09:00",
        "2028-02-29T09:00",
        "2032-02-29T09:00",
    ]


def test_times_before_the_start_on_its_first_day_are_past_and_are_not_counted() -> None:
    schedule = rule("daily", times=["14:00", "07:30"], count=3)
    assert dates(schedule) == ["2026-01-05T14:00", "2026-01-06T07:30", "2026-01-06T14:00"]


def test_single_lines_stand_beside_the_rule_and_give_its_dates_flags_of_their_own() -> None:
    schedule = Schedule(
        recurrence=Recurrence(frequency=Frequency.WEEKLY, count=2),
        lines=(
            ScheduleLine(at="2026-01-12T08:00", to_be_started=False),
            ScheduleLine(at="2026-01-07T10:00", to_be_approved=False),
        ),
    )
    found = list(lines(schedule, zone="UTC", start_at=START, end_at=START + YEARS))
    assert [(line.local.day, line.to_be_approved, line.to_be_started) for line in found] == [
        (5, True, True),
        (7, False, True),
        (12, True, False),
    ]


def test_nothing_falls_on_the_days_left_out_and_they_are_counted() -> None:
    schedule = rule("daily", count=3).model_copy(update={"without": (date(2026, 1, 6),)})
    assert dates(schedule) == ["2026-01-05T08:00", "2026-01-07T08:00"]


def test_nothing_lies_before_the_start_or_after_the_end() -> None:
    schedule = Schedule(
        lines=(
            ScheduleLine(at="2026-01-05T07:59"),
            ScheduleLine(at="2026-01-05T08:00"),
            ScheduleLine(at="2026-01-06T08:00"),
            ScheduleLine(at="2026-01-06T08:01"),
        )
    )
    assert dates(schedule, length=timedelta(days=1)) == ["2026-01-05T08:00", "2026-01-06T08:00"]


def test_two_dates_in_one_skipped_hour_stay_two_at_one_instant() -> None:
    schedule = Schedule(
        lines=(ScheduleLine(at="2026-03-29T02:15"), ScheduleLine(at="2026-03-29T02:45"))
    )
    found = list(lines(schedule, zone="Europe/Paris", start_at=START, end_at=START + YEARS))
    assert len({line.local for line in found}) == 2
    assert {line.at for line in found} == {datetime(2026, 3, 29, 1, tzinfo=UTC)}


@given(
    zone=st.sampled_from(ZONES),
    start_minutes=st.integers(0, 366 * 24 * 60),
    interval=st.integers(1, 5),
    weekdays=st.sets(st.sampled_from(DAYS)),
    times=st.sets(st.times(time(0), time(23, 59)).map(lambda t: t.strftime("%H:%M")), max_size=3),
    cut=st.floats(0, 1),
)
def test_three_years_of_a_weekly_rule_are_the_set_a_plain_walk_over_the_days_finds(
    zone: str,
    start_minutes: int,
    interval: int,
    weekdays: set[str],
    times: set[str],
    cut: float,
) -> None:
    start = START + timedelta(minutes=start_minutes)
    schedule = rule("weekly", interval=interval, weekdays=sorted(weekdays), times=sorted(times))
    found = list(lines(schedule, zone=zone, start_at=start, end_at=start + YEARS))
    first = local_of(start, zone)
    chosen = {DAYS.index(day) for day in weekdays} or {first.weekday()}
    monday = first.date() - timedelta(days=first.weekday())
    expected = []
    for step in range(YEARS.days + 8):
        day = first.date() + timedelta(days=step)
        if day.weekday() in chosen and (day - monday).days // 7 % interval == 0:
            for text in sorted(times or {first.strftime("%H:%M")}):
                local = datetime.combine(day, time.fromisoformat(text))
                if first <= local <= local_of(start + YEARS, zone):
                    expected.append(local)
    assert [line.local for line in found] == expected
    # Looking on from anywhere finds the rest, neither a date twice nor one left out.
    if found:
        seen = found[int(cut * (len(found) - 1))].local
        rest = lines(schedule, zone=zone, start_at=start, end_at=start + YEARS, after=seen)
        assert [line.local for line in rest] == [local for local in expected if local > seen]


@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(1, 31),
    interval=st.integers(1, 3),
    minute=st.integers(0, 24 * 60 - 1),
)
def test_three_years_of_a_monthly_rule_start_when_the_zone_s_clocks_first_show_its_times(
    zone: str, day: int, interval: int, minute: int
) -> None:
    text = f"{minute // 60:02}:{minute % 60:02}"
    schedule = rule("monthly", interval=interval, month_days=[day], times=[text])
    found = list(lines(schedule, zone=zone, start_at=START, end_at=START + YEARS))
    expected = []
    for months in range(0, 37, interval):
        year, month = 2026 + months // 12, months % 12 + 1
        if day <= calendar.monthrange(year, month)[1]:
            local = datetime.combine(date(year, month, day), time.fromisoformat(text))
            at = first_shown(zone, local)
            if local >= local_of(START, zone) and at <= START + YEARS:
                expected.append((local, at))
    assert [(line.local, line.at) for line in found] == expected


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Schedule(), "schedule"),
        (Schedule(lines=(ScheduleLine(at="2020-01-01T00:00"),)), "schedule"),
        (Schedule(lines=(ScheduleLine(at="2026-02-30T09:00"),)), "schedule.lines"),
        (rule("daily", weekdays=["mo"]), "schedule.recurrence.weekdays"),
        (rule("weekly", weekdays=["1mo"]), "schedule.recurrence.weekdays"),
        (rule("weekly", month_days=[1]), "schedule.recurrence.month_days"),
        (rule("monthly", month_days=[1], weekdays=["mo"]), "schedule.recurrence.month_days"),
        (rule("monthly", month_days=[0]), "schedule.recurrence.month_days"),
        (rule("monthly", month_days=[32]), "schedule.recurrence.month_days"),
        (rule("daily", times=EACH_HOUR), "schedule.create_ahead_days"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused_and_says_where(
    schedule: Schedule, field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        checked(schedule, zone="UTC", start_at=START, end_at=START + YEARS)
    assert refusal.value.field == field


def test_a_day_that_no_month_of_the_rule_has_is_refused_instead_of_looked_for_for_ever() -> None:
    schedule = rule("monthly", interval=12, month_days=[30])
    with pytest.raises(Refused, match="have 30, which the months of this rule lack"):
        checked(
            schedule,
            zone="UTC",
            start_at=datetime(2026, 2, 1, tzinfo=UTC),
            end_at=datetime(2030, 1, 1, tzinfo=UTC),
        )


def test_a_schedule_for_ever_is_refused_and_dates_at_the_ends_of_time_are_left_out() -> None:
    daily = rule("daily")
    ends = {
        "start_at": datetime.min.replace(tzinfo=UTC),
        "end_at": datetime.max.replace(tzinfo=UTC),
    }
    with pytest.raises(Refused, match="20 years at most"):
        checked(daily, zone="UTC", **ends)
    assert next(lines(daily, zone="UTC", **ends)).local.year == 1900


def test_a_schedule_that_can_be_followed_is_left_as_it_is() -> None:
    schedule = rule("monthly", month_days=[31, -1])
    assert checked(schedule, zone="UTC", start_at=START, end_at=START + YEARS) is schedule
