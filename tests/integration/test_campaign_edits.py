"""A suspended campaign that is edited: its run ends where it is, and another one does the rest."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest

from services.campaign.app import SERVICE
from shared.ids import new_id
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.campaign_story import ACTOR, COUNTS, MANAGER, REVIEWER, Story, one, status
from topics.actions import (
    ActionCounts,
    ActionMove,
    ActionsCompleted,
    ActionsMoved,
    GenerateActions,
    MoveActions,
)
from topics.budget import CommitFunds, ReserveFunds, Volumes
from topics.campaign import (
    CampaignEdited,
    CampaignPlan,
    CampaignRefused,
    CampaignState,
    CancelCampaign,
    EditCampaign,
    LaunchCampaign,
    ResumeCampaign,
    SuspendCampaign,
)
from topics.campaign import CampaignStatus as Status
from topics.delivery import (
    ApprovalOutcome,
    DeliveryCounts,
    DeliveryFinished,
    DeliveryProgressed,
    PrepareDelivery,
    StartDelivery,
    StopDelivery,
    WithdrawApproval,
)
from topics.funds import UseGoods
from topics.message import Message
from topics.operators import OperatorState, Role
from topics.stock import ConsumeStock, ReleaseStock, ReserveStock, StockReserved
from topics.supplier import ExtractionProduced

HALF = DeliveryCounts(targeted=10, sent=3, ignored=2, pending=5, emails_sent=3)


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    for operator_id, role in ((MANAGER, Role.MANAGER), (REVIEWER, Role.REVIEWER)):
        await opened.execute(
            OperatorState(operator_id=operator_id, version=1, name=role, roles=(role,))
        )
    return opened


@dataclass
class Halfway:
    """A campaign suspended half-way through its first run."""

    story: Story
    run_id: UUID
    revision: int = 0

    async def progressed(
        self, counts: DeliveryCounts, *, run_id: UUID | None = None, done: bool = False
    ) -> list[Message]:
        self.revision += 1
        kind = DeliveryFinished if done else DeliveryProgressed
        return await self.story.do(
            kind(
                campaign_id=self.story.id,
                run_id=run_id or self.run_id,
                delivery_id=self.story.delivery_id,
                counts=counts,
                revision=self.revision,
            )
        )

    async def edit(self, **fields: object) -> list[Message]:
        plan = CampaignPlan.model_validate(fields)
        return await self.story.do(EditCampaign(campaign_id=self.story.id, actor=ACTOR, plan=plan))

    async def approve_again(self) -> tuple[ReserveFunds, StartDelivery]:
        """Prove and approve the rest, and start its run."""
        await self.story.prepared("hash-1")
        await self.story.prove()
        hold = one(ReserveFunds, await self.story.decide(ApprovalOutcome.APPROVED))
        self.story.hold_id = hold.hold_id
        await self.story.fund()
        return hold, one(StartDelivery, await self.story.sweep())


async def halfway(runtime: Runtime) -> Halfway:
    story = Story(runtime)
    await story.create()
    await story.approve()
    await story.fund()
    start = one(StartDelivery, await story.sweep())
    found = Halfway(story, start.run_id)
    await found.progressed(HALF)
    await story.do(SuspendCampaign(campaign_id=story.id, actor=ACTOR))
    return found


async def edited(runtime: Runtime, **fields: object) -> tuple[Halfway, list[Message]]:
    found = await halfway(runtime)
    emitted = await found.edit(**(fields or {"template_id": new_id()}))
    prepare = one(PrepareDelivery, emitted)
    found.story.delivery_id, found.story.template_id = prepare.delivery_id, prepare.template_id
    return found, emitted


async def test_an_edit_ends_the_run_before_it_withdraws_the_approval_and_asks_for_other_content(
    runtime: Runtime,
) -> None:
    found, emitted = await edited(runtime)
    stop = one(StopDelivery, emitted)
    assert (stop.run_id, stop.leave_rest, stop.reason) == (
        found.run_id,
        True,
        "template_id was edited",
    )
    kinds = [type(message) for message in emitted]
    order = [kinds.index(kind) for kind in (StopDelivery, WithdrawApproval, PrepareDelivery)]
    assert order == sorted(order)
    assert one(CampaignEdited, emitted).voids_approval
    assert await status(runtime, found.story.id) == Status.READY_TO_TEST
    assert not [m for m in emitted if isinstance(m, CommitFunds)]  # five may still have left


async def test_any_edit_leads_back_to_the_test_and_the_same_values_change_nothing(
    runtime: Runtime,
) -> None:
    found = await halfway(runtime)
    assert await found.edit(label="Autumn") == []
    assert await status(runtime, found.story.id) == Status.SUSPENDED
    assert one(StopDelivery, await found.edit(label="Winter")).reason == "label was edited"
    assert await status(runtime, found.story.id) == Status.READY_TO_TEST


async def test_the_cost_of_what_left_is_booked_once_and_the_next_hold_is_for_the_rest(
    runtime: Runtime,
) -> None:
    found, _ = await edited(runtime)
    first_hold = found.story.hold_id
    ended = DeliveryCounts(targeted=10, sent=3, ignored=7, emails_sent=3)
    commit = one(CommitFunds, await found.progressed(ended, done=True))
    assert (commit.hold_id, commit.volumes.emails) == (first_hold, 3)
    hold, start = await found.approve_again()
    assert hold.volumes.emails == COUNTS.reachable - 3
    assert start.run_id != found.run_id

    await found.progressed(DeliveryCounts(targeted=5, sent=3, ignored=2, emails_sent=3))
    emitted = await found.progressed(
        DeliveryCounts(targeted=5, sent=5, emails_sent=5), run_id=start.run_id, done=True
    )
    commit = one(CommitFunds, emitted)
    assert (commit.hold_id, commit.volumes.emails) == (hold.hold_id, 5)
    state = one(CampaignState, emitted)
    assert state.status is Status.FINISHED
    totals = state.synthesis
    assert (totals.messages_targeted, totals.messages_sent, totals.messages_ignored) == (10, 8, 2)


async def test_a_campaign_waits_for_what_is_in_doubt_in_a_run_that_ended(runtime: Runtime) -> None:
    found, _ = await edited(runtime)
    doubt = DeliveryCounts(targeted=10, sent=3, ignored=6, ambiguous=1, emails_sent=3)
    await found.progressed(doubt)
    first_hold = found.story.hold_id
    await found.story.prepared("hash-1")
    await found.story.prove()
    emitted = await found.story.decide(ApprovalOutcome.APPROVED)
    # Not two holds at once: what is sure is booked now, the doubt with the next hold.
    assert one(CommitFunds, emitted).hold_id == first_hold
    kinds = [type(message) for message in emitted]
    assert kinds.index(CommitFunds) < kinds.index(ReserveFunds)
    found.story.hold_id = one(ReserveFunds, emitted).hold_id
    await found.story.fund()
    start = one(StartDelivery, await found.story.sweep())
    await found.progressed(
        DeliveryCounts(targeted=4, sent=4, emails_sent=4), run_id=start.run_id, done=True
    )
    assert await status(runtime, found.story.id) == Status.RUNNING
    emitted = await found.progressed(
        DeliveryCounts(targeted=6, sent=4, ignored=2, emails_sent=4), done=True
    )
    assert one(CommitFunds, emitted).volumes == Volumes(emails=4 + 1)
    assert await status(runtime, found.story.id) == Status.FINISHED


async def test_late_totals_of_the_ended_run_change_nothing_when_they_are_older(
    runtime: Runtime,
) -> None:
    found, _ = await edited(runtime)
    found.revision = 7
    ended = DeliveryCounts(targeted=10, sent=4, ignored=6, emails_sent=4)
    assert one(CampaignState, await found.progressed(ended, done=True)).synthesis.messages_sent == 4
    found.revision = 3
    assert await found.progressed(HALF) == []


async def test_a_cancelled_campaign_has_what_left_booked_when_its_ended_run_is_done(
    runtime: Runtime,
) -> None:
    found, _ = await edited(runtime)
    emitted = await found.story.do(CancelCampaign(campaign_id=found.story.id, actor=ACTOR))
    assert not [m for m in emitted if isinstance(m, CommitFunds)]
    ended = DeliveryCounts(targeted=10, sent=4, ignored=6, emails_sent=4)
    assert one(CommitFunds, await found.progressed(ended, done=True)).volumes.emails == 4
    again = await found.progressed(ended, done=True)
    assert not [m for m in again if isinstance(m, CommitFunds)]
    assert await status(runtime, found.story.id) == Status.CANCELLED


async def test_actions_stay_suspended_until_the_next_run_which_resumes_them_and_adds_the_rest(
    runtime: Runtime,
) -> None:
    model_id = new_id()
    found = await halfway(runtime)
    await found.edit(action_model_ids=[str(model_id)])
    found.story.delivery_id = await runtime.pool.fetchval("SELECT delivery_id FROM campaigns")
    await found.story.prepared("hash-1")
    await found.story.prove()
    hold = one(ReserveFunds, await found.story.decide(ApprovalOutcome.APPROVED))
    found.story.hold_id = hold.hold_id
    await found.story.fund()
    emitted = await found.story.sweep()
    kinds = [type(message) for message in emitted]
    assert one(MoveActions, emitted).move is ActionMove.RESUME
    assert kinds.index(MoveActions) < kinds.index(GenerateActions)


async def test_actions_of_a_model_that_was_taken_out_must_still_be_done(runtime: Runtime) -> None:
    found = await halfway(runtime)
    await found.story.do(
        ActionsMoved(
            campaign_id=found.story.id,
            move=ActionMove.SUSPEND,
            moved=2,
            counts=ActionCounts(generated=2, suspended=2),
            revision=2,
        )
    )
    emitted = await found.edit(label="Winter")
    found.story.delivery_id = one(PrepareDelivery, emitted).delivery_id
    _, start = await found.approve_again()
    ended = DeliveryCounts(targeted=10, sent=3, ignored=7, emails_sent=3)
    await found.progressed(ended, done=True)
    await found.progressed(DeliveryCounts(), run_id=start.run_id, done=True)
    assert await status(runtime, found.story.id) == Status.RUNNING
    await found.story.do(
        ActionsMoved(
            campaign_id=found.story.id,
            move=ActionMove.EXECUTE,
            moved=2,
            counts=ActionCounts(generated=2, executed=2),
            revision=4,
        )
    )
    assert await status(runtime, found.story.id) == Status.FINISHED


async def test_a_run_that_was_ended_is_still_told_of_its_generation(runtime: Runtime) -> None:
    found, _ = await edited(runtime)
    emitted = await found.story.do(
        ActionsCompleted(
            campaign_id=found.story.id,
            run_id=found.run_id,
            counts=ActionCounts(generated=6, suspended=6),
            organisations=5,
            persons=6,
            revision=2,
        )
    )
    assert one(CampaignState, emitted).synthesis.actions_suspended == 6


async def test_goods_of_a_file_that_was_on_its_way_are_taken_once_and_the_others_given_back(
    runtime: Runtime,
) -> None:
    story = Story(runtime)
    await story.create()
    line_id = new_id()
    await story.do(
        EditCampaign(
            campaign_id=story.id,
            actor=ACTOR,
            plan=CampaignPlan(
                supplier_service_id=new_id(), stock_line_id=line_id, stock_quantity_per_letter=2
            ),
        )
    )
    await story.prepared("hash-1")
    await story.prove()
    emitted = await story.decide(ApprovalOutcome.APPROVED)
    kept = one(ReserveStock, emitted)
    assert kept.quantity == 4
    story.hold_id = held_for = one(ReserveFunds, emitted).hold_id
    await story.do(
        StockReserved(
            campaign_id=story.id,
            reservation_id=kept.reservation_id,
            line_id=line_id,
            quantity=4,
            available=0,
        )
    )
    await story.fund()
    found = Halfway(story, one(StartDelivery, await story.sweep()).run_id)
    await found.progressed(HALF)
    await story.do(SuspendCampaign(campaign_id=story.id, actor=ACTOR))
    emitted = await found.edit(label="Winter")
    assert not [m for m in emitted if isinstance(m, ReleaseStock)]
    story.delivery_id = one(PrepareDelivery, emitted).delivery_id
    file = ExtractionProduced(
        campaign_id=story.id,
        run_id=found.run_id,
        service_id=new_id(),
        file_id=new_id(),
        file_name="letters.csv",
        rows=2,
        sha256="0" * 64,
    )
    told = await story.do(file)
    taken = one(ConsumeStock, told)
    assert (taken.reservation_id, taken.quantity) == (kept.reservation_id, 4)
    counted = one(UseGoods, told)
    assert (counted.hold_id, counted.cause_id) == (held_for, file.file_id)
    assert counted.letters == 2
    ended = DeliveryCounts(targeted=10, sent=5, ignored=5, emails_sent=3, letters_sent=2)
    emitted = await found.progressed(ended, done=True)
    assert one(ReleaseStock, emitted).reservation_id == kept.reservation_id
    await story.prepared("hash-1")
    await story.prove()
    emitted = await story.decide(ApprovalOutcome.APPROVED)
    assert not [m for m in emitted if isinstance(m, ReserveStock)]  # no letter is left to send


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (Status.RUNNING, "suspend_to_edit"),
        (Status.FINISHED, "cannot_edit"),
        (Status.CANCELLED, "cannot_edit"),
        (Status.ERROR, "cannot_edit"),
    ],
)
async def test_what_cannot_be_edited_says_why(runtime: Runtime, state: Status, code: str) -> None:
    found = await halfway(runtime)
    await runtime.pool.execute("UPDATE campaigns SET status = $1", state.value)
    assert one(CampaignRefused, await found.edit(label="Winter")).code == code


async def test_a_campaign_whose_end_has_come_is_not_edited(runtime: Runtime) -> None:
    found = await halfway(runtime)
    await runtime.pool.execute("UPDATE campaigns SET validity_over = true")
    assert one(CampaignRefused, await found.edit(label="Winter")).code == "over_to_edit"


async def test_resume_and_launch_after_the_edit_are_refused_and_the_run_stays_ended(
    runtime: Runtime,
) -> None:
    found, _ = await edited(runtime)
    for kind in (ResumeCampaign, LaunchCampaign):
        emitted = await found.story.do(kind(campaign_id=found.story.id, actor=ACTOR))
        assert one(CampaignRefused, emitted)
    assert await status(runtime, found.story.id) == Status.READY_TO_TEST
