"""Places: however many are due, and whoever dies, no more are under way than the limit allows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.campaign.app import SERVICE
from shared.clock import DrivenClock
from shared.service import Runtime, open_runtime
from tests.conftest import Open
from tests.integration.campaign_story import ACTOR, COUNTS, MANAGER, Story, status
from tests.integration.test_campaign_series import (
    MONDAY,
    Series,
    created,
    occurrences,
    starts,
    sweep,
    waits,
)
from topics.campaign import CampaignPlan, EditCampaign, RequestProof, Severity
from topics.delivery import DeliveryCounts, DeliveryProgressed, StartDelivery
from topics.message import Message
from topics.operators import OperatorState, Role
from topics.schedules import Frequency, Recurrence, Schedule
from topics.targeting import FreezeSnapshot, SnapshotFrozen, TargetRefused

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
LIMIT = 2
SEEDS = (1, 2, 3)


class Killed(Exception):
    """The process is gone before its transaction ends."""


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOON)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock=clock, CAMPAIGN_LIMIT_CONCURRENCY=str(LIMIT))
    await opened.execute(
        OperatorState(operator_id=MANAGER, version=1, name="M", roles=(Role.MANAGER,))
    )
    return opened


async def funded(runtime: Runtime, **choices: object) -> Story:
    """Return a campaign that is due and has all it needs but a place."""
    story = Story(runtime)
    await story.create()
    plan = CampaignPlan.model_validate(choices)
    await story.do(EditCampaign(campaign_id=story.id, actor=ACTOR, plan=plan))
    await story.approve()
    await story.fund()
    return story


async def progressed(runtime: Runtime, start: StartDelivery, *, prepared: bool, at: int) -> None:
    await runtime.execute(
        DeliveryProgressed(
            campaign_id=start.campaign_id,
            run_id=start.run_id,
            delivery_id=start.delivery_id,
            counts=DeliveryCounts(targeted=10, pending=10),
            prepared=prepared,
            revision=at,
        )
    )


def die_perhaps(chance: random.Random) -> None:
    if chance.random() < 0.4:
        raise Killed


async def look(runtime: Runtime, chance: random.Random) -> list[Message]:
    """Do what operationMgt finds to do, perhaps killed before a commit; return what was said."""
    said: list[Message] = []
    more = True
    while more:
        try:
            async with runtime.uow.begin() as work:
                more = (await SERVICE.workflows[0].run(work)).more
                emitted = list(work.emitted)
                die_perhaps(chance)
        except Killed:
            return said
        said += emitted
    return said


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_five_that_are_due_never_more_than_two_are_prepared_whoever_dies(
    runtime: Runtime, seed: int
) -> None:
    chance = random.Random(seed)
    choices: tuple[dict[str, object], ...] = (
        {"priority": 9},
        {},
        {"severity": Severity.CRITICAL},
        {"priority": 1},
        {},
    )
    low, old, critical, urgent, new = [await funded(runtime, **one) for one in choices]
    begun: list[StartDelivery] = []
    ready: set[StartDelivery] = set()
    schedulers = [runtime, await open_runtime(SERVICE, runtime.settings, clock=runtime.clock)]
    for revision in range(1, 200):
        said = await asyncio.gather(*(look(one, chance) for one in schedulers))
        begun += starts([message for messages in said for message in messages])
        under_way = [start for start in begun if start not in ready]
        assert len(under_way) <= LIMIT
        if not under_way:
            break
        one = chance.choice(under_way)
        prepared = chance.random() < 0.5
        await progressed(runtime, one, prepared=prepared, at=revision)
        if prepared:
            ready.add(one)
        if chance.random() < 0.3:
            await schedulers.pop().pool.close()
            schedulers.append(await open_runtime(SERVICE, runtime.settings, clock=runtime.clock))
    await schedulers[1].pool.close()
    order = [start.campaign_id for start in begun]
    assert order == [urgent.id, critical.id, old.id, new.id, low.id]


async def test_a_preparation_that_does_not_end_takes_no_place_after_seven_days(
    runtime: Runtime, clock: DrivenClock
) -> None:
    every = [await funded(runtime) for _ in range(LIMIT + 1)]
    assert len(starts(await sweep(runtime))) == LIMIT
    clock.advance(timedelta(days=6, hours=23))
    assert not starts(await sweep(runtime))
    assert await waits(runtime, every[-1].id) == (
        "starts as soon as there is room for another start"
    )
    clock.advance(timedelta(hours=2))
    (late,) = starts(await sweep(runtime))
    assert late.campaign_id == every[-1].id


async def test_a_proof_that_a_person_asks_for_takes_a_place_or_waits_for_one(
    runtime: Runtime, clock: DrivenClock
) -> None:
    every = [Story(runtime) for _ in range(LIMIT + 1)]
    for story in every:
        await story.create()
    asked = [await story.do(RequestProof(campaign_id=story.id, actor=ACTOR)) for story in every]
    assert [len(freezes(said)) for said in asked] == [1, 1, 0]
    last = every[-1]
    assert await status(runtime, last.id) == "ready_to_test"
    assert await waits(runtime, last.id) == "its proof is made as soon as there is room for it"
    assert not freezes(await sweep(runtime))
    due = await runtime.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= $1", clock.now())
    assert due == 0
    await runtime.execute(
        TargetRefused(
            campaign_id=every[0].id,
            targeting_id=every[0].targeting_id,
            snapshot_id=freezes(asked[0])[0].snapshot_id,
            reason="no right",
        )
    )
    (freed,) = freezes(await sweep(runtime))
    assert freed.campaign_id == last.id


def freezes(said: Sequence[Message]) -> list[FreezeSnapshot]:
    return [one for one in said if isinstance(one, FreezeSnapshot)]


async def test_targets_that_are_frozen_take_places_and_the_next_one_says_what_it_waits_for(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    daily = Schedule(
        recurrence=Recurrence(frequency=Frequency.DAILY, count=3),
        times=("09:00",),
        create_ahead_days=30,
    )
    await series.launched(daily, start_at=MONDAY + timedelta(days=7))
    said = await sweep(runtime)
    assert len(created(said)) == 3
    every = await occurrences(runtime, said)
    other = await funded(runtime, start_at=NOON + timedelta(days=6, hours=1))
    clock.advance(timedelta(days=6))
    first, second = freezes(await sweep(runtime))
    (last,) = [one for one in every if one.id not in {first.campaign_id, second.campaign_id}]
    assert await waits(runtime, last.id) == "its proof is made as soon as there is room for it"
    # What waits for room sets no timer: operationMgt is not woken for it again and again.
    due = await runtime.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= $1", clock.now())
    assert due == 0
    clock.advance(timedelta(hours=1))
    assert not starts(await sweep(runtime))
    await runtime.execute(
        SnapshotFrozen(
            campaign_id=first.campaign_id,
            snapshot_id=first.snapshot_id,
            targeting_id=first.targeting_id,
            snapshot_hash="snap",
            members=10,
            chunks=1,
            counts=COUNTS,
        )
    )
    assert await runtime.pool.fetchval("SELECT count(*) FROM workflow_wakes")
    (start,) = starts(await sweep(runtime))
    assert start.campaign_id == other.id
    await progressed(runtime, start, prepared=True, at=1)
    (asked,) = freezes(await sweep(runtime))
    assert asked.campaign_id == last.id
