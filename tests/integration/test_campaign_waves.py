"""A campaign in waves over its rows: refused in time, started with them, followed in its state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.campaign.app import SERVICE
from shared.clock import DrivenClock
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.campaign_story import ACTOR, MANAGER, Story, one
from tests.integration.test_campaign_series import Series, starts, sweep, waits
from topics.campaign import (
    CampaignPlan,
    CampaignRefused,
    CampaignState,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
)
from topics.delivery import DeliveryCounts, DeliveryProgressed
from topics.message import Message
from topics.operators import OperatorState, Role
from topics.schedules import Frequency, Recurrence, Schedule
from topics.waves import WaveProgress, Waves, WaveUnit

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
DAILY = Waves(unit=WaveUnit.PERCENT, size=25, period_minutes=24 * 60)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOON)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock=clock)
    await opened.execute(
        OperatorState(operator_id=MANAGER, version=1, name="M", roles=(Role.MANAGER,))
    )
    return opened


async def edit(story: Story, **fields: object) -> list[Message]:
    plan = CampaignPlan.model_validate(fields)
    return await story.do(EditCampaign(campaign_id=story.id, actor=ACTOR, plan=plan))


async def test_waves_go_with_the_start_and_are_followed_in_state_and_journal(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    await edit(story, waves=DAILY)
    await story.approve()
    await story.fund()
    (start,) = starts(await sweep(runtime))
    assert start.waves == DAILY
    progress = WaveProgress(opened=1, total=4, next_at=NOON + timedelta(days=1))
    said = await story.do(
        DeliveryProgressed(
            campaign_id=story.id,
            run_id=start.run_id,
            delivery_id=story.delivery_id,
            counts=DeliveryCounts(targeted=10, pending=8, sent=2),
            waves=progress,
            revision=1,
        )
    )
    state = one(CampaignState, said)
    assert (state.waves, state.waiting_code) == (progress, "waits_wave")
    assert state.waiting_for == "its wave 2 of 4 leaves at 2026-08-04T12:00+00:00"
    assert await runtime.pool.fetchval("SELECT count(*) FROM journal WHERE type = 'wave 1 of 4'")


async def test_a_last_wave_behind_the_end_is_refused_by_edit_proof_and_launch(
    runtime: Runtime, clock: DrivenClock
) -> None:
    story = Story(runtime)
    await story.create()
    short = {"waves": DAILY, "end_at": NOON + timedelta(days=3)}
    refused = one(CampaignRefused, await edit(story, **short))
    assert (refused.field, refused.code) == ("waves", "waves_too_late")
    await edit(story, waves=DAILY, end_at=NOON + timedelta(days=3, hours=1))
    clock.advance(timedelta(hours=2))
    proof = await story.do(RequestProof(campaign_id=story.id, actor=ACTOR))
    assert one(CampaignRefused, proof).code == "waves_too_late"
    await edit(story, end_at=NOON + timedelta(days=4))
    await story.approve()
    clock.advance(timedelta(days=1))
    await story.fund()
    assert not starts(await sweep(runtime))
    assert await waits(runtime, story.id) == (
        "its last wave would leave after its end: set a later end, or bigger or closer waves"
    )
    due = await runtime.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= $1", clock.now())
    assert due == 0
    launch = await story.do(LaunchCampaign(campaign_id=story.id, actor=ACTOR))
    assert one(CampaignRefused, launch).code == "waves_too_late"
    await edit(story, waves={"unit": "percent", "size": 50, "period_minutes": 60})
    assert len(starts(await sweep(runtime))) == 1


async def test_occurrences_leave_in_the_waves_of_their_campaign_if_they_last_long_enough(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.create()
    await series.edit(waves=DAILY)
    weekly = Schedule(recurrence=Recurrence(frequency=Frequency.WEEKLY, count=2), times=("09:00",))
    await series.schedule(weekly.model_copy(update={"duration_days": 3}))
    launch = LaunchCampaign(campaign_id=series.id, actor=ACTOR)
    assert one(CampaignRefused, await series.do(launch)).code == "waves_too_late"
    await series.schedule(weekly.model_copy(update={"duration_days": 4}))
    await series.do(launch)
    await sweep(runtime)
    clock.advance(timedelta(days=1))
    await sweep(runtime)
    kept = await runtime.pool.fetch("SELECT waves FROM campaigns WHERE series_id = $1", series.id)
    assert kept
    assert all(Waves.model_validate(row["waves"]) == DAILY for row in kept)
