"""When a service is late and why a workflow's work waits, without rows or streams."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.workflows.domain import Beat, Held, fold, held, late_since, latest
from topics.workflows import WorkflowHeartbeat, WorkflowStatus

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def a_heartbeat(seconds: float = 0, *, instance: str = "one") -> WorkflowHeartbeat:
    return WorkflowHeartbeat(
        service="delivery",
        instance=instance,
        names=("deliveryMgt",),
        interval_seconds=10,
        at=NOW + timedelta(seconds=seconds),
    )


def test_a_newer_heartbeat_of_any_replica_is_the_last_beat() -> None:
    beat = fold(fold(None, a_heartbeat()), a_heartbeat(5, instance="two"))
    assert (beat.at, beat.instance, beat.beats) == (NOW + timedelta(seconds=5), "two", 2)


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_heartbeat_that_is_not_newer_changes_nothing(seconds: float) -> None:
    known = fold(None, a_heartbeat())
    assert fold(known, a_heartbeat(seconds, instance="two")) is known


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (20, False), (20.001, True)])
def test_a_service_is_late_after_more_than_two_intervals(seconds: float, late: bool) -> None:
    since = late_since(NOW, 10, NOW + timedelta(seconds=seconds))
    assert since == (NOW + timedelta(seconds=20) if late else None)


@pytest.mark.parametrize(
    ("status", "late", "why"),
    [
        (WorkflowStatus.STARTED, False, None),
        (WorkflowStatus.STARTED, True, Held.LATE),
        (WorkflowStatus.STOPPED, True, Held.STOPPED),
        (WorkflowStatus.PAUSED, False, Held.PAUSED),
        (WorkflowStatus.FAILED, False, Held.FAILED),
    ],
)
def test_work_waits_for_a_workflow_that_is_not_started_or_late(
    status: WorkflowStatus, late: bool, why: Held | None
) -> None:
    assert held(status, late=late) is why


def test_of_two_sources_the_newer_beat_is_known() -> None:
    old = Beat("delivery", "one", (), 10, NOW)
    new = Beat("delivery", "two", (), 10, NOW + timedelta(seconds=1))
    assert latest([new, old]) == latest([old, new]) == {"delivery": new}
