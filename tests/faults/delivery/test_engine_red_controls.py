"""Each of the engine's protections switched off: the same run turns red and names its invariant.

Two lanes play the same run at once, one of them with processes that lack the protection. The order
of events that a protection stands against is forced, so each is played once:

- A sender dies behind a mail that the server has taken, whose result is not written: it is in the
  open window. Or it dies with a window open of which nothing was called. A crash point is a place
  in the code, so it is the same one on any machine.
- An opt-out, or a pause, comes while the server holds up every mail before its content. They go on
  once the rows have it and the grace is over, so the call that begins next is too late or none is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.driving import Spawn
from tests.faults.checks import assert_holds
from tests.faults.child import WITHOUT_VARIABLE
from tests.faults.delivery.asked import PATIENCE_SECONDS
from tests.faults.delivery.draws import Draw, Strike
from tests.faults.delivery.judging import GRACE_SECONDS
from tests.faults.delivery.lanes import Lane, lane
from tests.faults.delivery.playing import Also, Playing, play
from tests.faults.delivery.protections import WITHOUT
from tests.faults.delivery.receiver import Manners
from tests.faults.kinds import Kind
from tests.faults.switches import names
from tests.servers import Servers
from tests.waiting import eventually

pytestmark = [
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
]
WINDOW = 5
HELD_AFTER = 2 * WINDOW
# What is held up keeps its lease and its connection: nothing is given up meanwhile.
PATIENT = {"SENDER_LEASE_SECONDS": "60", "SMTP_TIMEOUT_SECONDS": "60"}


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
    also: Also | None = None
    patience_seconds: float = PATIENCE_SECONDS

    async def play(self, made: Lane, *, bare: bool) -> tuple[str, ...]:
        """Play it in a lane, with or without the protection; return what broke."""
        result = await play(
            made,
            self.drawn,
            also=self.also,
            patience_seconds=self.patience_seconds if bare else PATIENCE_SECONDS,
            environment=(PATIENT if self.also is not None else {})
            | ({WITHOUT_VARIABLE: self.without} if bare else {}),
        )
        return result.broken


def a_run(*strikes: Strike) -> Draw:
    """Return a run over one slice: whoever has it is the one who is struck."""
    return Draw(
        seed=1,
        strikes=strikes,
        manners=Manners(),
        people=50,
        singles=0,
        window=WINDOW,
        title="red control",
    )


async def hold_up(playing: Playing) -> None:
    """Have mails wait before their content, and wait until one does."""
    receiver = playing.lane.receiver
    receiver.hold_after(HELD_AFTER)
    await eventually(
        lambda: not receiver.going_on.is_set(), seconds=PATIENCE_SECONDS, what="a mail held up"
    )


async def go_on(playing: Playing) -> datetime:
    """Let the mails go on once the grace is over; return until when calls might begin (UTC)."""
    until = datetime.now(UTC) + timedelta(seconds=GRACE_SECONDS)
    await eventually(lambda: datetime.now(UTC) > until, what="the end of the grace")
    playing.lane.receiver.go_on()
    return until


async def opting_out(playing: Playing) -> None:
    """Have everybody opt out while their mails are held up."""
    await hold_up(playing)
    await playing.opt_out(playing.drawn.people)
    await go_on(playing)


async def pausing(playing: Playing) -> None:
    """Pause while mails are held up, until a call comes too late or their slice was given back."""
    await hold_up(playing)
    async with playing.paused():
        until = await go_on(playing)
        held = "SELECT EXISTS (SELECT 1 FROM delivery.slices WHERE lease_until IS NOT NULL)"

        async def seen() -> bool:
            late = any(one.begun_at > until for one in playing.lane.receiver.kept)
            return late or not await playing.lane.rig.value(held)

        await eventually(seen, seconds=PATIENCE_SECONDS, what="what becomes of the held mails")


CALLED = Strike("kill", "sender.after_call", Kind.SLICE, WINDOW + 2)
OPENED = Strike("kill", "sender.window_open", Kind.SLICE, 2)
CONTROLS = (
    Control("window before the call", a_run(CALLED), "I3"),
    Control("only what was never called goes again", a_run(CALLED), "I3"),
    # What is lost never comes: its end is waited for in vain.
    Control("rows, not a cursor", a_run(OPENED), "I2", patience_seconds=10),
    Control("consent read again", a_run(), "I5", opting_out),
    Control("pause read again", a_run(), "I5", pausing),
)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.without)
async def test_without_a_protection_its_invariant_is_broken(
    one_lane: Lane, bare_lane: Lane, control: Control
) -> None:
    protected, broken = await asyncio.gather(
        control.play(one_lane, bare=False), control.play(bare_lane, bare=True)
    )
    assert_holds(protected)
    assert names(broken) == {control.breaks}


async def test_every_protection_has_its_control() -> None:
    assert {control.without for control in CONTROLS} == set(WITHOUT)
