"""Three years of recurrences in twelve zones, two schedulers, kills and restarts: the exact set."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from services.campaign.app import SERVICE
from services.campaign.invariants import broken
from shared.clock import DrivenClock
from shared.ids import new_id
from shared.service import Runtime, open_runtime
from tests.conftest import Open
from tests.integration.campaign_story import ACTOR, COUNTS, MANAGER, one
from tests.unit.campaign.zones import ZONES, first_shown
from topics.campaign import CampaignPlan, CreateCampaign, LaunchCampaign
from topics.delivery import DeliveryPrepared, PrepareDelivery
from topics.operators import OperatorState, Role
from topics.schedules import CampaignKind, Frequency, Recurrence, Schedule, SetSchedule
from topics.targeting import TargetCounted

START = datetime(2026, 1, 2, 8, tzinfo=UTC)
END = START + timedelta(days=3 * 365)
SEEDS = (1, 2)
# The day and the time at which their clocks change, where they do.
CHANGES = {"Africa/Cairo": ("fr", "00:00"), "America/Santiago": ("su", "00:00")}


class Killed(Exception):
    """The process is gone before its transaction ends."""


@dataclass(frozen=True, slots=True)
class Series:
    campaign_id: UUID
    zone: str
    day: str
    at: str
    ahead: int

    def expected(self) -> list[tuple[datetime, datetime]]:
        """Return the local times and instants of its dates, by a walk over all days."""
        found = []
        weekday = {"fr": 4, "su": 6}[self.day]
        for days in range(-1, 3 * 365 + 2):
            day = (START + timedelta(days=days)).date()
            if day.weekday() == weekday:
                local = datetime.combine(day, time.fromisoformat(self.at))
                instant = first_shown(self.zone, local)
                if START < instant <= END:
                    found.append((local, instant))
        return found


async def launched(runtime: Runtime, zone: str, ahead: int) -> Series:
    series = Series(new_id(), zone, *CHANGES.get(zone, ("su", "02:30")), ahead)
    plan = CampaignPlan(
        label=zone,
        targeting_id=new_id(),
        template_id=new_id(),
        zone=zone,
        start_at=START,
        end_at=END,
    )
    key, who = series.campaign_id, ACTOR
    emitted = await runtime.execute(CreateCampaign(campaign_id=key, actor=who, plan=plan))
    assert plan.targeting_id is not None
    assert plan.template_id is not None
    await runtime.execute(
        TargetCounted(campaign_id=key, targeting_id=plan.targeting_id, counts=COUNTS)
    )
    await runtime.execute(
        DeliveryPrepared(
            campaign_id=key,
            delivery_id=one(PrepareDelivery, emitted).delivery_id,
            template_id=plan.template_id,
            content_hash="h",
        )
    )
    schedule = Schedule(
        recurrence=Recurrence(frequency=Frequency.WEEKLY, weekdays=(series.day,)),
        times=(series.at,),
        create_ahead_days=ahead,
    )
    await runtime.execute(
        SetSchedule(campaign_id=key, actor=who, kind=CampaignKind.RECURRING, schedule=schedule)
    )
    await runtime.execute(LaunchCampaign(campaign_id=key, actor=who))
    return series


def die_perhaps(chance: random.Random) -> None:
    if chance.random() < 0.05:
        raise Killed


async def look(runtime: Runtime, chance: random.Random) -> None:
    """Do what operationMgt finds to do, as a scheduler that may be killed at any commit."""
    more = True
    while more:
        try:
            async with runtime.uow.begin() as work:
                more = (await SERVICE.workflows[0].run(work)).more
                die_perhaps(chance)
        except Killed:
            return


@pytest.mark.parametrize("seed", SEEDS)
async def test_three_years_in_twelve_zones_are_exactly_the_dates_whoever_looks_and_dies(
    open_service: Open, seed: int
) -> None:
    chance, clock = random.Random(seed), DrivenClock(START)
    schedulers = [await open_service(SERVICE, clock=clock)]
    settings = schedulers[0].settings
    await schedulers[0].execute(
        OperatorState(operator_id=MANAGER, version=1, name="M", roles=(Role.MANAGER,))
    )
    every = [await launched(schedulers[0], zone, chance.choice((0, 3, 30))) for zone in ZONES]
    schedulers.append(await open_runtime(SERVICE, settings, clock=clock))
    while clock.now() < END + timedelta(days=1):
        clock.advance(timedelta(hours=chance.choice((1, 30, 24 * 6, 24 * 40))))
        await asyncio.gather(*(look(one, chance) for one in schedulers))
        if chance.random() < 0.2:
            await schedulers.pop().pool.close()
            schedulers.append(await open_runtime(SERVICE, settings, clock=clock))
    safe = random.Random(0)
    safe.random = lambda: 1.0  # type: ignore[method-assign] # nobody dies any more
    await look(schedulers[0], safe)
    rows = await schedulers[0].pool.fetch(
        "SELECT o.campaign_id, o.local_at, o.zone, o.number, o.starts_at, c.start_at, c.label"
        " FROM occurrences o JOIN campaigns c ON c.campaign_id = o.occurrence_id ORDER BY o.number"
    )
    campaigns = await schedulers[0].pool.fetchval("SELECT count(*) FROM campaigns")
    async with schedulers[0].uow.begin() as work:
        assert await broken(work.connection) == []
    await schedulers[1].pool.close()
    assert campaigns == len(rows) + len(every)
    for series in every:
        made = [row for row in rows if row["campaign_id"] == series.campaign_id]
        assert [(row["local_at"], row["starts_at"]) for row in made] == series.expected()
        assert {row["zone"] for row in made} == {series.zone}
        assert [row["number"] for row in made] == list(range(1, len(made) + 1))
        assert all(row["starts_at"] == row["start_at"] for row in made)
        assert made[-1]["label"] == f"{series.zone}#{len(made)}"
