"""One run of the engine: it starts, is struck, comes to rest and is judged."""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from services.delivery import ambiguous
from shared.errors import INFRASTRUCTURE
from shared.ids import new_id
from tests.driving import Worker
from tests.faults.checks import Mails
from tests.faults.delivery.draws import Draw, Strike
from tests.faults.delivery.judging import Judgement, Meanwhile, judge
from tests.faults.delivery.lanes import LEASE_SECONDS, Campaign, Lane
from tests.faults.delivery.people import Lot, people
from tests.faults.scenario import Result, hits_in, is_frozen
from tests.faults.world import manager
from tests.waiting import eventually
from topics.delivery import PauseDelivery, ResumeDelivery, SendMessage
from topics.targeting import ConsentChanged

PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5
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
_HOW_IT_STANDS: Final = """
SELECT r.kind, r.state, r.paused, l.outcome, count(*) AS rows
FROM delivery.runs r LEFT JOIN delivery.ledger l USING (run_id)
WHERE r.run_id = ANY ($1::uuid[]) GROUP BY 1, 2, 3, 4
"""


@dataclass
class Playing:
    """A run under way.

    Attributes:
        down_at: when what the run is about failed, or was back (monotonic seconds).
        patience_seconds: how long the end is waited for.
    """

    lane: Lane
    drawn: Draw
    campaigns: list[Campaign] = field(default_factory=list)
    singles: list[UUID] = field(default_factory=list)
    meanwhile: Meanwhile = field(default_factory=Meanwhile)
    frozen: list[Worker] = field(default_factory=list)
    down_at: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    environment: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def runs(self) -> list[UUID]:
        """The campaigns' runs."""
        return [campaign.run_id for campaign in self.campaigns]

    def start(self, strike: Strike | None = None, *, replica: int = 1) -> Worker:
        """Start a process, to be struck or not."""
        environment = {
            "SENDER_WINDOW": str(self.drawn.window),
            "AMBIGUOUS_POLICY": self.drawn.policy,
            **self.environment,
        }
        if strike is not None:
            environment |= {"MUSTER_FAULT": strike.fault, "MUSTER_TEST_KIND": strike.kind}
        return self.lane.start(replica=replica, **environment)

    # -- what is asked of it

    async def begin(self) -> None:
        """Ask for a campaign and some single messages."""
        await self.start_campaign()
        await self.send_singles(self.drawn.singles)

    async def start_campaign(self) -> Campaign:
        """Ask for a campaign; return it."""
        made = await self.lane.approved(people(self.drawn.people, self.lane.domain))
        self.campaigns.append(made)
        await self.lane.rig.send(made.start())
        return made

    async def send_singles(self, count: int) -> None:
        """Ask for single messages."""
        for number in range(count):
            message_id = new_id()
            self.singles.append(message_id)
            await self.lane.rig.send(
                SendMessage(
                    message_id=message_id,
                    template_id=self.lane.order_template_id,
                    address=f"single{number}@{self.lane.domain}",
                    recipient_key=message_id.hex,
                    ctx={"order": str(number)},
                )
            )

    async def under_way(self) -> None:
        """Wait until the first mails have left."""
        await eventually(
            lambda: len(self.lane.receiver.kept) > self.drawn.window or self.over.is_set(),
            seconds=PATIENCE_SECONDS,
            what="mails",
        )

    async def pause(self, seconds: float = PAUSE_SECONDS) -> None:
        """Pause the first campaign for a while."""
        async with self.paused():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), seconds)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Pause the first campaign, once its mails leave, for the length of the block."""
        await self.under_way()
        campaign = self.campaigns[0]
        await self.lane.rig.send(PauseDelivery(campaign_id=campaign.campaign_id, actor=manager))
        paused = "SELECT paused OR state = 'finished' FROM delivery.runs WHERE run_id = $1"
        await eventually(
            lambda: self.lane.rig.value(paused, campaign.run_id),
            seconds=PATIENCE_SECONDS,
            what="the pause",
        )
        since = datetime.now(UTC)
        try:
            yield
        finally:
            self.meanwhile.pauses[campaign.run_id].append((since, datetime.now(UTC)))
            await self.lane.rig.send(
                ResumeDelivery(campaign_id=campaign.campaign_id, actor=manager)
            )

    async def opt_out(self, count: int) -> None:
        """Have some of the first campaign's people opt out."""
        await self.under_way()
        wanted = [one for one in self.campaigns[0].people if one.lot is Lot.MAIL]
        gone = random.Random(self.drawn.seed).sample(wanted, min(count, len(wanted)))
        at = datetime.now(UTC)
        await self.lane.rig.send(
            *(ConsentChanged(recipient_key=one.key, opted_out=True, at=at) for one in gone)
        )
        keys = {one.key for one in gone}

        async def noted() -> bool:
            rows = await self.lane.rig.rows(
                "SELECT recipient_key FROM delivery.consents WHERE recipient_key = ANY ($1)",
                list(keys),
            )
            seen_at = datetime.now(UTC)
            for row in rows:
                self.meanwhile.opted_out.setdefault(row["recipient_key"], seen_at)
            return len(rows) == len(keys)

        await eventually(noted, seconds=PATIENCE_SECONDS, what="the opt-outs")
        if not self.drawn.strikes:
            self.down_at = time.monotonic()

    async def decide(self) -> None:
        """Do what a person would with ambiguous messages, until the run is over."""
        while not self.over.is_set():
            with suppress(*INFRASTRUCTURE):
                await self._decide()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), 0.1)

    async def _decide(self) -> None:
        rows = await self.lane.rig.rows(
            "SELECT run_id, member_id FROM delivery.ledger"
            " WHERE outcome = 'ambiguous' AND run_id = ANY ($1::uuid[])",
            self.runs + self.singles,
        )
        self.meanwhile.ambiguous |= {(row["run_id"], row["member_id"]) for row in rows}
        for run_id in {row["run_id"] for row in rows}:
            async with self.lane.door.uow.begin() as work:
                if self.drawn.resends:
                    await ambiguous.resend(work, run_id=run_id)
                else:
                    await ambiguous.assume_sent(work, run_id=run_id)

    # -- what strikes it

    async def strike(self) -> None:
        """Start processes that fail, one after the other, then one that does not."""
        if not self.drawn.strikes:
            self.start()
            await self.begin()
            self.down_at = time.monotonic()
            return
        for number, strike in enumerate(self.drawn.strikes):
            worker = self.start(strike, replica=1 + len(self.frozen))
            if number == 0:
                await self.begin()
            await self._down(worker, strike)
        self.down_at = time.monotonic()
        successor = self.start(replica=1 + len(self.frozen))
        if self.drawn.again_after is not None:
            await asyncio.sleep(self.drawn.again_after)
            successor.kill()
            self.start(replica=1 + len(self.frozen))
        if self.frozen and self.drawn.wakes_early:
            await self.taken_over()
            self.wake()

    async def _down(self, worker: Worker, strike: Strike) -> None:
        await self._sure(
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
            await self._sure(self._ended, self.patience_seconds, "I2 no end")
        finally:
            self.over.set()

    async def _sure(self, probe: Callable[[], Any], seconds: float, what: str) -> None:
        """Wait for something; where it does not come about, say how the rows stand."""
        try:
            await eventually(probe, seconds=seconds)
        except AssertionError:
            stands = await self.lane.rig.rows(_HOW_IT_STANDS, self.runs + self.singles)
            message = f"{what} within {seconds:.0f} s: {[tuple(row.values()) for row in stands]}"
            raise AssertionError(message) from None

    async def _ended(self) -> bool:
        ended = bool(self.runs) and await self.lane.rig.value(_ENDED, self.runs)
        return bool(ended and await self.lane.rig.value(_ANSWERED, self.singles))

    async def settle(self) -> None:
        """Let frozen processes write what they know, and wait for the last news."""
        self.wake()
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in self.frozen))
        await self.lane.rig.drained("delivery")

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
