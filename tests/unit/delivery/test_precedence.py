"""How long campaigns wait for single messages that are late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.delivery.domain.runs import RunKind
from services.delivery.precedence import FRESH_SECONDS, LONGEST_SECONDS, TIMES, Precedence
from services.delivery.store.sending import Claimed

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def due(seconds_ago: float, *, batch: bool = False) -> Claimed:
    run_id = uuid4()
    next_at = NOW - timedelta(seconds=seconds_ago)
    return Claimed(
        run_id, run_id, "k", "a@b.example", {}, 1, RunKind.TRANSACTIONAL, "h", None, "", "", NOW,
        next_at=next_at, batch=batch,
    )  # fmt: skip


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("late", "wait"), [((0.01, 0.02), 0.0), ((0.01, 0.1), 0.1 * TIMES), ((5.0,), LONGEST_SECONDS)]
)
def test_a_campaign_waits_longer_the_later_the_oldest_message_is(
    late: tuple[float, ...], wait: float
) -> None:
    precedence = Precedence(Seconds())
    precedence.note([due(one) for one in late], NOW)
    assert precedence.wait_seconds() == pytest.approx(wait)


def test_no_campaign_waits_for_messages_of_batch_events() -> None:
    precedence = Precedence(Seconds())
    precedence.note([due(60.0, batch=True), due(0.01)], NOW)
    assert precedence.wait_seconds() == 0.0
    precedence.note([due(60.0, batch=True), due(0.1)], NOW)
    assert precedence.wait_seconds() == pytest.approx(0.1 * TIMES)


def test_nothing_waits_before_a_message_was_claimed_or_when_none_comes_any_more() -> None:
    seconds = Seconds()
    precedence = Precedence(seconds)
    assert precedence.wait_seconds() == 0.0
    precedence.note([due(0.5)], NOW)
    precedence.note([], NOW)
    assert precedence.wait_seconds() == LONGEST_SECONDS
    seconds.now += FRESH_SECONDS + 0.01
    assert precedence.wait_seconds() == 0.0
