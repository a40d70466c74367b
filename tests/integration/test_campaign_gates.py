"""A campaign's approvals one after the other: target, money, proof, external content, start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import Open
from tests.integration.campaign_story import (
    ACTOR,
    Conducted,
    with_people,
)
from topics.approval_rules import ApprovalRule, ApprovalRules
from topics.budget import FundsRefused, ReleaseFunds
from topics.campaign import (
    CampaignPlan,
    CampaignRefused,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalKind,
    ApprovalOutcome,
    GenerateProof,
    RequestApproval,
    StartDelivery,
    WithdrawApproval,
)
from topics.targeting import FreezeSnapshot

ASKED = ApprovalRule()
BY_HAND = ApprovalRule(automatic=False)
ALL = ApprovalRules(target=ASKED, external_content=ASKED, start=ASKED)
TARGET, PROOF = ApprovalKind.TARGET, ApprovalKind.PROOF
EXTERNAL, START = ApprovalKind.EXTERNAL_CONTENT, ApprovalKind.START


class Gated(Conducted):
    """A campaign whose approvals follow rules."""

    async def create(self, rules: ApprovalRules) -> None:
        await self.planned(rules)
        await self.counted()
        await self.prepared()
        await self.submit()

    async def submit(self, *, again: bool = False) -> None:
        before = self.snapshot_id
        await self.do(RequestProof(campaign_id=self.id, actor=ACTOR, again=again))
        if self.snapshot_id != before:
            await self.frozen()

    async def answer(
        self, kind: ApprovalKind, outcome: ApprovalOutcome = ApprovalOutcome.APPROVED
    ) -> None:
        if kind is PROOF:
            await self.proof_sent()
        await self.decided(kind, outcome)

    async def started(self) -> list[StartDelivery]:
        return [one for one in await self.sweep() if isinstance(one, StartDelivery)]

    def asked(self) -> ApprovalKind | None:
        """Return which approval the last message led to the asking of."""
        kinds = [
            PROOF if isinstance(one, GenerateProof) else one.kind
            for one in self.said
            if isinstance(one, GenerateProof | RequestApproval)
        ]
        assert len(kinds) < 2
        return kinds[0] if kinds else None

    async def stands(self) -> tuple[str, str | None]:
        row = await self.runtime.pool.fetchrow(
            "SELECT status, waiting_for FROM campaigns WHERE campaign_id = $1", self.id
        )
        assert row is not None
        return row["status"], row["waiting_for"]


@pytest.fixture
async def gated(open_service: Open) -> Callable[[ApprovalRules], Awaitable[Gated]]:
    runtime = await with_people(open_service)

    async def made(rules: ApprovalRules) -> Gated:
        campaign = Gated(runtime)
        await campaign.create(rules)
        return campaign

    return made


Make = Callable[[ApprovalRules], Awaitable[Gated]]


async def test_each_approval_is_asked_once_what_comes_before_it_is_granted(gated: Make) -> None:
    campaign = await gated(ALL)
    assert campaign.asked() is TARGET
    assert await campaign.stands() == (
        Status.PROOF_GENERATING,
        "waits for the approval of its target",
    )
    await campaign.answer(TARGET)
    assert campaign.asked() is None
    assert (await campaign.stands())[1] == "waits for its budget and stock"
    await campaign.fund()
    assert campaign.asked() is PROOF
    await campaign.answer(PROOF)
    assert campaign.asked() is EXTERNAL
    assert (await campaign.stands())[1] == "waits for the approval of its external content"
    await campaign.answer(EXTERNAL)
    assert campaign.asked() is START
    assert await campaign.stands() == (
        Status.READY_TO_RUN,
        "waits for the approval of its start",
    )
    assert await campaign.started() == []
    [refused] = await campaign.do(LaunchCampaign(campaign_id=campaign.id, actor=ACTOR))
    assert isinstance(refused, CampaignRefused)
    assert refused.code == "start_not_approved"
    await campaign.answer(START)
    [start] = await campaign.started()
    assert start.approvals == (TARGET, EXTERNAL, START)


async def test_without_rules_the_proof_alone_is_asked(gated: Make) -> None:
    campaign = await gated(ApprovalRules())
    assert campaign.asked() is PROOF
    await campaign.answer(PROOF)
    await campaign.fund()
    assert campaign.asked() is None
    [start] = await campaign.started()
    assert start.approvals == ()


@pytest.mark.parametrize("kind", [TARGET, PROOF, EXTERNAL, START])
async def test_any_other_end_of_one_voids_those_before_it_and_gives_the_money_back(
    gated: Make, kind: ApprovalKind
) -> None:
    campaign = await gated(ALL)
    for one in (TARGET, PROOF, EXTERNAL, START):
        if one is kind:
            break
        await campaign.answer(one)
        if one is TARGET:
            await campaign.fund()
    await campaign.answer(kind, ApprovalOutcome.REJECTED)
    assert (await campaign.stands())[0] == Status.READY_TO_TEST
    voided = [one for one in campaign.said if isinstance(one, WithdrawApproval | ReleaseFunds)]
    assert len(voided) == (0 if kind is TARGET else 2)
    await campaign.submit()
    assert campaign.asked() is TARGET


async def test_money_refused_after_the_target_voids_its_approval(gated: Make) -> None:
    campaign = await gated(ALL)
    await campaign.answer(TARGET)
    await campaign.do(
        FundsRefused(
            campaign_id=campaign.id,
            hold_id=campaign.hold_id,
            budget_id=campaign.budget_id,
            asked_minor=100,
            left_minor=5,
            reason="nothing left",
        )
    )
    assert await campaign.stands() == (Status.READY_TO_TEST, "nothing left")


async def test_what_is_submitted_by_hand_waits_for_a_person(gated: Make) -> None:
    campaign = await gated(ApprovalRules(target=BY_HAND, proof=BY_HAND, start=BY_HAND))
    assert campaign.asked() is TARGET
    await campaign.answer(TARGET)
    await campaign.fund()
    for kind in (PROOF, START):
        assert campaign.asked() is None
        assert (await campaign.stands())[1] == "its next approval waits to be submitted"
        await campaign.submit()
        assert campaign.asked() is kind
        await campaign.answer(kind)
    assert len(await campaign.started()) == 1


async def test_a_manager_withdraws_what_was_asked_and_asks_again(gated: Make) -> None:
    campaign = await gated(ALL)
    first = campaign.snapshot_id
    await campaign.answer(TARGET)
    await campaign.fund()
    await campaign.answer(PROOF)
    await campaign.do(RequestProof(campaign_id=campaign.id, actor=ACTOR, again=True))
    assert {WithdrawApproval, ReleaseFunds, FreezeSnapshot} <= {type(one) for one in campaign.said}
    assert campaign.snapshot_id != first
    assert (await campaign.stands())[0] == Status.PROOF_GENERATING
    [refused] = await campaign.do(RequestProof(campaign_id=campaign.id, actor=ACTOR, again=True))
    assert isinstance(refused, CampaignRefused)
    assert refused.code == "nothing_to_ask_again"


async def test_the_rules_cannot_change_under_an_open_approval_nor_drop_the_proof(
    gated: Make,
) -> None:
    campaign = await gated(ALL)
    drop = CampaignPlan(approvals=ApprovalRules(proof=ApprovalRule(asked=False)))
    [refused] = await campaign.do(EditCampaign(campaign_id=campaign.id, actor=ACTOR, plan=drop))
    assert isinstance(refused, CampaignRefused)
    assert refused.code == "proof_always"
    plan = CampaignPlan(approvals=ApprovalRules())
    said = await campaign.do(EditCampaign(campaign_id=campaign.id, actor=ACTOR, plan=plan))
    assert any(isinstance(one, WithdrawApproval) for one in said)
    assert (await campaign.stands())[0] == Status.READY_TO_TEST
