"""Recurring and periodic campaigns over their rows: approved, started, missed, suspended, ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.campaign.app import SERVICE
from services.campaign.invariants import broken
from shared.clock import DrivenClock
from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.campaign_story import (
    ACTOR,
    COUNTS,
    MANAGER,
    REVIEWER,
    Story,
    one,
    status,
)
from topics.approval_rules import ApproveOnce
from topics.campaign import (
    CampaignPlan,
    CampaignRefused,
    CampaignState,
    CancelCampaign,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
    ResumeCampaign,
    SuspendCampaign,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalOutcome,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryProgressed,
    GenerateProof,
    PrepareDelivery,
    StartDelivery,
)
from topics.message import Message
from topics.operators import OperatorState, Role
from topics.schedules import (
    AnswerMissedStart,
    CampaignKind,
    Frequency,
    OccurrenceCreated,
    Recurrence,
    Schedule,
    ScheduleSet,
    SetSchedule,
    StartMissed,
)
from topics.targeting import FreezeSnapshot, SnapshotFrozen, TargetCounted

MONDAY = datetime(2026, 8, 3, 6, tzinfo=UTC)  # 08:00 in Paris
THREE = Schedule(
    recurrence=Recurrence(frequency=Frequency.WEEKLY, count=3),
    times=("09:00",),
    create_ahead_days=8,
)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(MONDAY - timedelta(days=3))


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    opened = await open_service(SERVICE, clock=clock, CAMPAIGN_LIMIT_CONCURRENCY="2")
    for operator_id, role in ((MANAGER, Role.MANAGER), (REVIEWER, Role.REVIEWER)):
        await opened.execute(
            OperatorState(operator_id=operator_id, version=1, name=role, roles=(role,))
        )
    return opened


async def sweep(runtime: Runtime) -> list[Message]:
    """Do all that operationMgt finds to do; return what it said."""
    said: list[Message] = []
    more = True
    while more:
        async with runtime.uow.begin() as work:
            more = (await SERVICE.workflows[0].run(work)).more
            said += work.emitted
    return said


def created(messages: Sequence[Message]) -> list[OccurrenceCreated]:
    return [one for one in messages if isinstance(one, OccurrenceCreated)]


class Series(Story):
    """A campaign with a schedule, and the other services' answers to its occurrences."""

    def __init__(self, runtime: Runtime, clock: DrivenClock) -> None:
        super().__init__(runtime)
        self.clock = clock

    async def schedule(
        self, schedule: Schedule | None = THREE, kind: CampaignKind = CampaignKind.RECURRING
    ) -> list[Message]:
        return await self.do(
            SetSchedule(campaign_id=self.id, actor=ACTOR, kind=kind, schedule=schedule)
        )

    async def launched(self, schedule: Schedule = THREE, **more: object) -> None:
        await self.create()
        await self.edit(**{"zone": "Europe/Paris", "start_at": MONDAY} | more)
        await self.schedule(schedule)
        await self.do(LaunchCampaign(campaign_id=self.id, actor=ACTOR))

    async def edit(self, **fields: object) -> list[Message]:
        plan = CampaignPlan.model_validate(fields)
        return await self.do(EditCampaign(campaign_id=self.id, actor=ACTOR, plan=plan))

    async def at(self, text: str) -> list[Message]:
        """Let it be a time in UTC, and see what operationMgt says then."""
        self.clock.advance(datetime.fromisoformat(text).replace(tzinfo=UTC) - self.clock.now())
        return await sweep(self.runtime)


class Occurrence(Story):
    """One occurrence, conducted by the answers of the others."""

    async def settle(self, said: Sequence[Message], event: OccurrenceCreated) -> None:
        self.id = event.occurrence_id
        prepare = next(
            m for m in said if isinstance(m, PrepareDelivery) and m.campaign_id == self.id
        )
        self.delivery_id, self.template_id = prepare.delivery_id, prepare.template_id
        row = await self.runtime.pool.fetchrow(
            "SELECT targeting_id, budget_id FROM campaigns WHERE campaign_id = $1", self.id
        )
        assert row is not None
        self.targeting_id, self.budget_id = row["targeting_id"], row["budget_id"]
        await self.do(
            TargetCounted(campaign_id=self.id, targeting_id=self.targeting_id, counts=COUNTS)
        )
        await self.prepared("hash-1")

    async def approved(self) -> None:
        """Have the approval that was asked for granted, and its money held."""
        self.snapshot_id = await self.runtime.pool.fetchval(
            "SELECT snapshot_id FROM campaigns WHERE campaign_id = $1", self.id
        )
        await self.do(
            SnapshotFrozen(
                campaign_id=self.id,
                snapshot_id=self.snapshot_id,
                targeting_id=self.targeting_id,
                snapshot_hash="snap",
                members=10,
                chunks=1,
                counts=COUNTS,
            )
        )
        await self.decide(ApprovalOutcome.APPROVED)
        self.hold_id = await self.runtime.pool.fetchval(
            "SELECT hold_id FROM campaigns WHERE campaign_id = $1", self.id
        )
        await self.fund()

    async def finish(self, start: StartDelivery) -> None:
        await self.do(
            DeliveryFinished(
                campaign_id=self.id,
                run_id=start.run_id,
                delivery_id=self.delivery_id,
                counts=DeliveryCounts(targeted=10, sent=8, ignored=2, emails_sent=8),
                revision=9,
            )
        )


