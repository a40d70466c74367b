"""Every path of an approval, kind by kind, with a driven clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.delivery.app import SERVICE
from services.delivery.store.approval_log import ApprovalLog
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
from topics.approval_rules import ApprovalRule, ApprovalRules, EscalationRule
from topics.approvals import (
    ApprovalDelegated,
    ApprovalEscalated,
    ApprovalSnoozed,
    DelegateApproval,
    SnoozeApproval,
)
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

    async def snooze(
        self, approval: ApprovalState, by: UUID, until: datetime
    ) -> ApprovalSnoozed | AnswerRefused:
        answers = await self.runtime.execute(
            SnoozeApproval(
                approval_id=approval.approval_id,
                campaign_id=self.campaign_id,
                until=until,
                actor=actor(by),
            )
        )
        [found] = [one for one in answers if isinstance(one, ApprovalSnoozed | AnswerRefused)]
        return found

    async def delegate(
        self, approval: ApprovalState, by: UUID, to: UUID
    ) -> ApprovalDelegated | AnswerRefused:
        answers = await self.runtime.execute(
            DelegateApproval(
                approval_id=approval.approval_id,
                campaign_id=self.campaign_id,
                to=to,
                comment="on leave",
                actor=actor(by),
            )
        )
        [found] = [one for one in answers if isinstance(one, ApprovalDelegated | AnswerRefused)]
        return found

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


async def test_who_puts_reminders_off_is_left_out_and_reminded_when_the_time_has_come(
    desk: Desk,
) -> None:
    rule = ApprovalRule(reviewer_ids=(REVIEWER, LAWYER), remind_after_hours=(1, 2, 9))
    asked = await desk.asked(TARGET, rule)
    await desk.snooze(asked, LAWYER, NOON + hours(5))
    await desk.snooze(asked, LAWYER, NOON + hours(7))  # the later wish holds
    for _ in range(10):
        await desk.pass_time(hours(1))
    told = [
        (one.number, one.snoozed_ids, one.to) for one in await said(desk.runtime, ApprovalReminded)
    ]
    assert told == [(1, (LAWYER,), None), (2, (LAWYER,), None), (3, (), LAWYER), (4, (), None)]


async def test_reminders_are_put_off_by_who_is_asked_to_a_time_before_the_deadline(
    desk: Desk,
) -> None:
    asked = await desk.asked(TARGET, ApprovalRule(reviewer_ids=(REVIEWER,), deadline_hours=5))
    for by, until, code in (
        (LAWYER, NOON + hours(1), "not_reviewer"),
        (REVIEWER, NOON, "snooze_time"),
        (REVIEWER, NOON + hours(5), "snooze_time"),
    ):
        refused = await desk.snooze(asked, by, until)
        assert isinstance(refused, AnswerRefused)
        assert refused.code == code
    assert isinstance(await desk.snooze(asked, REVIEWER, NOON + hours(4)), ApprovalSnoozed)
    await desk.answer(asked)
    assert await desk.timers() == 0
    late = await desk.snooze(asked, REVIEWER, NOON + hours(4))
    assert isinstance(late, AnswerRefused)
    assert late.code == "already_decided"


async def test_who_an_approval_is_handed_on_to_answers_in_place_of_who_handed_it_on(
    desk: Desk,
) -> None:
    asked = await desk.asked(TARGET, ApprovalRule(reviewer_ids=(REVIEWER, CHIEF)))
    delegated = await desk.delegate(asked, REVIEWER, LAWYER)
    assert isinstance(delegated, ApprovalDelegated)
    assert (await desk.state(asked.approval_id)).reviewer_ids == (CHIEF, LAWYER)
    refused = await desk.answer(asked)
    assert isinstance(refused, AnswerRefused)
    assert refused.code == "not_reviewer"
    assert isinstance(await desk.answer(asked, by=LAWYER), ApprovalDecided)


async def test_an_approval_is_handed_on_by_who_is_asked_to_who_may_give_it(desk: Desk) -> None:
    asked = await desk.asked(TARGET, ApprovalRule(reviewer_ids=(REVIEWER,)))
    for by, to, code in (
        (LAWYER, CHIEF, "not_reviewer"),
        (REVIEWER, OTHER, "cannot_approve"),
        (REVIEWER, uuid4(), "cannot_approve"),
    ):
        refused = await desk.delegate(asked, by, to)
        assert isinstance(refused, AnswerRefused)
        assert refused.code == code
    await desk.runtime.execute(
        operator(MANAGER, Role.MANAGER, Role.REVIEWER, name="Mia").model_copy(update={"version": 9})
    )
    own = await desk.delegate(asked, REVIEWER, MANAGER)
    assert isinstance(own, AnswerRefused)
    assert own.code == "self_approval"


async def test_where_anybody_may_answer_they_still_may_after_it_was_handed_on_and_escalated(
    desk: Desk,
) -> None:
    rule = ApprovalRule(escalation=EscalationRule(operator_ids=(CHIEF,), hours_before=70))
    asked = await desk.asked(TARGET, rule)
    assert isinstance(await desk.delegate(asked, REVIEWER, LAWYER), ApprovalDelegated)
    await desk.pass_time(hours(2))
    [escalated] = await said(desk.runtime, ApprovalEscalated)
    assert escalated.operator_ids == (CHIEF,)
    assert (await desk.state(asked.approval_id)).reviewer_ids == ()
    assert isinstance(await desk.answer(asked), ApprovalDecided)


async def test_hours_before_the_deadline_others_join_the_reviewers(desk: Desk) -> None:
    rule = ApprovalRule(
        reviewer_ids=(REVIEWER,),
        deadline_hours=10,
        escalation=EscalationRule(operator_ids=(LAWYER,), groups=("chiefs",), hours_before=4),
    )
    asked = await desk.asked(TARGET, rule)
    assert isinstance(await desk.answer(asked, by=CHIEF), AnswerRefused)
    await desk.pass_time(hours(5))
    assert await said(desk.runtime, ApprovalEscalated) == []
    await desk.pass_time(hours(1))
    [escalated] = await said(desk.runtime, ApprovalEscalated)
    assert (escalated.operator_ids, escalated.deadline_at) == ((LAWYER, CHIEF), asked.deadline_at)
    assert isinstance(await desk.answer(asked, by=CHIEF), ApprovalDecided)
    assert await desk.timers() == 0


async def test_at_the_deadline_it_is_escalated_once_and_expires_later(desk: Desk) -> None:
    rule = ApprovalRule(
        reviewer_ids=(REVIEWER,),
        deadline_hours=10,
        escalation=EscalationRule(operator_ids=(CHIEF,), more_hours=6),
    )
    asked = await desk.asked(TARGET, rule)
    await desk.pass_time(hours(10))
    now = await desk.state(asked.approval_id)
    assert (now.outcome, now.deadline_at) == (ApprovalOutcome.PENDING, NOON + hours(16))
    assert now.reviewer_ids == (REVIEWER, CHIEF)
    await desk.pass_time(hours(6))
    assert (await desk.state(asked.approval_id)).outcome is ApprovalOutcome.EXPIRED
    assert len(await said(desk.runtime, ApprovalEscalated)) == 1


async def test_an_answer_at_the_deadline_escalates_it_while_nobody_announces_it(
    desk: Desk,
) -> None:
    rule = ApprovalRule(reviewer_ids=(REVIEWER,), escalation=EscalationRule(operator_ids=(CHIEF,)))
    asked = await desk.asked(TARGET, rule)
    desk.clock.advance(timedelta(days=4))
    assert isinstance(await desk.answer(asked, by=CHIEF), ApprovalDecided)


async def test_everything_that_happens_to_an_approval_stands_in_the_log(desk: Desk) -> None:
    rule = ApprovalRule(
        reviewer_ids=(REVIEWER, LAWYER),
        remind_after_hours=(1,),
        deadline_hours=10,
        escalation=EscalationRule(operator_ids=(CHIEF,), hours_before=4),
    )
    asked = await desk.asked(TARGET, rule)
    await desk.snooze(asked, LAWYER, NOON + hours(2))
    await desk.delegate(asked, LAWYER, CHIEF)
    for _ in range(6):
        await desk.pass_time(hours(1))
    await desk.answer(asked, decision=Decision.REJECT)
    async with desk.runtime.pool.acquire() as connection:
        log = ApprovalLog(connection)
        entries = await log.page(desk.campaign_id, after=0, limit=100)
        again = await log.page(desk.campaign_id, after=entries[2].entry_id, limit=2)
    assert [(one.event, one.actor_id, one.operator_ids) for one in entries] == [
        ("requested", str(MANAGER), (REVIEWER, LAWYER)),
        ("snoozed", str(LAWYER), (LAWYER,)),
        ("delegated", str(LAWYER), (CHIEF,)),
        ("reminded", "system:delivery", (REVIEWER, CHIEF)),
        ("escalated", "system:delivery", ()),
        ("rejected", str(REVIEWER), ()),
    ]
    assert again == entries[3:5]
    assert (entries[1].until, entries[-1].comment) == (NOON + hours(2), "because")
