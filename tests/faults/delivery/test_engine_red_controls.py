"""Each of the engine's protections switched off: the same run turns red and names its invariant.

Two lanes play the same run at once, one of them with processes that lack the protection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.driving import Spawn
from tests.faults.checks import assert_holds
from tests.faults.child import WITHOUT_VARIABLE
from tests.faults.delivery.draws import Draw, Strike
from tests.faults.delivery.lanes import Lane, lane
from tests.faults.delivery.playing import PATIENCE_SECONDS, Playing, play
from tests.faults.delivery.protections import WITHOUT
from tests.faults.delivery.receiver import Manners
from tests.faults.kinds import Kind
from tests.faults.test_red_controls import names
from tests.servers import Servers

pytestmark = [
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
]
TRIES = 3
# One slice of fifty, and a server that takes its time: whoever has the slice is still at it.
SLOW = Manners(delay_seconds=0.05)
# A slice outlasts the grace after an opt-out or a pause.
VERY_SLOW = Manners(delay_seconds=0.2)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare_lane(
    servers: Servers, spawning: Spawn, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lane]:
    """A lane whose rows are broken on purpose."""
    async with lane(servers, tmp_path_factory.mktemp("bare"), spawning) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Control:
    """A protection, the run that needs it, and the invariant that is broken without it."""

    without: str
    drawn: Draw
    breaks: str
    pause_seconds: float = 0.0
    patience_seconds: float = PATIENCE_SECONDS


def a_run(*strikes: Strike, manners: Manners = SLOW, people: int = 50, **more: int | bool) -> Draw:
    return Draw(
        seed=1,
        strikes=strikes,
        manners=manners,
        people=people,
        singles=0,
        window=5,
        title="red control",
        **more,  # type: ignore[arg-type]  # what Draw has
    )


CALLED = Strike("kill", "sender.before_results", Kind.SLICE, 2)
OPENED = Strike("kill", "sender.window_open", Kind.SLICE, 2)
CONTROLS = (
    Control("window before the call", a_run(CALLED), "I3"),
    Control("only what was never called goes again", a_run(CALLED), "I3"),
    Control("rows, not a cursor", a_run(OPENED), "I2", patience_seconds=10),
    Control(
        "consent read again",
        a_run(manners=VERY_SLOW, people=60, opt_outs=60),
        "I5",
    ),
    Control(
        "pause read again",
        a_run(manners=VERY_SLOW, people=60),
        "I5",
        pause_seconds=5,
    ),
)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.without)
async def test_without_a_protection_its_invariant_is_broken(
    one_lane: Lane, bare_lane: Lane, control: Control
) -> None:
    async def pausing(playing: Playing) -> None:
        if control.pause_seconds:
            await playing.pause(control.pause_seconds)

    async def without() -> set[str]:
        # Who is quicker is luck: what a protection forbids need not happen at the first try.
        for _ in range(TRIES):
            result = await play(
                bare_lane,
                control.drawn,
                also=pausing,
                patience_seconds=control.patience_seconds,
                environment={WITHOUT_VARIABLE: control.without},
            )
            if result.broken:
                break
        return names(result.broken)

    protected, broken = await asyncio.gather(play(one_lane, control.drawn, also=pausing), without())
    assert_holds(protected.broken)
    assert broken == {control.breaks}


async def test_every_protection_has_its_control() -> None:
    assert {control.without for control in CONTROLS} == set(WITHOUT)
