"""Control groups: exactly as many as asked, the same for the same seed, never everybody."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.targeting.control import draw, size_of
from shared.errors import Refused
from topics.targeting import ControlGroup, ControlMethod, ControlUnit


def group(size: int, unit: ControlUnit = ControlUnit.MEMBERS, **more: object) -> ControlGroup:
    fields = {"method": ControlMethod.RANDOM, "seed": "s", **more}
    return ControlGroup.model_validate({**fields, "unit": unit, "size": size})


def taken(asked: ControlGroup | None, total: int) -> list[int]:
    drawing = draw(asked, total)
    return [member for member in range(total) if drawing.takes(UUID(int=member))]


@given(st.integers(2, 500), st.data(), st.text(max_size=20))
def test_exactly_as_many_are_taken_as_asked_and_a_seed_draws_the_same_again(
    total: int, data: st.DataObject, seed: str
) -> None:
    asked = group(data.draw(st.integers(1, total - 1)), seed=seed)
    assert len(taken(asked, total)) == asked.size
    assert taken(asked, total) == taken(asked, total)


@pytest.mark.parametrize(
    ("size", "total", "expected"), [(10, 100, 10), (10, 99, 9), (10, 5, 0), (99, 100, 99)]
)
def test_per_cent_are_of_the_members_rounded_down(size: int, total: int, expected: int) -> None:
    assert size_of(group(size, ControlUnit.PERCENT), total) == expected


def test_the_first_are_the_first_and_none_is_nobody() -> None:
    assert taken(group(3, method=ControlMethod.FIRST), 9) == [0, 1, 2]
    assert taken(group(3, method=ControlMethod.NONE), 9) == []
    assert taken(None, 9) == []


def test_every_member_is_as_likely_as_any_other() -> None:
    seen = Counter(member for seed in range(2000) for member in taken(group(2, seed=str(seed)), 10))
    assert set(seen) == set(range(10))
    assert all(300 < count < 500 for count in seen.values())  # 400 expected; the seeds are fixed


@pytest.mark.parametrize("size", [5, 6])
def test_a_group_that_leaves_nobody_is_refused(size: int) -> None:
    with pytest.raises(Refused) as refusal:
        draw(group(size), 5)
    assert refusal.value.field == "control_group"
