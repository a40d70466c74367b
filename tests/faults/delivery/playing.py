"""One run of the engine: it starts, is struck, comes to rest and is judged."""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tests.driving import Worker
from tests.faults.checks import Mails
from tests.faults.delivery.asked import PATIENCE_SECONDS, Asked
from tests.faults.delivery.draws import Draw, Strike
from tests.faults.delivery.judging import Judgement, judge
from tests.faults.delivery.lanes import LEASE_SECONDS, SERVICES, Lane
from tests.faults.scenario import Result, hits_in, is_frozen
from tests.waiting import eventually

HELD_BEHIND_WINDOW: Final = 5
HELPER: Final = 9
"""The replica that sends beside those that fail."""
NO_MAILS: Final = Mails((), (), (), 0)
_ENDED: Final = """
SELECT count(*) = cardinality($1::uuid[]) FROM delivery.runs
WHERE run_id = ANY ($1::uuid[]) AND state = 'finished'
"""
_ANSWERED: Final = """
SELECT count(*) = cardinality($1::uuid[]) FROM delivery.ledger
WHERE run_id = ANY ($1::uuid[]) AND outcome IN ('sent', 'failed', 'ignored')
"""


@dataclass
class Playing(Asked):
    """A run under way, with the processes that do it.

    Attributes:
        patience_seconds: how long the end is waited for.
        environment: what its processes get besides.
    """

    frozen: list[Worker] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float = PATIENCE_SECONDS

    def start(
        self, service: str = "delivery", *, strike: Strike | None = None, replica: int = 1
    ) -> Worker:
        """Start a process, to be struck or not."""
        environment = {
            "SENDER_WINDOW": str(self.drawn.window),
            "AMBIGUOUS_POLICY": self.drawn.policy,
            **self.environment,
        }
        if strike is not None:
            environment |= {"MUSTER_FAULT": strike.fault, "MUSTER_TEST_KIND": strike.kind}
        return self.lane.start(service, replica=replica, **environment)

    @property
    def services(self) -> tuple[str, ...]:
        """The services it takes."""
        return SERVICES if self.drawn.letters else ("delivery",)

    # -- what strikes it

    async def strike(self) -> None:
        """Start processes that fail, one after the other, then one that does not."""
        if self.drawn.stops_first:
            # There is something left to be stopped, however quickly mails leave.
            self.lane.receiver.hold_after(self.drawn.window + HELD_BEHIND_WINDOW)
        for service in self.services:
            if not self.drawn.strikes or service != self.drawn.strikes[0].service:
                self.start(service)
        if not self.drawn.strikes:
            await self.begin()
            self.down_at = time.monotonic()
            return
        for number, strike in enumerate(self.drawn.strikes):
            worker = self.start(strike.service, strike=strike, replica=1 + len(self.frozen))
            if number == 0:
                await self.begin()
            await self._down(worker, strike)
        self.down_at = time.monotonic()
        self.struck.set()
        successor = self.start(strike.service, replica=1 + len(self.frozen))
        if self.drawn.again_after is not None:
            await asyncio.sleep(self.drawn.again_after)
            successor.kill()
            self.start(strike.service, replica=1 + len(self.frozen))
        if self.frozen and self.drawn.wakes_early:
            await self.taken_over()
            self.wake()

    async def _down(self, worker: Worker, strike: Strike) -> None:
        await self.sure(
            lambda: is_frozen(worker) if strike.how == "freeze" else not worker.alive,
            PATIENCE_SECONDS / 2,
            f"no {strike.fault} ({strike.kind})",
        )
        if strike.how == "freeze":
            self.frozen.append(worker)

    async def taken_over(self) -> None:
        """Wait until nobody holds a lease that has run out."""

        async def freed() -> bool:
            stale: bool = await self.lane.rig.value(
                "SELECT EXISTS (SELECT 1 FROM delivery.slices WHERE lease_until < now())"
                " OR EXISTS (SELECT 1 FROM delivery.queue WHERE lease_until < now())"
            )
            return not stale

        await asyncio.sleep(LEASE_SECONDS)
        await eventually(freed, seconds=PATIENCE_SECONDS, what="the leases being given up")

    def wake(self) -> None:
        """Let frozen processes go on."""
        for worker in self.frozen:
            worker.wake()

    # -- how it ends

    async def at_rest(self) -> None:
        """Wait until everything has come to its end, and is published."""
        try:
            await self.sure(self._ended, self.patience_seconds, "I2 no end")
        finally:
            self.over.set()

    async def _ended(self) -> bool:
        ended = bool(self.runs) and await self.lane.rig.value(_ENDED, self.runs)
        return bool(ended and await self.lane.rig.value(_ANSWERED, self.singles))

    async def settle(self) -> None:
        """Let frozen processes write what they know, and wait for the last news."""
        self.wake()
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in self.frozen))
        await self.lane.rig.drained(*self.services)

        async def told() -> bool:
            await self.lane.news.read()
            finished, outcomes = self.lane.news.finished, self.lane.news.outcomes
            return all(one in finished for one in self.runs) and all(
                one in outcomes for one in self.singles
            )

        await eventually(told, seconds=20, what="the last news")

    async def judge(self) -> Judgement:
        """Check everything."""
        return await judge(
            self.lane,
            self.campaigns,
            self.singles,
            self.meanwhile,
            assumed=self.drawn.policy == "assume_sent" or not self.drawn.resends,
        )


