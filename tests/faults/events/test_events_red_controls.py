"""Each of Message Center's protections switched off: the same seed turns red, by its invariant.

The order of events that a protection stands against is forced: by a crash point, by a mail server
that holds up what it is sent, or by sending again once the first is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio

from tests.faults.checks import assert_holds
from tests.faults.child import WITHOUT_VARIABLE
from tests.faults.delivery.receiver import Manners
from tests.faults.events.center import SERVICES, Center, center
from tests.faults.events.draws import Door, Draw, Fate, Place, Push
from tests.faults.events.playing import SETTLE_SECONDS, Also, Playing, play
from tests.faults.events.protections import WITHOUT
from tests.faults.kinds import Kind
from tests.faults.nursery import nursery
from tests.faults.switches import names, switched
from tests.servers import Servers
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
PUBLISHED = Place("intake.after_publish", "web", Kind.PUSH)
ROUTED = Place("uow.before_commit", "events_status", Kind.INTAKE)
BY_KEY = Push(Door.ONE, "realtime", (Fate.PLAIN,), own_keys=False, copies=0)
BY_KAFKA = Push(Door.BINARY, "realtime", (Fate.PLAIN,), own_keys=False, copies=0)
TO_COME_BACK = Push(Door.BINARY, "realtime", (Fate.PLAIN, Fate.BOUNCED), own_keys=False, copies=0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Center]:
    """A center whose rows are broken on purpose."""
    async with nursery() as spawn, center(servers, tmp_path_factory.mktemp("bare"), spawn) as found:
        yield found


async def nothing_else(_: Playing) -> None:
    """Have nothing else happen."""


async def again(playing: Playing) -> None:
    """Send events again once they are kept, as a producer that lost its acknowledgement does."""
    await playing.kept()
    for push, batch in playing.batches:
        await playing.client.push(push, batch)


async def overtaken(playing: Playing) -> None:
    """Have a bounce told, copied and archived before the "sent" that it is about."""
    receiver = playing.center.receiver
    receiver.hold_after(0)
    await playing.bounce()
    ended = (
        "SELECT count(*) FROM events_status.archived_events a"
        " WHERE a.external_id = ANY ($1::text[]) AND a.status = 'delivery_error'"
        " AND NOT EXISTS (SELECT 1 FROM events_status.archive_due d WHERE d.event_id = a.event_id)"
    )
    bounced = [one.name for one in playing.events if one.fate is Fate.BOUNCED]
    await eventually(
        partial(playing.center.rig.value, ended, bounced),
        seconds=SETTLE_SECONDS,
        what="the bounce in the archive",
    )
    receiver.go_on()


@dataclass(frozen=True, slots=True)
class Control:
    """A protection, the seed that needs it, and the invariants broken without it."""

    without: str
    place: Place
    push: Push
    also: Also
    breaks: frozenset[str]

    @property
    def drawn(self) -> Draw:
        """The seed."""
        return Draw(
            seed=1,
            place=self.place,
            nth=1,
            pushes=(self.push,),
            manners=Manners(),
            window=1,
            again_after=None,
            resends=True,
            held=None,
        )


CONTROLS = (
    Control(
        "keys written before Kafka is asked", PUBLISHED, BY_KEY, nothing_else, frozenset({"I1"})
    ),
    Control("an event's identity", ROUTED, BY_KAFKA, again, frozenset({"I1", "I4"})),
    Control("no status after an end", ROUTED, TO_COME_BACK, overtaken, frozenset({"I2", "I4"})),
    Control(
        "published in the order of commits", ROUTED, TO_COME_BACK, overtaken, frozenset({"I4"})
    ),
    Control("outcomes archived again", ROUTED, TO_COME_BACK, overtaken, frozenset({"I2"})),
)


@switched
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.without)
async def test_without_a_protection_its_invariant_is_broken(
    made: Center, bare: Center, control: Control, *, protected: bool
) -> None:
    where = made if protected else bare
    more = {} if protected else {WITHOUT_VARIABLE: control.without}
    for service in SERVICES:
        await asyncio.to_thread(where.rig.workers[service, 1].kill)
    result = await play(where, control.drawn, also=control.also, more=more)
    for service in SERVICES:
        await asyncio.to_thread(where.rig.workers[service, 1].kill)
    if protected:
        assert_holds(result.broken)
    else:
        assert names(result.broken) == control.breaks, result.broken


async def test_every_protection_has_its_control() -> None:
    assert {control.without for control in CONTROLS} == set(WITHOUT)
