"""One approval for many occurrences: granted at once while it stands, asked again when not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.clock import DrivenClock
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.delivery_harness import (
    MANAGER,
    REVIEWER,
    Case,
    Catcher,
    actor,
    checked,
    finished,
    member,
    said,
    sending,
)
from tests.waiting import eventually
from topics.approval_rules import ApprovalRules, ApproveOnce
from topics.delivery import (
    ApprovalDecided,
    ApprovalOutcome,
    ApprovalRequested,
    Decision,
    DeliveryPrepared,
    GenerateProof,
    WithdrawApproval,
)
from topics.message import Message

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONCE = ApproveOnce(days=30, tolerance_percent=20)
SERIES = UUID(int=7)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(NOON)


@pytest.fixture
async def runtime(
    open_service: Open, catcher: Catcher, clock: DrivenClock
) -> AsyncIterator[Runtime]:
    async with checked(open_service, catcher, clock) as made:
        yield made


class Occurrences:
    """The occurrences of a recurring campaign, all of one template."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.first = self.case()

    def case(self, people: int = 10) -> Case:
        return Case([member(f"m{i}@{uuid4().hex[:8]}.example") for i in range(people)])

    async def ask(self, case: Case, series_id: UUID = SERIES) -> list[Message]:
        """Have the approval of an occurrence asked; return what was said."""
        case.template_id = self.first.template_id
        [prepared] = await self.runtime.execute(case.prepare())
        assert isinstance(prepared, DeliveryPrepared)
        case.content_hash = prepared.content_hash
        for chunk in case.chunks:
            await self.runtime.execute(chunk)
        return await self.runtime.execute(proof(case, series_id))

    async def asked_and_answered(self, case: Case, decision: Decision) -> None:
        """Answer the approval that a person is asked for."""

        async def asked() -> list[ApprovalRequested]:
            every = await said(self.runtime, ApprovalRequested)
            return [one for one in every if one.snapshot_id == case.snapshot_id]

        async with sending(self.runtime):
            [request] = await eventually(asked, what="the request for approval")
        await self.runtime.execute(case.decide(request, decision, reason="because"))

    async def edited(self, **values: str) -> None:
        await self.runtime.execute(self.first.template(**values))


def proof(case: Case, series_id: UUID = SERIES) -> GenerateProof:
    rules = ApprovalRules(once=ONCE)
    return case.proof(REVIEWER).model_copy(update={"rules": rules, "series_id": series_id})


def granted(messages: list[Message]) -> ApprovalDecided | None:
    """Return what granted an approval at once."""
    return next((one for one in messages if isinstance(one, ApprovalDecided)), None)


@pytest.fixture
async def occurrences(runtime: Runtime) -> Occurrences:
    """A series whose first occurrence a person has approved."""
    made = Occurrences(runtime)
    await made.edited()
    assert granted(await made.ask(made.first)) is None
    await made.asked_and_answered(made.first, Decision.APPROVE)
    return made


async def test_the_next_occurrence_stands_on_it_and_is_sent_without_a_proof(
    runtime: Runtime, catcher: Catcher, occurrences: Occurrences, clock: DrivenClock
) -> None:
    clock.advance(timedelta(days=7))
    second = occurrences.case(people=11)
    said_now = await occurrences.ask(second)
    decided = granted(said_now)
    assert decided is not None
    assert decided.outcome is ApprovalOutcome.APPROVED
    assert (decided.by.id, decided.count) == ("system:delivery", 11)
    assert decided.reason == "the approval of C-1042 Spring of 2026-03-02 stands"
    assert not [one for one in said_now if isinstance(one, ApprovalRequested)]
    assert await runtime.pool.fetchval("SELECT count(*) FROM timers") == 0
    await runtime.execute(second.start())
    async with sending(runtime):
        assert (await finished(runtime, second)).counts.sent == 11
    proofs = [to for to, _ in await catcher.listed() if to.startswith("proof@")]
    assert len(proofs) == 1
    # It does not reach further than the person's answer: what stood on it is no answer itself.
    clock.advance(timedelta(days=24))
    assert granted(await occurrences.ask(occurrences.case())) is None


async def test_a_target_out_of_tolerance_or_another_series_is_asked_for_itself(
    occurrences: Occurrences,
) -> None:
    assert granted(await occurrences.ask(occurrences.case(people=13))) is None
    assert granted(await occurrences.ask(occurrences.case(), series_id=uuid4())) is None
    assert granted(await occurrences.ask(occurrences.case(people=12))) is not None


async def test_other_content_is_asked_for_itself(
    runtime: Runtime, occurrences: Occurrences
) -> None:
    # Under way, so that an edit leaves its content and its approval alone.
    await runtime.execute(occurrences.first.start())
    async with sending(runtime):
        await finished(runtime, occurrences.first)
    assert granted(await occurrences.ask(occurrences.case())) is not None
    await occurrences.edited(subject="Something else")
    assert granted(await occurrences.ask(occurrences.case())) is None


async def test_whoever_asks_again_is_answered_by_a_person(
    runtime: Runtime, occurrences: Occurrences
) -> None:
    second = occurrences.case()
    assert granted(await occurrences.ask(second)) is not None
    again = proof(second).model_copy(update={"snapshot_id": uuid4()})
    assert granted(await runtime.execute(again)) is None


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.REQUEST_CHANGES])
async def test_a_later_no_to_the_same_content_ends_it(
    occurrences: Occurrences, clock: DrivenClock, decision: Decision
) -> None:
    larger = occurrences.case(people=20)
    clock.advance(timedelta(days=1))
    assert granted(await occurrences.ask(larger)) is None
    await occurrences.asked_and_answered(larger, decision)
    assert granted(await occurrences.ask(occurrences.case())) is None


async def test_an_approval_that_was_withdrawn_stands_no_more(
    runtime: Runtime, occurrences: Occurrences
) -> None:
    await runtime.execute(
        WithdrawApproval(
            campaign_id=occurrences.first.campaign_id, reason="cancelled", actor=actor(MANAGER)
        )
    )
    assert granted(await occurrences.ask(occurrences.case())) is None
