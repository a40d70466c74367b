"""What an outside event may become, decided without rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from uuid import uuid4

import pytest

from services.events_status.domain import (
    ALLOWED,
    IllegalMove,
    Told,
    Tracked,
    copy_outcomes,
    move,
)
from topics.delivery import Outcome
from topics.events import EventStatus

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def an_event(status: EventStatus | None = EventStatus.PENDING_DELIVERY) -> Tracked:
    return Tracked(uuid4(), "order.confirmed", None, NOW, status, 2)


def told(event: Tracked, outcome: Outcome, *, minutes: int = 0, reason: str = "") -> Told:
    return Told(event.event_id, outcome, reason, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(("before", "after"), [*product([None, *EventStatus], EventStatus)])
def test_a_status_follows_another_only_when_the_table_says_so(
    before: EventStatus | None, after: EventStatus
) -> None:
    event = an_event(before)
    if after in ALLOWED[before]:
        changed = move(event, after, at=NOW)
        assert (changed.before, changed.event.status, changed.event.version) == (before, after, 3)
    else:
        with pytest.raises(IllegalMove):
            move(event, after, at=NOW)


def test_every_status_has_its_line_in_the_table() -> None:
    assert set(ALLOWED) == {None, *EventStatus}


def test_an_event_that_is_not_covered_is_never_tried_again() -> None:
    assert not ALLOWED[EventStatus.NOT_COVERED]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SENT, EventStatus.SENT),
        (Outcome.IGNORED, EventStatus.IGNORED),
        (Outcome.FAILED, EventStatus.DELIVERY_ERROR),
    ],
)
def test_a_final_outcome_is_copied_with_its_reason(outcome: Outcome, status: EventStatus) -> None:
    event = an_event()
    (copied,) = copy_outcomes(event, [told(event, outcome, reason="why")], now=NOW)
    assert (copied.after, copied.reason) == (status, "why")


@pytest.mark.parametrize("outcome", [Outcome.PENDING, Outcome.AMBIGUOUS])
def test_an_outcome_that_is_not_final_changes_nothing(outcome: Outcome) -> None:
    event = an_event()
    assert copy_outcomes(event, [told(event, outcome)], now=NOW) == []


def test_a_late_bounce_turns_sent_into_a_delivery_error_in_whatever_order_they_are_read() -> None:
    event = an_event()
    said = [told(event, Outcome.FAILED, minutes=5), told(event, Outcome.SENT)]
    moves = copy_outcomes(event, said, now=NOW)
    assert [one.after for one in moves] == [EventStatus.SENT, EventStatus.DELIVERY_ERROR]
    assert [one.event.version for one in moves] == [3, 4]
    assert all(later.before is earlier.after for earlier, later in pairwise(moves))


def test_an_outcome_after_the_end_changes_nothing() -> None:
    event = an_event(EventStatus.DELIVERY_ERROR)
    assert copy_outcomes(event, [told(event, Outcome.SENT)], now=NOW) == []
