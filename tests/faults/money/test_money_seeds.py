"""Ledgers add up, nothing is negative and nothing happens twice, wherever budget or stock dies.

`make test` plays a few seeds, `make faults` one for each place, and as many as are asked for.
"""

from __future__ import annotations

import pytest

from tests.faults.checks import assert_holds
from tests.faults.money.draws import PLACES, draw, not_hit
from tests.faults.money.house import House
from tests.faults.money.playing import play

FEW = (1,)
pytestmark = pytest.mark.timeout(240)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed in FEW else pytest.mark.long)
        for seed in range(1, len(PLACES) + 1)
    ],
)
async def test_money_and_goods_add_up_when_a_service_dies(made: House, seed: int) -> None:
    result = await play(made, draw(seed))
    assert_holds(result.broken)
    assert len(result.hits) == 1


def test_the_seeds_aim_at_every_place() -> None:
    assert not_hit(draw(seed).place.name for seed in range(1, len(PLACES) + 1)) == []
