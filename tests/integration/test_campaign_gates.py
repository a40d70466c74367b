"""A campaign's approvals one after the other: target, money, proof, external content, start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from services.campaign.app import SERVICE
from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from topics.approval_rules import ApprovalRule, ApprovalRules
from topics.budget import FundsRefused, FundsReserved, ReleaseFunds, ReserveFunds
from topics.campaign import (
    CampaignPlan,
    CampaignRefused,
    CreateCampaign,
    EditCampaign,
    LaunchCampaign,
    RequestProof,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    DeliveryPrepared,
    GenerateProof,
    PrepareDelivery,
    ProofSent,
    RequestApproval,
    StartDelivery,
    WithdrawApproval,
)
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.targeting import FreezeSnapshot, SnapshotFrozen, TargetCounted, TargetCounts

MANAGER, REVIEWER = uuid4(), uuid4()
ACTOR = Actor(id=str(MANAGER), via=Via.WEB)
COUNTS = TargetCounts(records=10, persons=10, organisations=5, reachable=8, without_email=2)
ASKED = ApprovalRule()
BY_HAND = ApprovalRule(automatic=False)
ALL = ApprovalRules(target=ASKED, external_content=ASKED, start=ASKED)
TARGET, PROOF = ApprovalKind.TARGET, ApprovalKind.PROOF
EXTERNAL, START = ApprovalKind.EXTERNAL_CONTENT, ApprovalKind.START


class Gated:
    """A campaign whose approvals follow rules, and the answers of the other services."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.id = new_id()
        self.targeting_id, self.template_id, self.budget_id = new_id(), new_id(), new_id()
        self.delivery_id = self.snapshot_id = self.hold_id = UUID(int=0)
        self.said: list[Message] = []

    async def do(self, message: Message) -> list[Message]:
        self.said = await self.runtime.execute(message)
        for one in self.said:
            if isinstance(one, PrepareDelivery):
                self.delivery_id = one.delivery_id
            elif isinstance(one, FreezeSnapshot):
                self.snapshot_id = one.snapshot_id
            elif isinstance(one, ReserveFunds):
                self.hold_id = one.hold_id
        return self.said

    async def create(self, rules: ApprovalRules) -> None:
        plan = CampaignPlan(
            label="Autumn",
            targeting_id=self.targeting_id,
            template_id=self.template_id,
            budget_id=self.budget_id,
            approvals=rules,
        )
        await self.do(CreateCampaign(campaign_id=self.id, actor=ACTOR, plan=plan))
        await self.do(
            TargetCounted(campaign_id=self.id, targeting_id=self.targeting_id, counts=COUNTS)
        )
        await self.do(
            DeliveryPrepared(
                campaign_id=self.id,
                delivery_id=self.delivery_id,
                template_id=self.template_id,
                content_hash="hash-1",
            )
        )
        await self.submit()

    async def submit(self, *, again: bool = False) -> None:
        before = self.snapshot_id
        await self.do(RequestProof(campaign_id=self.id, actor=ACTOR, again=again))
        if self.snapshot_id != before:
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

    async def answer(
        self, kind: ApprovalKind, outcome: ApprovalOutcome = ApprovalOutcome.APPROVED
    ) -> None:
        if kind is PROOF:
            await self.do(
                ProofSent(
                    campaign_id=self.id,
                    delivery_id=self.delivery_id,
                    proof_number=1,
                    content_hash="hash-1",
                    snapshot_id=self.snapshot_id,
                    recipients=1,
                )
            )
        await self.do(
            ApprovalDecided(
                campaign_id=self.id,
                approval_id=new_id(),
                revision=2,
                kind=kind,
                outcome=outcome,
                by=Actor(id=str(REVIEWER), via=Via.SLACK),
                at=self.runtime.clock.now(),
                snapshot_id=self.snapshot_id,
                snapshot_hash="snap",
                content_hash="hash-1",
                count=10,
            )
        )

    async def fund(self) -> None:
        await self.do(
            FundsReserved(
                campaign_id=self.id,
                hold_id=self.hold_id,
                budget_id=self.budget_id,
                amount_minor=100,
                left_minor=0,
                currency="EUR",
            )
        )

    async def sweep(self) -> list[StartDelivery]:
        async with self.runtime.uow.begin() as work:
            await SERVICE.workflows[0].run(work)
            return [one for one in work.emitted if isinstance(one, StartDelivery)]

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
    runtime = await open_service(SERVICE)
    for operator_id, role in ((MANAGER, Role.MANAGER), (REVIEWER, Role.REVIEWER)):
        await runtime.execute(
            OperatorState(operator_id=operator_id, version=1, name=role, roles=(role,))
        )

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
    assert await campaign.sweep() == []
    [refused] = await campaign.do(LaunchCampaign(campaign_id=campaign.id, actor=ACTOR))
    assert isinstance(refused, CampaignRefused)
    assert refused.code == "start_not_approved"
    await campaign.answer(START)
    [start] = await campaign.sweep()
    assert start.approvals == (TARGET, EXTERNAL, START)


async def test_without_rules_the_proof_alone_is_asked(gated: Make) -> None:
    campaign = await gated(ApprovalRules())
    assert campaign.asked() is PROOF
    await campaign.answer(PROOF)
    await campaign.fund()
    assert campaign.asked() is None
    [start] = await campaign.sweep()
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
    assert len(await campaign.sweep()) == 1


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
