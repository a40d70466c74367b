"""Every path of an approval, kind by kind, with a driven clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE
from shared.clock import DrivenClock
from shared.service import Runtime
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
from topics.approval_rules import ApprovalRule, ApprovalRules
from topics.delivery import (
    AnswerRefused,
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalState,
    DecideApproval,
    Decision,
    RequestApproval,
    WithdrawApproval,
)
from topics.operators import OperatorState, Role

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LAWYER, CHIEF = uuid4(), uuid4()
TARGET, EXTERNAL, START = (
    ApprovalKind.TARGET,
    ApprovalKind.EXTERNAL_CONTENT,
    ApprovalKind.START,
)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class Desk:
    """One campaign's approvals: asked by rules, answered, and looked at as time goes by."""

    def __init__(self, runtime: Runtime, clock: DrivenClock) -> None:
        self.runtime, self.clock = runtime, clock
        self.campaign_id, self.snapshot_id = uuid4(), uuid4()

    async def ask(
        self, kind: ApprovalKind = TARGET, rule: ApprovalRule | None = None
    ) -> ApprovalState | None:
        """Return the approval that was asked; ``None`` when its turn has not come."""
        answers = await self.runtime.execute(
            RequestApproval(
                campaign_id=self.campaign_id,
                campaign_number=1042,
                campaign_label="Spring",
                snapshot_id=self.snapshot_id,
                snapshot_hash="5" * 64,
                count=12,
                reviewer_ids=(),
                requested_by=actor(MANAGER),
                kind=kind,
                rules=ApprovalRules(**{kind.value: rule}),
            )
        )
        asked = [one for one in answers if isinstance(one, ApprovalRequested)]
        return await self.state(asked[0].approval_id) if asked else None

    async def asked(
        self, kind: ApprovalKind = TARGET, rule: ApprovalRule | None = None
    ) -> ApprovalState:
        found = await self.ask(kind, rule)
        assert found is not None
        assert found.kind is kind
        return found

    async def state(self, approval_id: UUID) -> ApprovalState:
        every = await said(self.runtime, ApprovalState)
        return [one for one in every if one.approval_id == approval_id][-1]

    async def answer(
        self, approval: ApprovalState, by: UUID = REVIEWER, decision: Decision = Decision.APPROVE
    ) -> ApprovalDecided | AnswerRefused:
        answers = await self.runtime.execute(
            DecideApproval(
                approval_id=approval.approval_id,
                campaign_id=self.campaign_id,
                revision=approval.revision,
                decision=decision,
                reason="because",
                actor=actor(by),
            )
        )
        return [one for one in answers if isinstance(one, ApprovalDecided | AnswerRefused)][-1]

    async def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        await work_off(self.runtime)

    async def timers(self) -> int:
        count: int = await self.runtime.pool.fetchval("SELECT count(*) FROM timers")
        return count


@pytest.fixture
async def desk(open_service: Open) -> Desk:
    clock = DrivenClock(NOON)
    runtime = await open_service(SERVICE, clock=clock)
    await add_operators(runtime)
    await runtime.execute(in_group(LAWYER, "Lea", "legal"))
    await runtime.execute(in_group(CHIEF, "Chi", "chiefs"))
    return Desk(runtime, clock)


def in_group(operator_id: UUID, name: str, group: str, *, version: int = 1) -> OperatorState:
    known = operator(operator_id, Role.REVIEWER, name=name)
    return known.model_copy(update={"version": version, "groups": (group,)})


async def test_approvals_of_several_kinds_stand_side_by_side_and_are_withdrawn_together(
    desk: Desk,
) -> None:
    target = await desk.asked()
    assert await desk.ask(START) is None, "nothing before it is granted"
    await desk.answer(target)
    start = await desk.asked(START)
    assert (await desk.state(target.approval_id)).outcome is ApprovalOutcome.APPROVED
    await desk.runtime.execute(
        WithdrawApproval(campaign_id=desk.campaign_id, reason="edited", actor=actor(MANAGER))
    )
    for one in (target, start):
        assert (await desk.state(one.approval_id)).outcome is ApprovalOutcome.WITHDRAWN
    assert await desk.timers() == 0


async def test_a_newer_request_takes_the_place_of_its_kind_and_of_other_snapshots(
    desk: Desk,
) -> None:
    target = await desk.asked()
    await desk.answer(target)
    start = await desk.asked(START)
    again = await desk.asked(START)
    assert (await desk.state(start.approval_id)).outcome is ApprovalOutcome.WITHDRAWN
    assert (await desk.state(target.approval_id)).outcome is ApprovalOutcome.APPROVED
    desk.snapshot_id = uuid4()
    await desk.asked()
    for one in (target, again):
        assert (await desk.state(one.approval_id)).outcome is ApprovalOutcome.WITHDRAWN


async def test_external_content_waits_for_the_proofs_approval(desk: Desk) -> None:
    await desk.answer(await desk.asked())
    assert await desk.ask(EXTERNAL) is None


async def test_a_group_is_asked_as_it_is_and_answers_as_it_will_be(desk: Desk) -> None:
    asked = await desk.asked(TARGET, ApprovalRule(reviewer_groups=("legal",)))
    assert (asked.reviewer_ids, asked.reviewer_groups) == ((LAWYER,), ("legal",))
    refused = await desk.answer(asked)
    assert isinstance(refused, AnswerRefused)
    assert refused.code == "not_reviewer"
    await desk.runtime.execute(in_group(REVIEWER, "Rob", "legal", version=9))
    assert isinstance(await desk.answer(asked), ApprovalDecided)


async def test_a_group_of_nobody_is_not_everybody(desk: Desk) -> None:
    asked = await desk.asked(TARGET, ApprovalRule(reviewer_groups=("nobody",)))
    assert isinstance(await desk.answer(asked), AnswerRefused)


async def test_any_number_of_reminders_at_hours_and_dates_then_the_rules_own_deadline(
    desk: Desk,
) -> None:
    rule = ApprovalRule(
        deadline_hours=10,
        remind_after_hours=(1, 2, 3, 4),
        remind_at=(NOON + hours(5.5), NOON + hours(30)),
    )
    asked = await desk.asked(TARGET, rule)
    assert asked.deadline_at == NOON + hours(10)
    sent = []
    for _ in range(9):
        await desk.pass_time(hours(1))
        sent.append((await desk.state(asked.approval_id)).reminders_sent)
    assert sent == [1, 2, 3, 4, 4, 5, 5, 5, 5]
    assert [one.number for one in await said(desk.runtime, ApprovalReminded)] == [1, 2, 3, 4, 5]
    await desk.pass_time(hours(1))
    assert (await desk.state(asked.approval_id)).outcome is ApprovalOutcome.EXPIRED
    assert await desk.timers() == 0


@pytest.mark.parametrize("decision", list(Decision))
async def test_every_kinds_answers_end_it_for_everybody_and_its_timers(
    desk: Desk, decision: Decision
) -> None:
    first = await desk.asked()
    await desk.answer(first)
    for kind in (TARGET, START):
        asked = await desk.asked(kind)
        ended = await desk.answer(asked, decision=decision)
        assert isinstance(ended, ApprovalDecided)
        late = await desk.answer(asked, by=LAWYER)
        assert isinstance(late, AnswerRefused)
        assert (late.code, late.decided_by) == ("already_decided", str(REVIEWER))
        await desk.answer(await desk.asked())
    assert await desk.timers() == 0
    assert isinstance(await desk.answer(first, by=OTHER), AnswerRefused)