Also = Callable[[Playing], Awaitable[None]]
"""What else happens in a run, beside what was drawn."""


async def play(
    lane: Lane,
    drawn: Draw,
    *,
    also: Also | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Result:
    """Play a run, bounded in time; whatever goes wrong with it is among what is broken.

    ``environment`` is what its processes get besides.
    """
    lane.kill_all()
    lane.receiver.behave(drawn.manners, random.Random(drawn.seed))
    already = len(hits_in(lane.hits))
    playing = Playing(lane, drawn, environment=environment, patience_seconds=patience_seconds)
    judged, recovered = Judgement((), NO_MAILS), 0.0
    try:
        await _act(playing, also)
        recovered = time.monotonic() - playing.down_at
        await playing.settle()
        judged = await playing.judge()
    except Exception as problem:  # noqa: BLE001 - a run that goes wrong is a result
        judged = Judgement(tuple(reasons(problem)), NO_MAILS)
    broken = tuple(line for line in judged.broken if line not in lane.blamed)
    lane.blamed |= set(broken)
    if broken:
        await lane.forget(playing.runs + playing.singles)
    return Result(
        fault=drawn.name,
        hits=tuple(hits_in(lane.hits)[already:]),
        broken=broken,
        lost=len(judged.mails.lost),
        doubled=len(judged.mails.doubled),
        ambiguous=judged.mails.ambiguous,
        recovery_seconds=recovered,
    )


async def _act(playing: Playing, also: Also | None) -> None:
    """Let everything happen that was drawn, until all is at rest."""
    drawn = playing.drawn
    async with asyncio.TaskGroup() as group:
        group.create_task(playing.decide())
        if drawn.helper:
            playing.start(replica=HELPER)
        if drawn.pauses:
            group.create_task(playing.pause())
        if drawn.stops:
            group.create_task(playing.stop())
        if drawn.opt_outs:
            group.create_task(playing.opt_out(drawn.opt_outs))
        besides = group.create_task(_besides(playing, also))
        await playing.strike()
        await besides
        await playing.at_rest()


async def _besides(playing: Playing, also: Also | None) -> None:
    if also is not None:
        await also(playing)


def reasons(problem: BaseException) -> Iterator[str]:
    """Yield what went wrong, a line each; where a group holds many, those of all."""
    if isinstance(problem, BaseExceptionGroup):
        for one in problem.exceptions:
            yield from reasons(one)
    elif isinstance(problem, AssertionError):
        yield str(problem)
    else:
        yield "".join(traceback.format_exception(problem))
