"""Indicators: each formula over small tables, and nothing to divide by."""

from __future__ import annotations

from typing import Any

import pytest

from services.delivery.domain.indicators import Counted, estimated_opens, indicators, ratio
from topics.delivery import Outcome

SENT, FAILED, IGNORED = Outcome.SENT, Outcome.FAILED, Outcome.IGNORED
ROWS = {
    (SENT, ""): 80,
    (Outcome.PENDING, ""): 5,
    (Outcome.AMBIGUOUS, ""): 1,
    (FAILED, "user_unknown"): 3,
    (FAILED, "mailbox_full"): 2,
    (FAILED, "refused_by_server"): 1,
    (FAILED, "deferred_too_long"): 1,
    (FAILED, "denylisted"): 1,
    (FAILED, "personalisation"): 1,
    (IGNORED, "double"): 4,
    (IGNORED, "opted_out"): 6,
    (IGNORED, "no_address"): 2,
    (IGNORED, "stopped"): 7,
}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("total_target", 114),
        ("rejected", 12),
        ("to_deliver", 102),
        ("processed", 95),
        ("success", 80),
        ("hard_bounces", 3),
        ("soft_bounces", 4),
        ("complaints", 3),
        ("opens", 40),
        ("estimated_opens", 40),
        ("clicks", 10),
        ("clicks_total", 25),
        ("click_persons", 13),
        ("forwards", 3),
        ("reactivity", 0.25),
        ("estimated_reactivity", 0.25),
        ("opt_outs", 2),
        ("mirror_pages", 6),
        ("transactions", 1),
        ("amount_minor", 4990),
        ("new_quarantines", 3),
    ],
)
def test_a_formula(name: str, wanted: Any) -> None:
    counted = Counted(
        rows=ROWS,
        opens=40,
        clicks=10,
        clicks_total=25,
        click_persons=13,
        opt_outs=2,
        mirror_pages=6,
        transactions=1,
        amount_minor=4990,
        complaints=2,
        new_quarantines=3,
    )
    assert getattr(indicators(counted), name) == wanted


@pytest.mark.parametrize(
    ("opens", "to_deliver", "text_only", "wanted"),
    [
        (0, 0, 0, 0),
        (10, 100, 100, 0),
        (10, 100, 0, 10),
        (10, 100, 50, 20),
        (1, 3, 1, 2),
        (1, 4, 1, 1),
        (5, 10, 6, 13),
    ],
)
def test_opens_are_estimated_for_those_with_text_only(
    opens: int, to_deliver: int, text_only: int, wanted: int
) -> None:
    assert estimated_opens(opens, to_deliver, text_only) == wanted


def test_of_nothing_there_are_no_rates() -> None:
    found = indicators(Counted())
    assert (found.reactivity, found.estimated_reactivity) == (None, None)
    assert (found.to_deliver, found.processed, found.estimated_opens) == (0, 0, 0)
    assert ratio(3, 0) is None


def test_clicks_without_an_open_have_no_rate() -> None:
    found = indicators(Counted(rows=ROWS, clicks=4))
    assert (found.clicks, found.reactivity) == (4, None)
