"""What a run of the engine is asked for, and what people do while it is under way."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.delivery import ambiguous
from shared.errors import INFRASTRUCTURE
from shared.ids import new_id
from tests.faults.deciding import router_again
from tests.faults.delivery.draws import Draw
from tests.faults.delivery.judging import STOP_REASON, Meanwhile
from tests.faults.delivery.lanes import Campaign, Lane
from tests.faults.delivery.people import Lot, people
from tests.faults.world import manager
from tests.waiting import eventually
from topics.delivery import PauseDelivery, ResumeDelivery, SendMessage, StopDelivery
from topics.targeting import ConsentChanged
from topics.waves import WaveDate, Waves, WaveUnit

PATIENCE_SECONDS: Final = 150.0
PAUSE_SECONDS: Final = 0.5
_HOW_IT_STANDS: Final = """
SELECT r.kind, r.state, r.paused, l.outcome, count(*) AS rows
FROM delivery.runs r LEFT JOIN delivery.ledger l USING (run_id)
WHERE r.run_id = ANY ($1::uuid[]) GROUP BY 1, 2, 3, 4
"""


@dataclass
class Asked:
    """A run as people see it: its campaigns and messages, and what they do with them.

    Attributes:
        over: set once all has come to its end.
        struck: set once all that was to fail has failed.
        down_at: when what the run is about failed, or was back (monotonic seconds).
    """

    lane: Lane
    drawn: Draw
    campaigns: list[Campaign] = field(default_factory=list)
    singles: list[UUID] = field(default_factory=list)
    meanwhile: Meanwhile = field(default_factory=Meanwhile)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    down_at: float = 0.0

    @property
    def runs(self) -> list[UUID]:
        """The campaigns' runs."""
        return [campaign.run_id for campaign in self.campaigns]

    async def begin(self) -> None:
        """Ask for a campaign and some single messages."""
        await self.start_campaign()
        await self.send_singles(self.drawn.singles)

    async def start_campaign(self) -> Campaign:
        """Ask for a campaign; return it."""
        letters = self.drawn.letters
        made = await self.lane.approved(
            people(self.drawn.people, self.lane.domain, letters=letters), letters=bool(letters)
        )
        self.campaigns.append(made)
        await self.lane.rig.send(made.start(waves=quick_waves() if self.drawn.waves else None))
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

    async def stop(self) -> None:
        """Stop the first campaign for good: where the strike waits for it while mails leave."""
        if self.drawn.stops_first:
            await self.under_way()
        else:
            await self.struck.wait()
        run_id = self.campaigns[0].run_id
        begun = "SELECT state IN ('started', 'finished') FROM delivery.runs WHERE run_id = $1"
        await self.sure(
            lambda: self.lane.rig.value(begun, run_id), PATIENCE_SECONDS, "I2 no beginning"
        )
        await self.lane.rig.send(
            StopDelivery(
                campaign_id=self.campaigns[0].campaign_id, actor=manager, reason=STOP_REASON
            )
        )
        noted = "SELECT stop_reason IS NOT NULL OR state = 'finished' FROM delivery.runs"
        await eventually(
            lambda: self.lane.rig.value(f"{noted} WHERE run_id = $1", run_id),
            seconds=PATIENCE_SECONDS,
            what="the stop",
        )
        self.meanwhile.stop(run_id, datetime.now(UTC))
        self.lane.receiver.go_on()

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
                if self.drawn.letters:
                    await router_again(self.lane.rig)
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

    async def sure(self, probe: Callable[[], Any], seconds: float, what: str) -> None:
        """Wait for something; where it does not come about, say how the rows stand."""
        try:
            await eventually(probe, seconds=seconds)
        except AssertionError:
            stands = await self.lane.rig.rows(_HOW_IT_STANDS, self.runs + self.singles)
            message = f"{what} within {seconds:.0f} s: {[tuple(row.values()) for row in stands]}"
            raise AssertionError(message) from None


def quick_waves() -> Waves:
    """Return waves that follow each other by half a second; the last one has the rest."""
    now = datetime.now(UTC)
    dates = [now + i * timedelta(seconds=0.5) for i in range(4)]
    return Waves(
        unit=WaveUnit.PERCENT, calendar=tuple(WaveDate(at=date, size=25) for date in dates)
    )
