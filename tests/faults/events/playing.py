"""One seed: events come in by every door, a process dies, all comes to rest and is judged."""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from services.delivery import ambiguous
from shared.errors import INFRASTRUCTURE
from shared.kafka import KafkaError
from tests.driving import SUPERVISOR, Worker
from tests.faults.checks import Mails
from tests.faults.events.archived import SYNCHRONISATION
from tests.faults.events.center import SERVICES, Center
from tests.faults.events.draws import BROKER, DATABASE, Draw, Fate
from tests.faults.events.judging import ENDS, ROWS, checked, judge
from tests.faults.events.pushing import Client, Event, event_of
from tests.faults.scenario import Result, hits_in
from tests.waiting import eventually
from topics.delivery import MessageOutcome, Outcome
from topics.events import EventStatus
from topics.message import Actor, Via
from topics.names import DELIVERY_EVENTS
from topics.workflows import Control, ControlWorkflow

HIT_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 60.0
PUSHERS: Final = 4
ARCHIVE_SECONDS: Final = 0.5
supervisor: Final = Actor(id=str(SUPERVISOR), via=Via.WEB)
NO_MAILS: Final = Mails((), (), (), 0)
BOUNCE: Final = "5.1.1 nobody here any more"
# A bounced one first has to be sent.
_AT_REST: Final = """
SELECT count(DISTINCT external_id) = cardinality($1::text[])
   AND count(*) FILTER (WHERE NOT e.status = ANY ($2)) = 0
FROM events_status.events e WHERE e.external_id = ANY ($1::text[])
"""
_ALL_COPIED: Final = (
    "SELECT NOT EXISTS (SELECT 1 FROM events_status.outcomes WHERE copied_at IS NULL)"
)


