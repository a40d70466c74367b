"""How long a failed message waits, and which key its order is kept for."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import Record
from shared.retries import backoff, key_of


@given(st.integers(0, 200), st.floats(0.01, 60), st.integers())
def test_the_wait_doubles_up_to_five_minutes_with_at_most_half_taken_off(
    attempts: int, base: float, seed: int
) -> None:
    wait = backoff(attempts, base_seconds=base, spread=random.Random(seed))
    ceiling = min(base * 2.0**attempts, 300.0)
    assert ceiling / 2 <= wait <= ceiling


def test_waits_of_one_failure_are_spread() -> None:
    spread = random.Random(1)
    waits = {backoff(3, base_seconds=1, spread=spread) for _ in range(50)}
    assert len(waits) == 50


def test_a_record_without_a_key_stands_alone() -> None:
    first = Record("a.b.v1", 2, 7, None, [], b"")
    second = Record("a.b.v1", 2, 8, None, [], b"")
    assert key_of(first) != key_of(second)
    assert key_of(Record("a.b.v1", 2, 9, "k", [], b"")) == "k"
