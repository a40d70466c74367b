"""Starts: as many as may, by priority, in their hours; late ones ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from services.campaign.domain.campaigns import Campaign, HeldBack, edited
from services.campaign.domain.starts import (
    Window,
    awaits_start,
    confirmed,
    gives_work,
    is_missed,
    pick,
    takes_place,
)
from services.campaign.domain.waiting import waiting
from tests.unit.campaign.test_domain import a_campaign
from topics.campaign import CampaignPlan, Severity
from topics.campaign import CampaignStatus as Status
from topics.delivery import DeliveryCounts

NOW = datetime(2026, 8, 3, 12, tzinfo=UTC)
GRACE = timedelta(hours=1)
SERIES = UUID(int=5)


def due(number: int = 1, **changes: object) -> Campaign:
    made = replace(
        a_campaign(),
        number=number,
        status=Status.READY_TO_RUN,
        approved=True,
        start_at=NOW - timedelta(minutes=10),
        ready_at=NOW - timedelta(days=1),
    )
    return replace(made, **changes)  # type: ignore[arg-type] # any field


def picked(
    *campaigns: Campaign,
    free: int = 10,
    open_now: bool = False,
    resting: frozenset[UUID] = frozenset(),
) -> tuple[list[int], dict[int, HeldBack]]:
    found = pick(campaigns, free=free, open_now=open_now, resting=resting, now=NOW, grace=GRACE)
    return [one.number for one in found.started], {one.number: why for one, why in found.held}


def test_what_is_due_starts_by_priority_then_by_date_and_the_rest_is_queued() -> None:
    low, early = due(1, priority=9), due(2, start_at=NOW - timedelta(minutes=50))
    late, first = due(3), due(4, priority=1)
    queued = {1: HeldBack.QUEUED, 3: HeldBack.QUEUED}
    assert picked(low, early, late, first, free=2) == ([4, 2], queued)


def test_among_equal_priorities_the_more_critical_starts_first_then_the_older() -> None:
    normal = due(1, start_at=NOW - timedelta(minutes=59))
    critical, production = due(2, severity=Severity.CRITICAL), due(3, severity=Severity.PRODUCTION)
    older = replace(production, number=4, start_at=production.start_at - timedelta(minutes=1))
    urgent = due(5, priority=4)
    started, held = picked(normal, production, critical, older, urgent, free=4)
    assert (started, list(held)) == ([5, 2, 4, 3], [1])


def test_one_that_is_queued_already_is_not_told_so_again_and_never_becomes_missed() -> None:
    waited = due(1, held_back=HeldBack.QUEUED, start_at=NOW - timedelta(days=3))
    assert picked(waited, free=0) == ([], {})
    assert picked(waited, free=1) == ([1], {})


def test_a_start_later_than_the_grace_asks_instead() -> None:
    just = due(1, start_at=NOW - GRACE)
    over = due(2, start_at=NOW - GRACE - timedelta(seconds=1))
    assert picked(just, over) == ([1], {2: HeldBack.MISSED})


def test_a_unique_campaign_approved_after_its_date_starts_then_an_occurrence_asks() -> None:
    approved_late = due(start_at=NOW - timedelta(days=2), ready_at=NOW)
    assert not is_missed(approved_late, NOW, GRACE)
    assert is_missed(replace(approved_late, series_id=SERIES), NOW, GRACE)
    answered = confirmed(replace(approved_late, series_id=SERIES), NOW)
    assert not is_missed(answered, NOW + GRACE, GRACE)
    # One whose run was ended by an edit goes on: its date was kept.
    went = replace(approved_late, series_id=SERIES, started_at=NOW - timedelta(days=1))
    assert not is_missed(went, NOW, GRACE)


def test_a_new_date_is_a_new_start() -> None:
    missed = due(held_back=HeldBack.MISSED, confirmed=True)
    later = edited(missed, CampaignPlan(start_at=NOW + timedelta(days=1)), now=NOW)
    assert (later.held_back, later.confirmed) == (None, False)


def test_hours_of_low_activity_hold_back_those_that_wait_for_them_unless_confirmed() -> None:
    quiet = due(1, low_activity=True)
    assert picked(quiet, due(2)) == ([2], {1: HeldBack.WINDOW})
    assert picked(quiet, open_now=True) == ([1], {})
    assert picked(confirmed(quiet, NOW)) == ([1], {})


@pytest.mark.parametrize(
    ("opens", "closes", "shown", "is_open"),
    [
        ("22:00", "06:00", "23:00", True),
        ("22:00", "06:00", "05:59", True),
        ("22:00", "06:00", "06:00", False),
        ("22:00", "06:00", "12:00", False),
        ("12:00", "13:00", "12:00", True),
        ("00:00", "00:00", "12:00", True),
        ("00:00", "00:00", "00:00", True),
        ("12:00", "13:00", "13:00", False),
    ],
)
def test_a_window_may_pass_midnight(opens: str, closes: str, shown: str, is_open: bool) -> None:
    window = Window(time.fromisoformat(opens), time.fromisoformat(closes))
    paris = ZoneInfo("Europe/Paris")
    now = datetime.fromisoformat(f"2026-08-03T{shown}").replace(tzinfo=paris).astimezone(UTC)
    assert window.is_open(now, paris) is is_open


def test_occurrences_of_a_suspended_campaign_do_not_start_and_are_not_missed_meanwhile() -> None:
    resting = frozenset({SERIES})
    old = due(1, series_id=SERIES, start_at=NOW - timedelta(days=1))
    assert picked(old, due(2, series_id=uuid4()), resting=resting) == ([2], {1: HeldBack.SERIES})
    assert waiting(replace(old, held_back=HeldBack.SERIES), {}, now=NOW).code == "waits_series"


def test_what_is_held_back_sets_no_timer_that_would_be_due_at_once_for_ever() -> None:
    assert awaits_start(due())
    for why in HeldBack:
        assert not awaits_start(due(held_back=why))
    assert not awaits_start(due(auto_start=False))


def test_a_run_takes_a_place_until_its_recipients_and_actions_are_there() -> None:
    running = due(status=Status.RUNNING, template_id=uuid4())
    prepared = replace(running, delivery_prepared=True)
    assert not gives_work(running, replace(running, delivery_counts=DeliveryCounts(targeted=1)))
    assert gives_work(running, prepared)
    assert not gives_work(prepared, prepared)
    with_actions = replace(running, action_model_ids=(uuid4(),))
    half = replace(with_actions, delivery_prepared=True)
    assert not gives_work(with_actions, half)
    assert gives_work(half, replace(half, actions_completed=True))
    assert gives_work(running, replace(running, status=Status.ERROR))


def test_a_target_takes_a_place_while_it_is_frozen() -> None:
    freezing = due(status=Status.PROOF_GENERATING, approved=False, snapshot_id=uuid4())
    assert takes_place(freezing)
    assert gives_work(freezing, replace(freezing, snapshot_hash="frozen"))
    assert gives_work(freezing, replace(freezing, snapshot_id=None))
    assert not takes_place(replace(freezing, status=Status.CANCELLED))


def test_the_end_of_an_occurrence_may_be_the_end_of_its_series() -> None:
    prepared = due(status=Status.RUNNING, series_id=SERIES)
    assert gives_work(prepared, replace(prepared, status=Status.FINISHED))
    unique = replace(prepared, series_id=None)
    assert not gives_work(unique, replace(unique, status=Status.FINISHED))