@dataclass
class Playing:
    """A seed under way.

    Attributes:
        more: variables that the seed's processes get.
        down_at: when the process died, or the server was back (monotonic seconds).
        over: set once all has come to its end.
    """

    center: Center
    drawn: Draw
    events: list[Event] = field(default_factory=list)
    more: Mapping[str, str] = field(default_factory=dict)
    down_at: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Draw what chance decides meanwhile."""
        self.chance = random.Random(self.drawn.seed)
        self.client = Client(self.center, self.chance)
        self.batches = []
        for push in self.drawn.pushes:
            batch = [self._event(fate) for fate in push.fates]
            self.batches.append((push, batch))

    def _event(self, fate: Fate) -> Event:
        made = event_of(f"e{time.time_ns() % 10**10}-{self.drawn.seed}-{len(self.events)}", fate)
        self.events.append(made)
        return made

    @property
    def environment(self) -> dict[str, str]:
        """What the seed's processes get besides."""
        return {"SENDER_WINDOW": str(self.drawn.window), **self.more}

    # -- what happens

    async def push(self) -> None:
        """Push everything, a few at a time."""
        turn = asyncio.Semaphore(PUSHERS)

        async def one(push: Any, batch: list[Event]) -> None:
            async with turn:
                await self.client.push(push, batch)

        async with asyncio.TaskGroup() as group:
            for push, batch in self.batches:
                group.create_task(one(push, batch))

    async def strike(self) -> Worker | None:
        """Start the process that will die, or wait to restart a server."""
        place = self.drawn.place
        if not place.service:
            return None
        self.center.rig.workers[place.service, 1].kill()
        worker = self.center.start(
            place.service,
            MUSTER_FAULT=self.drawn.fault,
            MUSTER_TEST_KIND=str(place.kind),
            **self.environment,
        )
        # What is left of a former seed may be its death before it is ready.
        await eventually(
            partial(self._up_or_dead, worker), seconds=HIT_SECONDS, what=f"{place.service} being up"
        )
        return worker

    async def _up_or_dead(self, worker: Worker) -> bool:
        return not worker.alive or await self.center.is_ready(worker)

    async def nurse(self, armed: Worker | None) -> None:
        """Wait for the death, then start a successor; or restart the server."""
        if armed is None:
            await self._restart()
            return
        drawn = self.drawn
        await eventually(
            lambda: not armed.alive, seconds=HIT_SECONDS, what=f"{drawn.name}, hit {drawn.nth}"
        )
        self.down_at = time.monotonic()
        successor = self.center.start(drawn.place.service, **self.environment)
        if drawn.again_after is not None:
            await asyncio.sleep(drawn.again_after)
            successor.kill()
            self.center.start(drawn.place.service, **self.environment)

    async def _restart(self) -> None:
        cluster = self.center.servers.cluster
        assert cluster is not None, "the servers are not ours to restart"
        restart = {BROKER: cluster.restart_kafka, DATABASE: cluster.restart_postgres}
        await restart[self.drawn.place.point]()
        self.down_at = time.monotonic()

    async def decide(self) -> None:
        """Do what a person would with ambiguous messages, until the seed is over."""
        do = ambiguous.resend if self.drawn.resends else ambiguous.assume_sent
        while not self.over.is_set():
            with suppress(*INFRASTRUCTURE):
                async with self.center.door.uow.begin() as work:
                    await do(work)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), 0.2)

    async def archive(self) -> None:
        """Have events brought into the archive, again and again, until the seed is over."""
        run = ControlWorkflow(name=SYNCHRONISATION, control=Control.RUN_NOW, actor=supervisor)
        while not self.over.is_set():
            with suppress(KafkaError):
                await self.center.rig.send(run)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), ARCHIVE_SECONDS)

    async def hold(self) -> None:
        """Stop a technical workflow while the first events come, then have it go on."""
        if self.drawn.held is None:
            return
        await self._control(Control.STOP)
        await eventually(
            lambda: self.center.rig.value(
                "SELECT status = 'stopped' FROM events_status.technical_workflows WHERE name = $1",
                self.drawn.held,
            ),
            seconds=SETTLE_SECONDS,
            what=f"{self.drawn.held} being stopped",
        )

    async def let_go(self) -> None:
        """Start again what was stopped, once some events are kept."""
        if self.drawn.held is not None:
            await eventually(self._some_kept, seconds=SETTLE_SECONDS, what="some events")
            await self._control(Control.START)

    async def kept(self) -> None:
        """Wait until each event is a row."""
        names = [one.name for one in self.events]
        await eventually(
            lambda: self.center.rig.value(
                "SELECT count(DISTINCT external_id) = cardinality($1::text[])"
                " FROM events_status.events WHERE external_id = ANY ($1::text[])",
                names,
            ),
            seconds=SETTLE_SECONDS,
            what="the events being kept",
        )

    async def _some_kept(self) -> bool:
        rows = await self.center.rig.rows(ROWS, [one.name for one in self.events])
        return len(rows) >= len(self.events) / 2

    async def _control(self, control: Control) -> None:
        assert self.drawn.held is not None, "nothing is held"
        await self.center.rig.send(
            ControlWorkflow(name=self.drawn.held, control=control, actor=supervisor)
        )

    async def tell_again(self) -> None:
        """Publish outcomes once more: as they were, and as if they were new; late and shuffled.

        What a server sent back later comes here, too, and at times before its own "sent".
        """
        rows = await self.center.rig.rows(ROWS, [one.name for one in self.events])
        ids = {row["external_id"]: row["event_id"] for row in rows}
        await self.center.told.read()
        again = [one for event in ids.values() for one in self.center.told.outcomes[event]]
        again = again * 2
        self.chance.shuffle(again)
        for one in again[: 2 * len(ids)]:
            headers = list(one.headers)
            if self.chance.random() < 0.5:
                new = str(self.chance.getrandbits(64)).encode()
                headers = [(key, new if key == "ce_id" else value) for key, value in headers]
            key = (one.key or "").encode()
            await self.center.rig.send_raw(DELIVERY_EVENTS, key, headers, one.value)

    async def bounce(self) -> None:
        """Say, twice, that some mails came back; a status may overtake the one before it."""
        wanted = [one for one in self.events if one.fate is Fate.BOUNCED]
        for one in wanted:
            row = await eventually(
                partial(self._given, one.name), seconds=SETTLE_SECONDS, what="its message"
            )
            told = MessageOutcome(
                message_id=row["event_id"],
                outcome=Outcome.FAILED,
                reason=BOUNCE,
                at=datetime.now(UTC) + timedelta(minutes=1),
            )
            await self.center.rig.send(told, told)

    async def _given(self, name: str) -> dict[str, Any] | None:
        rows = await self.center.rig.rows(
            "SELECT event_id FROM events_status.events JOIN events_status.event_messages"
            " USING (event_id) WHERE external_id = $1",
            name,
        )
        return rows[0] if rows else None

    # -- how it ends

    async def at_rest(self) -> None:
        """Wait until each event has its end, nothing waits to be copied or published."""
        wanted = [str(one) for one in {*ENDS.values(), EventStatus.IGNORED}]
        names = [one.name for one in self.events]

        async def ended() -> bool:
            return bool(
                await self.center.rig.value(_AT_REST, names, wanted)
                and await self.center.rig.value(_ALL_COPIED)
            )

        try:
            await eventually(ended, seconds=SETTLE_SECONDS)
        except AssertionError:
            rows = await self.center.rig.rows(ROWS, names)
            stands = {(row["status"]) for row in rows}
            message = f"I2 no end: {len(rows)} rows of {len(names)} events, {sorted(stands)}"
            raise AssertionError(message) from None

    async def mails_known(self) -> None:
        """Wait until the delivery knows what became of each message."""
        await eventually(
            lambda: self.center.rig.value(
                "SELECT NOT EXISTS (SELECT 1 FROM delivery.ledger l JOIN delivery.runs r"
                " USING (run_id) WHERE r.kind = 'transactional'"
                " AND l.outcome IN ('pending', 'ambiguous'))"
            ),
            seconds=SETTLE_SECONDS,
            what="the delivery's own end",
        )

    async def judged(self) -> tuple[list[str], Mails]:
        """Return what is still broken once all that was told was handled, or patience is over."""
        found: list[str] = []
        mails = NO_MAILS

        async def settled() -> bool:
            nonlocal mails
            await self.center.rig.drained(*SERVICES)
            found[:] = await checked(self.center)
            about, mails = await judge(
                self.center, self.events, self.client, assumed=not self.drawn.resends
            )
            found.extend(about)
            return not set(found) - self.center.blamed

        with suppress(AssertionError):
            await eventually(settled, seconds=SETTLE_SECONDS / 3)
        return found, mails


