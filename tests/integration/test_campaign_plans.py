"""Plans, programs and what hangs under them: saved, moved, listed; bad ones refused by field."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.campaign.api_calendar import calendar
from services.campaign.app import SERVICE
from shared.ids import new_id
from shared.pressure import Grouping
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.campaign_story import ACTOR, MANAGER, one
from topics.campaign import (
    CampaignEdited,
    CampaignPlan,
    CampaignRefused,
    CampaignState,
    CancelCampaign,
    CreateCampaign,
)
from topics.message import Message
from topics.operators import OperatorState, Role
from topics.plans import (
    MoveCampaign,
    PlanRefused,
    PlanState,
    ProgramState,
    SavePlan,
    SaveProgram,
)

YEAR = {"start_on": date(2026, 1, 1), "end_on": date(2026, 12, 31)}


@pytest.fixture
async def runtime(open_service: Open) -> Runtime:
    opened = await open_service(SERVICE)
    await opened.execute(
        OperatorState(operator_id=MANAGER, version=1, name="M", roles=(Role.MANAGER,))
    )
    return opened


async def plan(runtime: Runtime, plan_id: UUID, label: str = "2026", **more: Any) -> list[Message]:
    fields = {**YEAR, **more}
    return await runtime.execute(SavePlan(plan_id=plan_id, actor=ACTOR, label=label, **fields))


async def program(
    runtime: Runtime, program_id: UUID, plan_id: UUID, label: str = "Spring", **more: Any
) -> list[Message]:
    fields = {**YEAR, **more}
    return await runtime.execute(
        SaveProgram(program_id=program_id, plan_id=plan_id, actor=ACTOR, label=label, **fields)
    )


async def test_a_plan_and_a_program_are_saved_changed_and_told_once_per_change(
    runtime: Runtime,
) -> None:
    plan_id, other_id, program_id = new_id(), new_id(), new_id()
    assert one(PlanState, await plan(runtime, plan_id)).version == 1
    assert await plan(runtime, plan_id) == []
    assert one(PlanState, await plan(runtime, plan_id, "Year 2026")).version == 2
    await plan(runtime, other_id, "Next")
    assert one(ProgramState, await program(runtime, program_id, plan_id)).plan_id == plan_id
    moved = one(ProgramState, await program(runtime, program_id, other_id))
    assert (moved.plan_id, moved.version) == (other_id, 2)


async def test_what_cannot_be_saved_is_refused_by_its_field(runtime: Runtime) -> None:
    plan_id, program_id = new_id(), new_id()
    await plan(runtime, plan_id)
    await program(runtime, program_id, plan_id)
    for answer, field, code in (
        (await plan(runtime, new_id(), " "), "label", "label_missing"),
        (await plan(runtime, new_id(), "2026"), "label", "label_taken"),
        (await plan(runtime, new_id(), "x", end_on=date(2025, 1, 1)), "end_on", "period_wrong"),
        (await program(runtime, new_id(), uuid4()), "plan_id", "unknown_plan"),
        (await program(runtime, new_id(), plan_id, "SPRING"), "label", "label_taken"),
        (
            await program(
                runtime,
                new_id(),
                plan_id,
                "x",
                start_on=date(2027, 1, 1),
                end_on=date(2027, 2, 1),
            ),
            "start_on",
            "outside_plan",
        ),
    ):
        refused = one(PlanRefused, answer)
        assert (refused.field, refused.code) == (field, code)


async def test_a_campaign_takes_its_program_s_budget_and_moves_in_any_state(
    runtime: Runtime,
) -> None:
    plan_id, spring, summer, budget = new_id(), new_id(), new_id(), uuid4()
    await plan(runtime, plan_id)
    await program(runtime, spring, plan_id, budget_id=budget)
    await program(runtime, summer, plan_id, "Summer")
    campaign_id = new_id()

    def create(**fields: Any) -> CreateCampaign:
        wish = CampaignPlan(label="x", **fields)
        return CreateCampaign(campaign_id=campaign_id, actor=ACTOR, plan=wish)

    refused = one(CampaignRefused, await runtime.execute(create(program_id=uuid4())))
    assert (refused.field, refused.code) == ("program_id", "unknown_program")
    made = one(CampaignState, await runtime.execute(create(program_id=spring)))
    assert (made.program_id, made.budget_id) == (spring, budget)
    await runtime.execute(CancelCampaign(campaign_id=campaign_id, actor=ACTOR))
    said = await runtime.execute(
        MoveCampaign(campaign_id=campaign_id, actor=ACTOR, program_id=summer)
    )
    assert one(CampaignState, said).program_id == summer
    assert one(CampaignEdited, said).fields == ("program_id",)
    said = await runtime.execute(MoveCampaign(campaign_id=campaign_id, actor=ACTOR))
    assert one(CampaignState, said).program_id is None
    refused = one(
        CampaignRefused,
        await runtime.execute(
            MoveCampaign(campaign_id=campaign_id, actor=ACTOR, program_id=uuid4())
        ),
    )
    assert refused.code == "unknown_program"


async def test_only_who_may_manage_campaigns_saves_plans(runtime: Runtime) -> None:
    await runtime.execute(
        OperatorState(operator_id=MANAGER, version=2, name="M", roles=(Role.REVIEWER,))
    )
    assert one(PlanRefused, await plan(runtime, new_id())).code == "not_allowed"


async def test_the_calendar_says_which_campaigns_to_a_target_are_too_many(
    runtime: Runtime,
) -> None:
    target = uuid4()
    for number, day in enumerate(("05-30", "06-03", "06-08", "06-12", "06-22", "06-30")):
        start = datetime.fromisoformat(f"2026-{day}T23:30").replace(tzinfo=UTC)
        fields = {"label": f"mail {number}", "targeting_id": target, "template_id": uuid4()}
        wish = CampaignPlan.model_validate(
            {**fields, "start_at": start, "end_at": start + timedelta(days=1), "zone": "UTC"}
        )
        await runtime.execute(CreateCampaign(campaign_id=new_id(), actor=ACTOR, plan=wish))
    june: dict[str, Any] = {
        "targeting": target,
        "first": date(2026, 6, 1),
        "last": date(2026, 6, 30),
    }
    found = await calendar(runtime, **june, most=3, days=15, per=Grouping.MONTH)
    assert [f"{line.day:%m-%d}" for line in found if line.left_out] == ["06-12", "06-30"]
    assert len(found) == 5
    assert await calendar(runtime, **{**june, "targeting": uuid4()}) == []
