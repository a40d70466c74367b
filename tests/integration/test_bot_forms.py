"""The campaign form: opened, numbered, taken step by step, saved once; in both modes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from tests.integration.bot_story import (
    MANAGER,
    BotStory,
    opened_form,
    saved_form,
    taken,
)
from tests.unit.bot import samples
from topics.actions import ActionModelState, ModelKind
from topics.budget import BudgetState, EstimateCost
from topics.campaign import (
    CampaignCreated,
    CampaignFormOpened,
    CampaignRefused,
    CampaignStatus,
    CreateCampaign,
    OpenCampaignForm,
    RequestProof,
)
from topics.delivery import TemplateState
from topics.message import Actor, Message, Via
from topics.plans import ProgramState
from topics.stock import EstimateStock, StockLineState
from topics.supplier import SupplierServiceState
from topics.targeting import (
    Counts,
    CountTarget,
    SaveTargeting,
    TargetCounted,
    TargetCounts,
    TargetingKind,
    TargetingState,
    TargetRefused,
)

ACTOR = Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)
CHOICES: tuple[Message, ...] = (
    TargetingState(
        targeting_id=UUID(int=11),
        label="Lapsed <customers> & friends",
        counts=Counts.CONTACTS,
        kind=TargetingKind.CRITERIA,
        version=1,
    ),
    TemplateState(
        template_id=UUID(int=12),
        label="Spring letter",
        language="en",
        subject="Hello",
        content_hash="c",
        version=1,
    ),
    BudgetState(
        budget_id=UUID(int=13),
        label="Marketing 2026",
        currency="EUR",
        allocated_minor=1000,
        reserved_minor=0,
        spent_minor=0,
        left_minor=1000,
        version=1,
    ),
    ActionModelState(
        model_id=UUID(int=14), code="CALL", label="Call", kind=ModelKind.ACTION_ON_SITE, version=1
    ),
    ActionModelState(
        model_id=UUID(int=15), code="VISIT", label="Visit", kind=ModelKind.ACTION_ON_SITE, version=1
    ),
    SupplierServiceState(service_id=UUID(int=16), supplier="Router", label="Letters", version=1),
    StockLineState(
        line_id=UUID(int=17),
        stock="Depot",
        label="Leaflets",
        initial=10,
        delivered=0,
        consumed=0,
        reserved=0,
        in_stock=10,
        on_order=0,
        alert_level=2,
        alert=False,
        version=1,
    ),
    ProgramState(
        program_id=UUID(int=18),
        plan_id=UUID(int=19),
        label="Spring 2027",
        start_on=date(2026, 12, 1),
        end_on=date(2027, 6, 30),
        created_at=samples.NOW,
        modified_at=samples.NOW,
        version=1,
    ),
)


FIRST: dict[str, Any] = {
    "label": "Spring <b> & *friends*",
    "template": "Spring letter",
    "program": "Spring 2027",
    "start_date": "2026-12-01",
    "start_time": "09:30",
    "end_date": "2026-12-24",
}
LAST: dict[str, Any] = {
    "budget": "Marketing 2026",
    "models": ["CALL Call", "VISIT Visit"],
    "service": "Letters (Router)",
    "stock": "Leaflets (Depot)",
    "per_letter": "2",
    "reviewers": ["Robin Clarke"],
    "description": "What it is",
    "remark": "A remark",
    "proof_now": ["yes"],
}
COUNTS = TargetCounts(records=9, persons=9, reachable=5, duplicates=1, opted_out=1, without_email=2)


async def saved(story: BotStory, values: Mapping[str, Any]) -> CreateCampaign:
    """Have a campaign saved with what its first step says; return its command."""
    await saved_form(story, await opened_form(story), values)
    return (await story.emitted(CreateCampaign))[-1]


async def test_a_new_campaign_goes_from_form_to_number_to_command(story: BotStory) -> None:
    await story.hear(*CHOICES)
    form = await opened_form(story)
    (opening,) = await story.emitted(OpenCampaignForm)
    assert opening.actor == ACTOR
    campaign_id = opening.campaign_id
    assert form.private_metadata == str(campaign_id)
    await story.hear(CampaignFormOpened(campaign_id=campaign_id, number=1042, actor=ACTOR))
    numbered = await story.people.wait_for_view(MANAGER, contains="C-1042")
    assert numbered.title == "Campaign C-1042"
    aimed = await taken(story, numbered, "campaign_target", FIRST)
    assert aimed.title == "Campaign C-1042"
    means = await taken(story, aimed, "campaign_means", {"targeting": str(UUID(int=11))})
    ack = await story.people.submit(MANAGER, means, LAST)
    assert (ack.acknowledged, ack.errors, ack.problem) == (True, {}, None)
    assert await story.people.views(MANAGER) == []
    (create,) = await story.emitted(CreateCampaign)
    assert create.campaign_id == campaign_id
    plan = create.plan
    assert plan.label == "Spring <b> & *friends*"
    assert plan.start_at is not None
    assert plan.start_at.isoformat() == "2026-12-01T08:30:00+00:00"
    assert plan.end_at is not None
    assert plan.end_at.isoformat() == "2026-12-24T22:59:00+00:00"
    assert (plan.targeting_id, plan.template_id) == (UUID(int=11), UUID(int=12))
    assert plan.program_id == UUID(int=18)
    assert plan.action_model_ids == (UUID(int=14), UUID(int=15))
    assert (plan.budget_id, plan.supplier_service_id) == (UUID(int=13), UUID(int=16))
    assert (plan.stock_line_id, plan.stock_quantity_per_letter) == (UUID(int=17), 2)
    assert plan.reviewer_ids == (samples.REVIEWER.operator_id,)
    assert (plan.description, plan.remark) == ("What it is", "A remark")


async def test_a_target_is_counted_and_its_means_estimated_while_the_form_is_open(
    story: BotStory,
) -> None:
    await story.hear(*CHOICES)
    aimed = await taken(story, await opened_form(story), "campaign_target", FIRST)
    campaign_id = UUID(aimed.private_metadata)
    await story.people.click(MANAGER, aimed, "targeting", value=str(UUID(int=11)))
    await story.people.wait_for_view(MANAGER, contains="Counting")
    (count,) = await story.emitted(CountTarget)
    assert (count.campaign_id, count.targeting_id) == (campaign_id, UUID(int=11))
    answer = {"campaign_id": campaign_id, "targeting_id": UUID(int=11)}
    await story.hear(TargetCounted(**answer, counts=COUNTS))
    aimed = await story.people.wait_for_view(MANAGER, contains="1 opted out")
    means = await taken(story, aimed, "campaign_means")
    await story.people.click(MANAGER, means, "budget", value="Marketing 2026")
    means = await story.people.wait_for_view(MANAGER, contains="being estimated")
    (cost,) = await story.emitted(EstimateCost)
    assert (cost.draft, cost.campaign_id, cost.volumes.emails) == (True, campaign_id, 5)
    await story.hear(samples.a_cost(campaign_id, budget_id=UUID(int=13)))
    means = await story.people.wait_for_view(MANAGER, contains="€1,234.56")
    typed = {"service": "Letters (Router)"}
    await story.people.click(MANAGER, means, "stock", value="Leaflets (Depot)", values=typed)
    await story.people.wait_for_view(MANAGER, contains="Stock")
    goods = (await story.emitted(EstimateStock))[-1]
    assert (goods.line_id, goods.quantity) == (UUID(int=17), 2)
    await story.hear(samples.some_goods(campaign_id, line_id=UUID(int=17), asked=2, available=1))
    means = await story.people.wait_for_view(MANAGER, contains="2 needed, 1 available")
    # What was chosen stands where the figures came in.
    ack = await story.people.submit(MANAGER, means, {})
    assert (ack.errors, ack.problem) == ({}, None)
    (create,) = await story.emitted(CreateCampaign)
    assert (create.plan.budget_id, create.plan.stock_line_id) == (UUID(int=13), UUID(int=17))


async def test_a_target_described_in_the_form_is_saved_then_counted(story: BotStory) -> None:
    aimed = await taken(story, await opened_form(story), "campaign_target", {"label": "Spring"})
    typed = {"country": "fr, be", "postal_code": "75"}
    await story.people.click(MANAGER, aimed, "form_reckon", values=typed)
    await story.people.wait_for_view(MANAGER, contains="Counting")
    (save,) = await story.emitted(SaveTargeting)
    assert [(one.field, one.values) for one in save.criteria] == [
        ("site.country", ("FR", "BE")),
        ("site.postal_code", ("75",)),
    ]
    assert save.actor == ACTOR
    assert await story.emitted(CountTarget) == []
    own = {"targeting_id": save.targeting_id, "label": save.label, "version": 1}
    await story.hear(TargetingState(**own, counts=Counts.CONTACTS, kind=TargetingKind.CRITERIA))
    (count,) = await story.emitted(CountTarget)
    assert count.targeting_id == save.targeting_id
    await story.hear(
        TargetRefused(
            campaign_id=count.campaign_id, targeting_id=save.targeting_id, reason="too many"
        )
    )
    aimed = await story.people.wait_for_view(MANAGER, contains="cannot be counted: too many")
    means = await taken(story, aimed, "campaign_means")
    await story.people.submit(MANAGER, means, {})
    (create,) = await story.emitted(CreateCampaign)
    assert create.plan.targeting_id == save.targeting_id


async def test_back_shows_the_step_before_with_all_that_was_typed(story: BotStory) -> None:
    await story.hear(*CHOICES)
    aimed = await taken(story, await opened_form(story), "campaign_target", FIRST)
    means = await taken(story, aimed, "campaign_means", {"segment": "gold"})
    await story.people.click(MANAGER, means, "form_back", values={"remark": "Not lost"})
    aimed = await story.people.wait_for_view(MANAGER, callback_id="campaign_target")
    await story.people.click(MANAGER, aimed, "form_back", values={"segment": "silver"})
    first = await story.people.wait_for_view(MANAGER, callback_id="campaign_new")
    aimed = await taken(story, first, "campaign_target", {})
    means = await taken(story, aimed, "campaign_means")
    await story.people.submit(MANAGER, means, {})
    (create,) = await story.emitted(CreateCampaign)
    assert (create.plan.label, create.plan.template_id) == (FIRST["label"], UUID(int=12))
    assert create.plan.remark == "Not lost"
    assert (await story.emitted(SaveTargeting))[-1].criteria[0].values == ("silver",)


async def test_a_figure_that_comes_after_the_next_step_changes_nothing(story: BotStory) -> None:
    await story.hear(*CHOICES)
    aimed = await taken(story, await opened_form(story), "campaign_target", {"label": "Spring"})
    # Slack is slow just then: the change waits in its row while the person goes on.
    await story.people.rate_limit("views.update", times=2, retry_after=1)
    await story.people.click(MANAGER, aimed, "targeting", value=str(UUID(int=11)))
    means = await taken(story, aimed, "campaign_means")
    await story.quiet()
    (shown,) = await story.people.views(MANAGER)
    assert shown.callback_id == means.callback_id == "campaign_means"
    closed = await story.people.close(MANAGER, shown)
    assert closed.acknowledged
    late = {"campaign_id": UUID(aimed.private_metadata), "targeting_id": UUID(int=11)}
    await story.hear(TargetCounted(**late, counts=COUNTS))
    await story.quiet()
    assert await story.people.views(MANAGER) == []


async def test_a_change_whose_answer_was_lost_does_not_keep_the_next_one_away(
    story: BotStory,
) -> None:
    await story.hear(*CHOICES)
    aimed = await taken(story, await opened_form(story), "campaign_target", {"label": "Spring"})
    await story.people.lose_answers("views.update")
    await story.people.click(MANAGER, aimed, "targeting", value=str(UUID(int=11)))
    answer = {"campaign_id": UUID(aimed.private_metadata), "targeting_id": UUID(int=11)}
    await story.hear(TargetCounted(**answer, counts=COUNTS))
    await story.people.wait_for_view(MANAGER, contains="1 opted out")


async def test_a_proof_wished_for_in_the_form_is_asked_for_once_the_target_is_counted(
    story: BotStory,
) -> None:
    aimed = await taken(story, await opened_form(story), "campaign_target", {"label": "Spring"})
    means = await taken(story, aimed, "campaign_means")
    await story.people.submit(MANAGER, means, {"proof_now": ["yes"]})
    (create,) = await story.emitted(CreateCampaign)
    state = samples.a_campaign(campaign_id=create.campaign_id, status=CampaignStatus.NEW)
    await story.hear(state)
    assert await story.emitted(RequestProof) == []
    ready = {"status": CampaignStatus.READY_TO_TEST}
    await story.hear(state.model_copy(update=ready | {"version": 2}))
    await story.hear(state.model_copy(update=ready | {"version": 3}))
    assert await story.emitted(RequestProof) == [
        RequestProof(campaign_id=create.campaign_id, actor=ACTOR)
    ]


MISTAKES: tuple[tuple[dict[str, str | None], str, str], ...] = (
    ({"label": "   "}, "label", "needs a label"),
    ({"label": "A", "start_time": "09:00"}, "start_date", "Choose a date"),
    (
        {"label": "A", "start_date": "2099-12-02", "end_date": "2099-12-01"},
        "end_date",
        "after the start",
    ),
    ({"label": "A", "start_date": None, "end_date": "2020-01-01"}, "end_date", "passed already"),
)


async def test_a_form_with_a_mistake_stays_open_and_names_the_field(story: BotStory) -> None:
    await story.hear(*CHOICES)
    form = await opened_form(story)
    for values, field, words in MISTAKES:
        ack = await story.people.submit(MANAGER, form, values)
        assert words in ack.errors[field]
        assert ack.problem is None
        assert len(await story.people.views(MANAGER)) == 1
    good = {"label": "Good", "start_date": None, "start_time": None, "end_date": None}
    aimed = await taken(story, form, "campaign_target", good)
    both = {"country": "FR", "targeting": str(UUID(int=11))}
    ack = await story.people.submit(MANAGER, aimed, both)
    assert "not both" in ack.errors["targeting"]
    means = await taken(story, aimed, "campaign_means", {"country": None})
    ack = await story.people.submit(MANAGER, means, {"per_letter": "many"})
    assert "whole number" in ack.errors["per_letter"]
    assert await story.emitted(CreateCampaign) == []
    ack = await story.people.submit(MANAGER, means, {"per_letter": None})
    assert ack.errors == {}
    assert len(await story.emitted(CreateCampaign)) == 1


async def test_a_choice_that_was_removed_meanwhile_is_an_error_where_it_was_made(
    story: BotStory,
) -> None:
    await story.hear(*CHOICES)
    first = await opened_form(story)
    await story.people.submit(MANAGER, first, {"label": " ", "template": "Spring letter"})
    await story.runtime.pool.execute("DELETE FROM choices WHERE kind = 'template'")
    ack = await story.people.submit(MANAGER, first, {"label": "Spring"})
    assert "no longer exists" in ack.errors["template"]
    aimed = await taken(story, first, "campaign_target", {"template": None})
    # A choice is offered while the form is filled in, and gone when it is saved.
    offered = await story.people.suggest(MANAGER, aimed, "targeting", "lapsed")
    assert [option["text"]["text"] for option in offered] == ["Lapsed <customers> & friends"]
    means = await taken(story, aimed, "campaign_means", {"targeting": str(UUID(int=11))})
    await story.runtime.pool.execute("DELETE FROM choices WHERE kind = 'targeting'")
    aimed = await taken(story, means, "campaign_target", {"remark": "Not lost"})
    await story.people.wait_for_view(MANAGER, contains="Targeting: This choice no longer exists")
    means = await taken(story, aimed, "campaign_means", {"targeting": None})
    assert "Not lost" in str(means.values)
    assert await story.emitted(CreateCampaign) == []


async def test_a_submission_delivered_again_saves_once(story: BotStory) -> None:
    aimed = await taken(story, await opened_form(story), "campaign_target", {"label": "Spring"})
    means = await taken(story, aimed, "campaign_means")
    ack = await story.people.submit(MANAGER, means, {})
    again = await story.people.redeliver(ack)
    assert again.acknowledged
    assert len(await story.emitted(CreateCampaign)) == 1


async def test_who_saved_a_campaign_is_told_its_number(story: BotStory) -> None:
    create = await saved(story, {"label": "Spring"})
    await story.hear(
        CampaignCreated(campaign_id=create.campaign_id, number=1042, label="Spring", actor=ACTOR)
    )
    await story.people.wait_for_ephemeral(MANAGER, "C-1042 Spring is saved")


async def test_a_campaign_that_could_not_be_saved_leads_back_to_its_form(story: BotStory) -> None:
    create = await saved(story, {"label": "Spring"})
    await story.hear(
        CampaignRefused(
            campaign_id=create.campaign_id,
            command="CreateCampaign",
            reason="this program is over",
            field="program_id",
            actor=ACTOR,
        )
    )
    told = await story.people.wait_for_ephemeral(MANAGER, "this program is over")
    await story.people.click(MANAGER, told, "form_again")
    form = await story.people.wait_for_view(MANAGER, callback_id="campaign_new")
    assert "Spring" in str(form.values)
    await story.people.close(MANAGER, form)
