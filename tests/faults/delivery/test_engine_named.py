"""Faults of the engine with a name; those of servers have the whole system's tests, and a command's
runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.checks import assert_holds
from tests.faults.delivery.lanes import Lane
from tests.faults.delivery.named import SCENARIOS, Scenario, rebalancing

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
FEW = 5
OWN = {name: one for name, one in SCENARIOS.items() if not one.servers} | {
    "rebalances": replace(SCENARIOS["rebalances"], also=rebalancing(FEW)),
}


@pytest.mark.parametrize("scenario", OWN.values(), ids=OWN)
async def test_the_engine_comes_through(one_lane: Lane, scenario: Scenario) -> None:
    assert_holds((await scenario.play(one_lane)).broken)
