"""The campaign service over its rows: one campaign conducted by the answers of the others."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID, uuid4

import pytest

from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.campaign_story import (
    ACTOR,
    REVIEWER,
    Story,
    one,
    status,
    with_people,
)
from topics.budget import CommitFunds, FundsRefused, ReleaseFunds
from topics.campaign import (
    CampaignFormOpened,
    CampaignPlan,
    CampaignRefused,
    CampaignState,
    CancelCampaign,
    CreateCampaign,
    EditCampaign,
    LaunchCampaign,
    OpenCampaignForm,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalOutcome,
    DeliveryCounts,
    DeliveryFinished,
    StartDelivery,
    WithdrawApproval,
)
from topics.message import Actor, Message, Via
from topics.workflows import WorkflowState, WorkflowStatus


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    return await with_people(open_service)


async def test_a_campaign_goes_from_new_to_finished_by_the_answers_of_the_others(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    assert await status(runtime, story.id) == Status.READY_TO_TEST
    await story.approve()
    assert await status(runtime, story.id) == Status.PROOF_PENDING
    await story.fund()
    assert await status(runtime, story.id) == Status.READY_TO_RUN
    start = one(StartDelivery, await story.sweep())
    assert (start.snapshot_hash, start.content_hash, start.count) == ("snap", "hash-1", 10)
    assert await status(runtime, story.id) == Status.RUNNING
    counts = DeliveryCounts(targeted=10, sent=8, ignored=2, emails_sent=8)
    emitted = await story.do(
        DeliveryFinished(
            campaign_id=story.id,
            run_id=start.run_id,
            delivery_id=story.delivery_id,
            counts=counts,
            revision=3,
        )
    )
    assert await status(runtime, story.id) == Status.FINISHED
    assert one(CommitFunds, emitted).volumes.emails == 8
    synthesis = one(CampaignState, emitted).synthesis
    assert synthesis.messages_targeted == synthesis.messages_sent + synthesis.messages_ignored


async def test_a_due_campaign_is_started_once_however_often_it_is_looked_at(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.fund()
    starts = [m for _ in range(3) for m in await story.sweep() if isinstance(m, StartDelivery)]
    assert len(starts) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        ApprovalOutcome.CHANGES_REQUESTED,
        ApprovalOutcome.REJECTED,
        ApprovalOutcome.EXPIRED,
        ApprovalOutcome.WITHDRAWN,
    ],
)
async def test_any_other_end_of_an_approval_makes_the_campaign_ready_to_test(
    runtime: Runtime, outcome: ApprovalOutcome
) -> None:
    story = Story(runtime)
    await story.create()
    await story.prove()
    await story.decide(outcome)
    assert await status(runtime, story.id) == Status.READY_TO_TEST
    await story.prove()  # and the proof can be asked again
    assert await status(runtime, story.id) == Status.PROOF_PENDING


async def test_a_refused_hold_voids_the_approval_and_says_why(runtime: Runtime) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    emitted = await story.do(
        FundsRefused(
            campaign_id=story.id,
            hold_id=story.hold_id,
            budget_id=story.budget_id,
            asked_minor=100,
            left_minor=5,
            reason="asked 1.00 EUR, 0.05 EUR left",
        )
    )
    state = one(CampaignState, emitted)
    assert (state.status, state.waiting_for) == (
        Status.READY_TO_TEST,
        "asked 1.00 EUR, 0.05 EUR left",
    )
    assert one(WithdrawApproval, emitted)


async def test_an_edit_of_the_target_voids_the_approval_and_gives_the_money_back(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.fund()
    plan = CampaignPlan(targeting_id=new_id())
    emitted = await story.do(EditCampaign(campaign_id=story.id, actor=ACTOR, plan=plan))
    assert one(ReleaseFunds, emitted).hold_id == story.hold_id
    assert one(WithdrawApproval, emitted)
    assert await status(runtime, story.id) == Status.READY_TO_TEST
    assert not [m for m in await story.sweep() if isinstance(m, StartDelivery)]


async def test_new_content_voids_a_granted_approval(runtime: Runtime) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.fund()
    await story.prepared("hash-2")
    assert await status(runtime, story.id) == Status.READY_TO_TEST


async def test_a_hold_answered_after_the_campaign_was_cancelled_is_released(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.do(CancelCampaign(campaign_id=story.id, actor=ACTOR))
    assert one(ReleaseFunds, await story.fund()).hold_id == story.hold_id
    assert await status(runtime, story.id) == Status.CANCELLED


async def test_a_reviewer_may_not_create_and_a_stranger_may_not_launch(runtime: Runtime) -> None:
    reviewer = Actor(id=str(REVIEWER), via=Via.SLACK)
    emitted = await runtime.execute(
        CreateCampaign(campaign_id=new_id(), actor=reviewer, plan=CampaignPlan(label="x"))
    )
    assert one(CampaignRefused, emitted).reason == "reviewer may not manage campaigns"
    stranger = Actor(id=str(uuid4()), via=Via.SLACK)
    emitted = await runtime.execute(LaunchCampaign(campaign_id=new_id(), actor=stranger))
    assert one(CampaignRefused, emitted).reason == "this operator is not known here"
    assert await runtime.pool.fetchval("SELECT count(*) FROM campaigns") == 0


async def test_a_forms_number_is_never_used_again(runtime: Runtime) -> None:
    async def open_form(campaign_id: UUID) -> int:
        emitted = await runtime.execute(OpenCampaignForm(campaign_id=campaign_id, actor=ACTOR))
        return one(CampaignFormOpened, emitted).number

    abandoned, kept = new_id(), new_id()
    first, again, second = (
        await open_form(abandoned),
        await open_form(abandoned),
        await open_form(kept),
    )
    assert first == again
    assert second > first
    emitted = await runtime.execute(
        CreateCampaign(campaign_id=kept, actor=ACTOR, plan=CampaignPlan(label="x"))
    )
    assert one(CampaignState, emitted).number == second


async def test_a_campaign_says_by_name_which_stopped_workflow_it_waits_for(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.fund()

    def tell(version: int, status: WorkflowStatus) -> Awaitable[list[Message]]:
        return runtime.execute(
            WorkflowState(
                name="operationMgt",
                version=version,
                service="campaign",
                label="Campaign jobs",
                label_fr="Traitements",
                package="Campaign",
                schedule="every 60 s",
                status=status,
            )
        )

    state = one(CampaignState, await tell(5, WorkflowStatus.STOPPED))
    assert (state.waiting_for, state.waiting_workflow) == (
        "waits for operationMgt, which is stopped",
        "operationMgt",
    )
    assert await tell(4, WorkflowStatus.STARTED) == []  # an older state changes nothing
    assert one(CampaignState, await tell(6, WorkflowStatus.STARTED)).waiting_for is None
