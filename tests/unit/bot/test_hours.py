"""When people are reminded: in their own working hours, after their quiet, and never too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.acquaintance import _language, _quiet_until
from bot.hours import WorkingHours, when_to_remind
from bot.roster import zone_of
from tests.unit.bot.samples import PARIS

HOURS = WorkingHours()
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Asia/Tehran"]


def at(text: str) -> datetime:
    """Return a local time of Paris."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ("2026-11-30T09:00", "2026-11-30T09:00"),
        ("2026-11-30T17:59", "2026-11-30T17:59"),
        ("2026-11-30T18:00", "2026-12-01T09:00"),
        ("2026-11-30T03:00", "2026-11-30T09:00"),
        # Friday evening and Saturday wait for Monday.
        ("2026-11-27T20:00", "2026-11-30T09:00"),
        ("2026-11-28T11:00", "2026-11-30T09:00"),
        # The clocks change in between: nine o'clock is nine o'clock.
        ("2026-03-27T20:00", "2026-03-30T09:00"),
        ("2026-10-23T20:00", "2026-10-26T09:00"),
    ],
)
def test_nights_and_days_off_are_waited_for(now: str, wanted: str) -> None:
    assert HOURS.next_in(at(now), PARIS) == at(wanted)


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: YEAR + timedelta(minutes=minutes)),
    st.sampled_from(ZONES),
)
def test_the_next_moment_is_never_past_and_always_within_the_hours(
    now: datetime, zone: str
) -> None:
    found = HOURS.next_in(now, ZoneInfo(zone))
    assert now <= found <= now + timedelta(days=4)
    here = found.astimezone(ZoneInfo(zone))
    assert 9 <= here.hour < 18
    assert here.isoweekday() <= 5
    assert HOURS.next_in(found, ZoneInfo(zone)) == found


@pytest.mark.parametrize(
    ("now", "quiet_until", "deadline", "wanted"),
    [
        ("2026-11-30T10:00", "2026-11-30T10:00", "2026-12-03T10:00", "2026-11-30T10:00"),
        ("2026-11-30T10:00", "2026-11-30T11:30", "2026-12-03T10:00", "2026-11-30T11:30"),
        ("2026-11-30T10:00", "2026-11-30T20:00", "2026-12-03T10:00", "2026-12-01T09:00"),
        # No working hour is left before the deadline: at once.
        ("2026-11-28T10:00", "2026-11-28T10:00", "2026-11-29T10:00", "2026-11-28T10:00"),
        ("2026-11-30T10:00", "2026-11-30T17:00", "2026-11-30T16:00", "2026-11-30T10:00"),
    ],
)
def test_quiet_is_respected_while_an_answer_can_still_be_in_time(
    now: str, quiet_until: str, deadline: str, wanted: str
) -> None:
    found = when_to_remind(
        at(now), zone=PARIS, hours=HOURS, quiet_until=at(quiet_until), deadline=at(deadline)
    )
    assert found == at(wanted)


def test_somebody_may_work_at_all_hours_or_at_weekends() -> None:
    always = WorkingHours.read("0-24", "1-7")
    assert always.next_in(at("2026-11-28T03:00"), PARIS) == at("2026-11-28T03:00")
    weekend = WorkingHours.read("8-12", "6-7")
    assert weekend.next_in(at("2026-11-30T10:00"), PARIS) == at("2026-12-05T08:00")


@pytest.mark.parametrize(
    ("hours", "days"),
    [("9-25", "1-5"), ("18-9", "1-5"), ("9-9", "1-5"), ("9", "1-5"), ("9-18", "0-5"), ("", "1-5")],
)
def test_hours_that_are_none_are_refused_with_what_would_be(hours: str, days: str) -> None:
    with pytest.raises(ValueError, match=r"no range within|no hour"):
        WorkingHours.read(hours, days)


def test_a_zone_this_machine_does_not_know_is_the_instances() -> None:
    assert zone_of("Europe/London", PARIS).key == "Europe/London"
    for strange in ("", "Middle/Earth", "../etc/passwd"):
        assert zone_of(strange, PARIS) is PARIS


@pytest.mark.parametrize(
    ("locale", "language"),
    [("fr-FR", "fr"), ("fr-CA", "fr"), ("en-GB", "en"), ("de-DE", None), ("", None)],
)
def test_a_slack_locale_is_one_of_our_languages_or_none(locale: str, language: str | None) -> None:
    assert _language(locale) == language


def test_a_snooze_and_quiet_hours_end_when_slack_says() -> None:
    now = datetime(2026, 11, 30, 10, tzinfo=UTC)
    soon, late = int(now.timestamp()) + 600, int(now.timestamp()) + 7200
    snoozed: dict[str, object] = {"snooze_enabled": True, "snooze_endtime": soon}
    assert _quiet_until(snoozed, now) == now + timedelta(minutes=10)
    night: dict[str, object] = {
        "dnd_enabled": True,
        "next_dnd_start_ts": int(now.timestamp()) - 60,
        "next_dnd_end_ts": late,
    }
    assert _quiet_until(snoozed | night, now) == now + timedelta(hours=2)
    later_night = night | {"next_dnd_start_ts": soon}
    assert _quiet_until(later_night, now) is None
    assert _quiet_until({"dnd_enabled": False, "next_dnd_end_ts": late}, now) is None
    assert _quiet_until({"snooze_enabled": True, "snooze_endtime": None}, now) is None
