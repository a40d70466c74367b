"""Approvals: five ends, who may answer, reminders and the deadline, with a driven clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE
from services.delivery.domain.approvals import OUTCOME_OF
from services.delivery.handlers.approvals import withdraw_approval
from shared.clock import DrivenClock
from shared.service import Runtime
from shared.workflows import set_status
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    OTHER,
    REVIEWER,
    actor,
    add_operators,
    operator,
    said,
    work_off,
)
from topics.cloudevents import Envelope
from topics.delivery import (
    AnswerRefused,
    ApprovalDecided,
    ApprovalOutcome,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalState,
    DecideApproval,
    Decision,
    RequestApproval,
    WithdrawApproval,
)
from topics.operators import Role
from topics.workflows import WorkflowStatus

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADMINISTRATOR = uuid4()


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOON)


@pytest.fixture
async def runtime(open_service: Open, clock: DrivenClock) -> Runtime:
    found = await open_service(SERVICE, clock=clock)
    await add_operators(found)
    await found.execute(operator(ADMINISTRATOR, Role.ADMINISTRATOR, name="Ana"))
    return found


async def ask(runtime: Runtime, *reviewers: UUID, campaign: UUID | None = None) -> ApprovalState:
    answers = await runtime.execute(
        RequestApproval(
            campaign_id=campaign or uuid4(),
            campaign_number=1042,
            campaign_label="Spring",
            snapshot_id=uuid4(),
            snapshot_hash="5" * 64,
            count=12,
            reviewer_ids=reviewers,
            requested_by=actor(MANAGER),
        )
    )
    [asked] = [one for one in answers if isinstance(one, ApprovalRequested)]
    assert (asked.deadline_at, asked.count) == (NOON + timedelta(days=3), 12)
    return next(one for one in reversed(answers) if isinstance(one, ApprovalState))


async def answer(
    runtime: Runtime,
    approval: ApprovalState,
    decision: Decision = Decision.APPROVE,
    *,
    by: UUID = REVIEWER,
    reason: str = "",
    revision: int | None = None,
) -> ApprovalDecided | AnswerRefused:
    answers = await runtime.execute(
        DecideApproval(
            approval_id=approval.approval_id,
            campaign_id=approval.campaign_id,
            revision=approval.revision if revision is None else revision,
            decision=decision,
            reason=reason,
            actor=actor(by),
        )
    )
    [found] = [one for one in answers if isinstance(one, ApprovalDecided | AnswerRefused)]
    return found


async def state(runtime: Runtime) -> ApprovalState:
    return (await said(runtime, ApprovalState))[-1]


async def test_a_reviewers_answer_ends_an_approval_and_a_later_click_is_told_who_decided(
    runtime: Runtime,
) -> None:
    for decision, outcome in OUTCOME_OF.items():
        approval = await ask(runtime)
        decided = await answer(runtime, approval, decision, reason="because")
        assert isinstance(decided, ApprovalDecided)
        assert (decided.outcome, decided.reason, decided.count) == (outcome, "because", 12)
        now = await state(runtime)
        assert (now.outcome, now.decided_by, now.version) == (outcome, str(REVIEWER), 2)
        late = await answer(runtime, approval, Decision.REJECT, by=ADMINISTRATOR, reason="late")
        assert isinstance(late, AnswerRefused)
        assert (late.code, late.outcome, late.decided_by, late.decided_at) == (
            "already_decided",
            outcome,
            str(REVIEWER),
            NOON,
        )
    assert len(await said(runtime, ApprovalDecided)) == 3


async def test_changes_and_rejections_need_a_reason(runtime: Runtime) -> None:
    approval = await ask(runtime)
    for decision in (Decision.REQUEST_CHANGES, Decision.REJECT):
        refused = await answer(runtime, approval, decision, reason="  ")
        assert isinstance(refused, AnswerRefused)
        assert refused.code == "reason_missing"
    assert (await state(runtime)).outcome is ApprovalOutcome.PENDING


WHO: list[tuple[tuple[UUID, ...], UUID, str | None]] = [
    ((), OTHER, "not_reviewer"),  # a manager has no right to approve
    ((), uuid4(), "not_reviewer"),  # a stranger
    ((ADMINISTRATOR,), REVIEWER, "not_reviewer"),  # has the right, is not named
    ((), MANAGER, "self_approval"),
    ((MANAGER, REVIEWER), MANAGER, "self_approval"),
    ((), REVIEWER, None),
    ((REVIEWER,), REVIEWER, None),
    ((REVIEWER,), ADMINISTRATOR, None),  # may, although not named
]


async def test_only_reviewers_with_the_right_and_not_the_requester_answer(
    runtime: Runtime,
) -> None:
    for reviewers, by, code in WHO:
        found = await answer(runtime, await ask(runtime, *reviewers), by=by)
        assert getattr(found, "code", None) == code


async def test_the_requester_may_approve_where_the_setting_says_so(
    open_service: Open, clock: DrivenClock
) -> None:
    runtime = await open_service(SERVICE, clock=clock, SELF_APPROVAL="true")
    await add_operators(runtime)
    assert isinstance(await answer(runtime, await ask(runtime), by=MANAGER), ApprovalDecided)


async def test_an_answer_to_another_revision_or_an_unknown_approval_is_refused(
    runtime: Runtime,
) -> None:
    approval = await ask(runtime)
    stale = await answer(runtime, approval, revision=7)
    assert isinstance(stale, AnswerRefused)
    assert stale.code == "stale_revision"
    unknown = await answer(runtime, approval.model_copy(update={"approval_id": uuid4()}))
    assert isinstance(unknown, AnswerRefused)
    assert unknown.code == "unknown_approval"


async def test_reminders_go_out_once_each_and_the_deadline_ends_the_approval(
    runtime: Runtime, clock: DrivenClock
) -> None:
    approval = await ask(runtime)
    clock.advance(timedelta(hours=23, minutes=59))
    await work_off(runtime)
    assert await said(runtime, ApprovalReminded) == []
    for hours in (1, 23, 1):
        clock.advance(timedelta(hours=hours))
        await work_off(runtime)
        await work_off(runtime)
    assert [one.number for one in await said(runtime, ApprovalReminded)] == [1, 2]
    assert (await state(runtime)).reminders_sent == 2
    clock.advance(timedelta(hours=24))
    await work_off(runtime)
    [ended] = await said(runtime, ApprovalDecided)
    assert ended.outcome is ApprovalOutcome.EXPIRED
    late = await answer(runtime, approval)
    assert isinstance(late, AnswerRefused)
    assert late.outcome is ApprovalOutcome.EXPIRED


async def test_the_deadline_holds_while_nobody_announces_it(
    runtime: Runtime, clock: DrivenClock
) -> None:
    approval = await ask(runtime)
    clock.advance(timedelta(days=3))
    late = await answer_at_deadline(runtime, approval)
    assert (late.code, late.outcome) == ("already_decided", ApprovalOutcome.EXPIRED)
    assert (await state(runtime)).outcome is ApprovalOutcome.EXPIRED


async def answer_at_deadline(runtime: Runtime, approval: ApprovalState) -> AnswerRefused:
    found = await answer_all(runtime, approval)
    [ended] = [one for one in found if isinstance(one, ApprovalDecided)]
    assert ended.outcome is ApprovalOutcome.EXPIRED
    [refused] = [one for one in found if isinstance(one, AnswerRefused)]
    return refused


async def answer_all(
    runtime: Runtime, approval: ApprovalState
) -> list[ApprovalDecided | AnswerRefused]:
    answers = await runtime.execute(
        DecideApproval(
            approval_id=approval.approval_id,
            campaign_id=approval.campaign_id,
            revision=approval.revision,
            decision=Decision.APPROVE,
            actor=actor(REVIEWER),
        )
    )
    return [one for one in answers if isinstance(one, ApprovalDecided | AnswerRefused)]


async def test_a_stopped_delivery_mgt_sends_no_reminder_and_one_when_it_is_started_late(
    runtime: Runtime, clock: DrivenClock
) -> None:
    await ask(runtime)
    async with runtime.uow.begin() as work:
        await set_status(work, "deliveryMgt", WorkflowStatus.STOPPED)
    clock.advance(timedelta(hours=50))
    assert not await runtime.engine._run_if_due(SERVICE.workflows[0], asyncio.Event())
    assert await said(runtime, ApprovalReminded) == []
    async with runtime.uow.begin() as work:
        await set_status(work, "deliveryMgt", WorkflowStatus.STARTED)
    assert await runtime.engine._run_if_due(SERVICE.workflows[0], asyncio.Event())
    assert [one.number for one in await said(runtime, ApprovalReminded)] == [2]


async def test_a_withdrawal_ends_an_open_approval_and_voids_a_granted_one(
    runtime: Runtime, clock: DrivenClock
) -> None:
    for granted in (False, True):
        approval = await ask(runtime)
        if granted:
            await answer(runtime, approval)
        await withdrawn(runtime, approval)
    clock.advance(timedelta(days=4))
    await work_off(runtime)
    assert await said(runtime, ApprovalReminded) == []
    assert {one.outcome for one in await said(runtime, ApprovalDecided)} == {
        ApprovalOutcome.APPROVED,
        ApprovalOutcome.WITHDRAWN,
    }


async def withdrawn(runtime: Runtime, approval: ApprovalState) -> None:
    withdraw = WithdrawApproval(
        campaign_id=approval.campaign_id, reason="the target was edited", actor=actor(MANAGER)
    )
    await runtime.execute(withdraw)
    assert await runtime.execute(withdraw) == []
    ended = (await said(runtime, ApprovalDecided))[-1]
    assert (ended.outcome, ended.reason) == (ApprovalOutcome.WITHDRAWN, "the target was edited")


async def test_a_newer_request_takes_the_place_of_an_open_one(runtime: Runtime) -> None:
    first = await ask(runtime)
    second = await ask(runtime, campaign=first.campaign_id)
    assert (first.revision, second.revision) == (1, 2)
    refused = await answer(runtime, first)
    assert isinstance(refused, AnswerRefused)
    assert refused.outcome is ApprovalOutcome.WITHDRAWN
    assert isinstance(await answer(runtime, second), ApprovalDecided)


async def test_a_replayed_withdrawal_does_not_void_an_approval_given_later(
    runtime: Runtime,
) -> None:
    campaign = uuid4()
    await ask(runtime, campaign=campaign)
    command = WithdrawApproval(campaign_id=campaign, reason="edited", actor=actor(MANAGER))
    await handle_from_kafka(runtime, command)
    later = await ask(runtime, campaign=campaign)
    await answer(runtime, later)
    # The same message again, as after a replay that the inbox does not remember.
    await handle_from_kafka(runtime, command)
    assert (await state(runtime)).outcome is ApprovalOutcome.APPROVED


async def handle_from_kafka(runtime: Runtime, command: WithdrawApproval) -> None:
    async with runtime.uow.begin() as work:
        work.cause = Envelope(
            id="one",
            source="/muster/bot",
            type=command.ce_type,
            time=NOON,
            data=b"",
        )
        await withdraw_approval(command, work)
