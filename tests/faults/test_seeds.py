"""Drawn faults that together hit every crash point in every kind of work, then replays."""

from __future__ import annotations

import pytest

from tests.faults.checks import assert_holds
from tests.faults.draws import draw, not_hit
from tests.faults.replays import replay
from tests.faults.scenario import Stage

SEEDS = 20
FEW = (1, 3, 8)
EACH_ONCE = 14
"""So many seeds kill a service once at every place; those after them freeze it."""
pytestmark = pytest.mark.timeout(180)
in_session = pytest.mark.asyncio(loop_scope="session")


def test_the_seeds_aim_at_every_crash_point_in_every_kind_of_work() -> None:
    places = [draw(seed).place for seed in range(1, EACH_ONCE + 1)]
    assert not_hit((place.point, place.kind) for place in places) == []


@in_session
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed in FEW else pytest.mark.long)
        for seed in range(1, SEEDS + 1)
    ],
)
async def test_nothing_is_lost_or_doubled_when_a_service_fails(stage: Stage, seed: int) -> None:
    drawn = draw(seed)
    result = await stage.play(drawn)
    assert_holds(result.broken)
    # Each seed hits what it aims at, so together they hit it all.
    assert result.hits == ((drawn.place.point, str(drawn.place.kind)),)


@in_session
async def test_all_topics_read_again_change_nothing_and_send_nothing(stage: Stage) -> None:
    assert_holds(await replay(stage, forget=False))


@in_session
async def test_all_topics_read_again_with_emptied_inboxes_change_nothing_and_send_nothing(
    stage: Stage,
) -> None:
    assert_holds(await replay(stage, forget=True))