async def occurrences(runtime: Runtime, said: Sequence[Message]) -> list[Occurrence]:
    found = []
    for event in created(said):
        found.append(Occurrence(runtime))
        await found[-1].settle(said, event)
    return found


def starts(said: Sequence[Message]) -> list[StartDelivery]:
    return [one for one in said if isinstance(one, StartDelivery)]


async def waits(runtime: Runtime, campaign_id: UUID) -> str | None:
    found: str | None = await runtime.pool.fetchval(
        "SELECT waiting_for FROM campaigns WHERE campaign_id = $1", campaign_id
    )
    return found


async def test_a_recurring_campaign_makes_three_occurrences_each_approved_and_started(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    assert await status(runtime, series.id) == Status.RUNNING
    said = await sweep(runtime)
    assert [(o.number, o.label, o.local_at) for o in created(said)] == [
        (1, "Autumn#1", "2026-08-03T09:00")
    ]
    (first,) = await occurrences(runtime, said)
    # Three days before its date: the approval is asked for, without anybody's doing.
    assert not [m for m in await sweep(runtime) if isinstance(m, FreezeSnapshot)]
    said = await series.at("2026-07-31T07:00")
    assert one(FreezeSnapshot, said).campaign_id == first.id
    await first.approved()
    assert not starts(await series.at("2026-08-03T06:59"))
    start = one(StartDelivery, await series.at("2026-08-03T07:00"))
    assert start.campaign_id == first.id
    await first.finish(start)
    for week, number in ((10, 2), (17, 3)):
        said = await series.at(f"2026-08-{week - 3:02}T07:00")
        said += await sweep(runtime)
        following = await runtime.pool.fetchrow(
            "SELECT occurrence_id FROM occurrences WHERE campaign_id = $1 AND number = $2",
            series.id,
            number,
        )
        assert following is not None
        await _whole_life(series, following["occurrence_id"], f"2026-08-{week}T07:00")
    await sweep(runtime)
    assert await status(runtime, series.id) == Status.FINISHED


async def _whole_life(series: Series, occurrence_id: UUID, at: str) -> None:
    runtime = series.runtime
    row = await runtime.pool.fetchrow(
        "SELECT delivery_id, template_id FROM campaigns WHERE campaign_id = $1", occurrence_id
    )
    assert row is not None
    prepare = PrepareDelivery(campaign_id=occurrence_id, **dict(row))
    event = OccurrenceCreated(
        campaign_id=series.id,
        occurrence_id=occurrence_id,
        number=1,
        label="",
        local_at="2026-01-01T00:00",
        zone="UTC",
        starts_at=series.clock.now(),
    )
    occurrence = Occurrence(runtime)
    await occurrence.settle([prepare], event)
    await sweep(runtime)
    await occurrence.approved()
    start = one(StartDelivery, await series.at(at))
    assert start.campaign_id == occurrence_id
    await occurrence.finish(start)


async def test_an_approval_is_asked_for_once_and_sent_back_waits_for_a_person(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    (first,) = await occurrences(runtime, await series.at("2026-07-31T07:00"))
    assert one(FreezeSnapshot, await sweep(runtime)).campaign_id == first.id
    first.snapshot_id = await runtime.pool.fetchval(
        "SELECT snapshot_id FROM campaigns WHERE campaign_id = $1", first.id
    )
    await first.decide(ApprovalOutcome.CHANGES_REQUESTED)
    assert await status(runtime, first.id) == Status.READY_TO_TEST
    assert not [m for m in await sweep(runtime) if isinstance(m, FreezeSnapshot)]
    timers = await runtime.pool.fetchval(
        "SELECT count(*) FROM timers WHERE kind = 'campaign.proof'"
    )
    assert timers == 0


async def test_an_occurrence_whose_approval_may_stand_for_others_says_so_with_its_series(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series, once = Series(runtime, clock), ApproveOnce(days=30, tolerance_percent=5)
    await series.launched(THREE.model_copy(update={"approve_once": once}))
    (first,) = await occurrences(runtime, await series.at("2026-07-31T07:00"))
    asked = one(FreezeSnapshot, await sweep(runtime))
    said = await first.do(
        SnapshotFrozen(
            campaign_id=first.id,
            snapshot_id=asked.snapshot_id,
            targeting_id=asked.targeting_id,
            snapshot_hash="snap",
            members=10,
            chunks=1,
            counts=COUNTS,
        )
    )
    proof = one(GenerateProof, said)
    assert (proof.series_id, proof.rules.once) == (series.id, once)
    # Granted at once, without a proof: the decision alone leads on.
    first.snapshot_id = asked.snapshot_id
    await first.decide(ApprovalOutcome.APPROVED)
    assert await status(runtime, first.id) == Status.PROOF_PENDING
    assert await waits(runtime, first.id) == "waits for its budget and stock"


async def test_a_start_missed_by_five_hours_asks_and_leaves_when_it_is_told_to(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    (first,) = await occurrences(runtime, await series.at("2026-07-31T07:00"))
    await sweep(runtime)
    await first.approved()
    said = await series.at("2026-08-03T12:00")
    assert not starts(said)
    assert one(StartMissed, said).campaign_id == first.id
    assert await waits(runtime, first.id) == "its start was missed: start it now or drop it"
    assert not [m for m in await sweep(runtime) if isinstance(m, StartMissed | StartDelivery)]
    # What is missed sets no timer: operationMgt is not woken for it again and again.
    due = await runtime.pool.fetchval("SELECT count(*) FROM timers WHERE due_at <= $1", clock.now())
    assert due == 0
    await first.do(AnswerMissedStart(campaign_id=first.id, actor=ACTOR, start=True))
    assert one(StartDelivery, await sweep(runtime)).campaign_id == first.id
    refused = await first.do(AnswerMissedStart(campaign_id=first.id, actor=ACTOR, start=True))
    assert one(CampaignRefused, refused).code == "no_missed_start"


async def test_dates_that_passed_while_nothing_ran_are_missed_and_can_be_dropped(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    said = await series.at("2026-08-20T00:00")
    assert [event.number for event in created(said)] == [1, 2, 3]
    assert len([m for m in said if isinstance(m, StartMissed)]) == 3
    found = await occurrences(runtime, said)
    assert not [m for m in await sweep(runtime) if isinstance(m, FreezeSnapshot)]
    for occurrence in found:
        await occurrence.do(AnswerMissedStart(campaign_id=occurrence.id, actor=ACTOR, start=False))
        assert await status(runtime, occurrence.id) == Status.CANCELLED
    await sweep(runtime)
    assert await status(runtime, series.id) == Status.FINISHED


async def test_a_suspended_one_creates_and_starts_nothing_and_goes_on_from_then(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    (first,) = await occurrences(runtime, await series.at("2026-07-31T07:00"))
    await sweep(runtime)
    await first.approved()
    await series.do(SuspendCampaign(campaign_id=series.id, actor=ACTOR))
    said = await series.at("2026-08-11T00:00")
    assert not [m for m in said if isinstance(m, OccurrenceCreated | StartDelivery | StartMissed)]
    assert await waits(runtime, first.id) == "waits until its recurring campaign is launched again"
    await series.do(ResumeCampaign(campaign_id=series.id, actor=ACTOR))
    said = await sweep(runtime)
    # The date that passed meanwhile is past; the one that was there already asks.
    assert [event.local_at for event in created(said)] == ["2026-08-17T09:00"]
    assert one(StartMissed, said).campaign_id == first.id


async def test_cancelling_a_recurring_one_ends_what_has_not_started_a_periodic_one_does_not(
    runtime: Runtime, clock: DrivenClock
) -> None:
    for kind, left in (
        (CampaignKind.RECURRING, Status.CANCELLED),
        (CampaignKind.PERIODIC, Status.READY_TO_TEST),
    ):
        series = Series(runtime, clock)
        await series.create()
        await series.edit(zone="Europe/Paris", start_at=MONDAY, label=str(kind))
        await series.schedule(THREE, kind)
        await series.do(LaunchCampaign(campaign_id=series.id, actor=ACTOR))
        (first,) = await occurrences(runtime, await sweep(runtime))
        await series.do(CancelCampaign(campaign_id=series.id, actor=ACTOR))
        assert await status(runtime, first.id) == left
        assert not created(await sweep(runtime))
    label = await runtime.pool.fetchval(
        "SELECT label FROM campaigns WHERE campaign_id = $1", first.id
    )
    assert label == "periodic 2026-08-03 09:00"


async def test_a_changed_schedule_ends_occurrences_whose_date_it_lacks_and_repeats_none(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    (first,) = await occurrences(runtime, await sweep(runtime))
    await series.do(SuspendCampaign(campaign_id=series.id, actor=ACTOR))
    await series.schedule(THREE)
    await series.do(LaunchCampaign(campaign_id=series.id, actor=ACTOR))
    assert not created(await sweep(runtime))
    assert await status(runtime, first.id) == Status.READY_TO_TEST
    await series.do(SuspendCampaign(campaign_id=series.id, actor=ACTOR))
    await series.schedule(THREE.model_copy(update={"times": ("10:30",)}))
    await series.do(LaunchCampaign(campaign_id=series.id, actor=ACTOR))
    said = await sweep(runtime)
    assert [(event.number, event.local_at) for event in created(said)] == [(2, "2026-08-03T10:30")]
    assert await status(runtime, first.id) == Status.CANCELLED


async def test_no_more_are_prepared_at_once_than_the_limit_and_the_next_follows(
    runtime: Runtime,
) -> None:
    every = []
    for priority in (5, 1, 3):
        story = Story(runtime)
        await story.create()
        await story.do(
            EditCampaign(campaign_id=story.id, actor=ACTOR, plan=CampaignPlan(priority=priority))
        )
        await story.approve()
        await story.fund()
        every.append(story)
    last, first, second = every
    begun = starts(await sweep(runtime))
    assert [start.campaign_id for start in begun] == [first.id, second.id]
    assert await waits(runtime, last.id) == "starts as soon as there is room for another start"
    assert not starts(await sweep(runtime))
    await first.do(
        DeliveryProgressed(
            campaign_id=first.id,
            run_id=begun[0].run_id,
            delivery_id=first.delivery_id,
            counts=DeliveryCounts(targeted=10, pending=10),
            revision=1,
        )
    )
    woken = await runtime.pool.fetchval("SELECT count(*) FROM workflow_wakes")
    assert woken
    assert one(StartDelivery, await sweep(runtime)).campaign_id == last.id


async def test_nothing_is_created_in_the_name_of_a_manager_who_may_no_longer(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    await runtime.execute(
        OperatorState(operator_id=MANAGER, version=2, name="M", roles=(Role.REVIEWER,))
    )
    assert not created(await sweep(runtime))
    assert await status(runtime, series.id) == Status.SUSPENDED
    assert "may no longer manage campaigns" in (await waits(runtime, series.id) or "")


async def test_what_a_schedule_cannot_be_is_refused_by_its_field(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.create()
    assert one(CampaignRefused, await series.schedule(Schedule())).field == "schedule"
    assert one(CampaignRefused, await series.schedule(None)).code == "schedule_and_kind"
    assert one(ScheduleSet, await series.schedule(THREE)).next_at is not None
    proof = await series.do(RequestProof(campaign_id=series.id, actor=ACTOR))
    assert one(CampaignRefused, proof).code == "proof_of_series"
    await series.do(LaunchCampaign(campaign_id=series.id, actor=ACTOR))
    assert one(CampaignRefused, await series.schedule(THREE)).code == "cannot_schedule"
    refused = await series.do(
        SetSchedule(campaign_id=uuid4(), actor=ACTOR, kind=CampaignKind.UNIQUE)
    )
    assert one(CampaignRefused, refused).code == "unknown_campaign"


async def test_the_state_of_an_occurrence_names_its_series_and_number(
    runtime: Runtime, clock: DrivenClock
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    said = await sweep(runtime)
    (event,) = created(said)
    states = [m for m in said if isinstance(m, CampaignState)]
    (state,) = [one for one in states if one.campaign_id == event.occurrence_id]
    assert (state.series_id, state.occurrence, state.kind) == (series.id, 1, CampaignKind.UNIQUE)
    (parent,) = [one for one in states if one.campaign_id == series.id]
    assert parent.next_at == datetime(2026, 8, 10, 7, tzinfo=UTC)
    assert new_id() != event.occurrence_id


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE campaigns SET series_id = NULL WHERE series_id IS NOT NULL",
        "DELETE FROM occurrences",
        "UPDATE schedules SET created = 9",
    ],
)
async def test_a_check_names_a_date_that_is_not_one_campaign(
    runtime: Runtime, clock: DrivenClock, damage: str
) -> None:
    series = Series(runtime, clock)
    await series.launched()
    await sweep(runtime)
    async with runtime.uow.begin() as work:
        assert await broken(work.connection) == []
        await work.connection.execute(damage)
        assert all(line.startswith("I9 ") for line in await broken(work.connection))
        assert await broken(work.connection)