Also = Callable[[Playing], Awaitable[None]]
"""What else happens in a seed, beside what was drawn."""


async def play(
    center: Center,
    drawn: Draw,
    *,
    also: Also | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Result:
    """Play a seed and check everything; whatever goes wrong with it is among what is broken."""
    center.receiver.behave(drawn.manners, random.Random(drawn.seed))
    already = len(hits_in(center.hits))
    playing = Playing(center, drawn, more=more)
    mails, recovered = NO_MAILS, 0.0
    try:
        await center.mend(**playing.environment)
        async with _meanwhile(playing):
            await _act(playing, also)
            recovered = time.monotonic() - playing.down_at
            broken, mails = await playing.judged()
    except Exception as problem:  # noqa: BLE001 - a seed that goes wrong is a result
        broken = [f"seed {drawn.seed}: {line}" for line in _reasons(problem)]
    new = [line for line in broken if line not in center.blamed]
    center.blamed |= set(new)
    return Result(
        fault=drawn.name,
        hits=tuple(hits_in(center.hits)[already:]),
        broken=tuple(new),
        lost=len(mails.lost),
        doubled=len(mails.doubled),
        ambiguous=mails.ambiguous,
        recovery_seconds=recovered,
    )


@asynccontextmanager
async def _meanwhile(playing: Playing) -> AsyncIterator[None]:
    """Have a person decide, and events archived, for the length of the block."""
    async with asyncio.TaskGroup() as group:
        group.create_task(playing.decide())
        group.create_task(playing.archive())
        try:
            yield
        finally:
            playing.over.set()


async def _act(playing: Playing, also: Also | None) -> None:
    await playing.hold()
    armed = await playing.strike()
    async with asyncio.TaskGroup() as group:
        group.create_task(playing.nurse(armed))
        group.create_task(playing.push())
        group.create_task(playing.let_go())
        if also is None:
            group.create_task(playing.bounce())
        else:
            group.create_task(_besides(playing, also))
    await playing.tell_again()
    await playing.at_rest()
    await playing.mails_known()


async def _besides(playing: Playing, also: Also) -> None:
    await also(playing)


def _reasons(problem: BaseException) -> Iterator[str]:
    if isinstance(problem, BaseExceptionGroup):
        for one in problem.exceptions:
            yield from _reasons(one)
    elif isinstance(problem, AssertionError):
        yield str(problem)
    else:
        yield "".join(traceback.format_exception(problem))
