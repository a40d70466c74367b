"""Drawn faults that together hit every crash point of the engine in every kind of its work.

A run takes up to half a minute: `make test` plays a few of them, `make faults` all.
"""

from __future__ import annotations

import pytest

from tests.faults.checks import assert_holds
from tests.faults.delivery.conftest import Program
from tests.faults.delivery.draws import PLACES, draw, not_hit
from tests.faults.delivery.lanes import overall

FEW = range(1, len(PLACES) + 1, 14)
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


@pytest.mark.parametrize(
    "engine_seed",
    [
        pytest.param(seed, marks=() if seed in FEW else pytest.mark.long)
        for seed in range(1, len(PLACES) + 1)
    ],
)
async def test_nothing_is_lost_or_doubled_when_the_engine_fails(
    program: Program, engine_seed: int
) -> None:
    result = await program.results[engine_seed]
    assert_holds(result.broken)
    assert [list(hit) for hit in result.hits] == [
        [strike.point, str(strike.kind)] for strike in draw(engine_seed).strikes
    ]


@pytest.mark.long
async def test_the_seeds_hit_every_crash_point_of_the_engine(program: Program) -> None:
    if len(program.results) < len(PLACES):
        pytest.skip(f"only {len(program.results)} of {len(PLACES)} seeds were played")
    hits = [hit for future in program.results.values() for hit in (await future).hits]
    assert not_hit(hits) == []


async def test_all_that_was_published_was_handled_once(program: Program) -> None:
    for future in program.results.values():
        await future
    for lane in program.lanes:
        assert_holds(await overall(lane))
