"""Local times and instants: gaps, folds, half hours, moved date lines, in zones that have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.domain.local_times import instant_of, known_zone, local_of
from shared.errors import Refused
from tests.unit.campaign.zones import ZONES, first_shown


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Paris", "2026-03-29T02:30", "2026-03-29T01:00"),  # skipped: at 03:00
        ("Europe/Paris", "2026-03-29T01:59", "2026-03-29T00:59"),
        ("Europe/Paris", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Paris", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first time
        ("Europe/Paris", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30"),  # half an hour skipped
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00"),  # midnight does not exist
        ("America/Santiago", "2026-09-06T00:15", "2026-09-06T04:00"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00"),  # a whole day does not exist
        ("Asia/Kathmandu", "2026-01-01T00:00", "2025-12-31T18:15"),
        ("UTC", "2026-03-29T02:30", "2026-03-29T02:30"),
    ],
)
def test_a_skipped_time_becomes_the_next_minute_and_a_doubled_one_the_first(
    zone: str, local: str, instant: str
) -> None:
    assert instant_of(datetime.fromisoformat(local), zone) == at(instant)


MINUTES = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1) + timedelta(minutes=minutes)  # noqa: DTZ001 - local
)


@given(st.sampled_from(ZONES), MINUTES)
def test_an_instant_is_the_first_at_which_the_clocks_show_the_time_or_a_later_one(
    zone: str, local: datetime
) -> None:
    assert instant_of(local, zone) == first_shown(zone, local)


@given(st.sampled_from(ZONES), MINUTES, st.integers(1, 2 * 24 * 60))
def test_a_later_local_time_is_never_an_earlier_instant(
    zone: str, local: datetime, minutes: int
) -> None:
    assert instant_of(local, zone) <= instant_of(local + timedelta(minutes=minutes), zone)


@given(st.sampled_from(sorted(available_timezones())))
def test_every_zone_there_is_has_its_rules(zone: str) -> None:
    moment = at("2026-07-01T12:00")
    shown = local_of(moment, zone).replace(second=0)
    assert abs(instant_of(shown, zone) - moment) < timedelta(minutes=1)


@pytest.mark.parametrize("name", ["Mars/Phobos", "../Europe/Paris", "", "/etc/passwd"])
def test_what_is_no_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        known_zone(name)
    assert (refusal.value.field, refusal.value.values["zone"]) == ("zone", name)
