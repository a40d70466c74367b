"""Each accepted event has one end, and nobody gets two mails, wherever a process dies.

`make test` plays a few seeds, `make faults` one for each place; those that restart a server, which
other tests may share, are of `make faults EVENTS=200`.
"""

from __future__ import annotations

import pytest

from tests.faults.checks import assert_holds
from tests.faults.events.center import Center
from tests.faults.events.draws import PLACES, draw, not_hit
from tests.faults.events.playing import play

FEW = (2,)
pytestmark = pytest.mark.timeout(240)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed in FEW else pytest.mark.long)
        for seed, place in enumerate(PLACES, start=1)
        if place.service
    ],
)
async def test_each_event_ends_once_when_a_process_dies(made: Center, seed: int) -> None:
    drawn = draw(seed)
    result = await play(made, drawn)
    assert_holds(result.broken)
    assert result.hits == ((drawn.place.point, str(drawn.place.kind)),)


def test_the_seeds_aim_at_every_place() -> None:
    assert not_hit(draw(seed).name for seed in range(1, len(PLACES) + 1)) == []
