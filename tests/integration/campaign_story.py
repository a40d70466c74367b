"""One campaign over its rows, and the answers of the other services to it."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID, uuid4

from services.campaign.app import SERVICE
from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from topics.approval_rules import ApprovalRules
from topics.budget import FundsReserved, ReserveFunds
from topics.campaign import CampaignPlan, CreateCampaign, RequestProof
from topics.delivery import (
    ApprovalDecided,
    ApprovalKind,
    ApprovalOutcome,
    DeliveryPrepared,
    GenerateProof,
    PrepareDelivery,
    ProofSent,
)
from topics.message import Actor, Message, Via
from topics.operators import OperatorState, Role
from topics.targeting import (
    CountTarget,
    FreezeSnapshot,
    SnapshotFrozen,
    TargetCounted,
    TargetCounts,
)

M = TypeVar("M", bound=Message)
MANAGER, REVIEWER = uuid4(), uuid4()
ACTOR = Actor(id=str(MANAGER), via=Via.WEB)
COUNTS = TargetCounts(records=10, persons=10, organisations=5, reachable=8, without_email=2)


async def with_people(open_service: Open) -> Runtime:
    """Open the campaign service; it knows a manager and a reviewer."""
    opened = await open_service(SERVICE)
    for operator_id, role in ((MANAGER, Role.MANAGER), (REVIEWER, Role.REVIEWER)):
        await opened.execute(
            OperatorState(operator_id=operator_id, version=1, name=role, roles=(role,))
        )
    return opened


def one(kind: type[M], messages: list[Message]) -> M:
    (found,) = [message for message in messages if isinstance(message, kind)]
    return found


async def status(runtime: Runtime, campaign_id: UUID) -> str:
    found: str = await runtime.pool.fetchval(
        "SELECT status FROM campaigns WHERE campaign_id = $1", campaign_id
    )
    return found


class Conducted:
    """A campaign, and what the others answer to what it asked last."""

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

    async def planned(self, rules: ApprovalRules | None = None) -> list[Message]:
        plan = CampaignPlan(
            label="Autumn",
            targeting_id=self.targeting_id,
            template_id=self.template_id,
            budget_id=self.budget_id,
            approvals=rules or ApprovalRules(),
        )
        return await self.do(CreateCampaign(campaign_id=self.id, actor=ACTOR, plan=plan))

    async def counted(self) -> list[Message]:
        return await self.do(
            TargetCounted(campaign_id=self.id, targeting_id=self.targeting_id, counts=COUNTS)
        )

    async def prepared(self, content_hash: str = "hash-1") -> list[Message]:
        return await self.do(
            DeliveryPrepared(
                campaign_id=self.id,
                delivery_id=self.delivery_id,
                template_id=self.template_id,
                content_hash=content_hash,
            )
        )

    async def frozen(self) -> list[Message]:
        return await self.do(
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

    async def proof_sent(self) -> list[Message]:
        return await self.do(
            ProofSent(
                campaign_id=self.id,
                delivery_id=self.delivery_id,
                proof_number=1,
                content_hash="hash-1",
                snapshot_id=self.snapshot_id,
                recipients=1,
            )
        )

    async def decided(self, kind: ApprovalKind, outcome: ApprovalOutcome) -> list[Message]:
        return await self.do(
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

    async def fund(self) -> list[Message]:
        return await self.do(
            FundsReserved(
                campaign_id=self.id,
                hold_id=self.hold_id,
                budget_id=self.budget_id,
                amount_minor=100,
                left_minor=0,
                currency="EUR",
            )
        )

    async def sweep(self) -> list[Message]:
        async with self.runtime.uow.begin() as work:
            await SERVICE.workflows[0].run(work)
            return list(work.emitted)


class Story(Conducted):
    """Plays the other services' answers to one campaign with a proof."""

    async def create(self) -> None:
        emitted = await self.planned()
        assert one(CountTarget, emitted).targeting_id == self.targeting_id
        await self.counted()
        await self.prepared()

    async def prove(self) -> None:
        await self.do(RequestProof(campaign_id=self.id, actor=ACTOR))
        assert one(GenerateProof, await self.frozen()).count == 10
        await self.proof_sent()

    async def decide(self, outcome: ApprovalOutcome) -> list[Message]:
        return await self.decided(ApprovalKind.PROOF, outcome)

    async def approve(self) -> None:
        await self.prove()
        hold = one(ReserveFunds, await self.decide(ApprovalOutcome.APPROVED))
        assert (hold.volumes.emails, hold.budget_id) == (8, self.budget_id)
