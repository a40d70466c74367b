"""The campaign form: opened, numbered, checked, saved once; in both modes."""

from __future__ import annotations

from uuid import UUID

from tests.integration.bot_story import (
    MANAGER,
    BotStory,
    opened_form,
)
from tests.unit.bot import samples
from topics.actions import ActionModelState, ModelKind
from topics.budget import BudgetState
from topics.campaign import (
    CampaignCreated,
    CampaignFormOpened,
    CampaignStatus,
    CreateCampaign,
    OpenCampaignForm,
    RequestProof,
)
from topics.delivery import TemplateState
from topics.message import Actor, Message, Via
from topics.stock import StockLineState
from topics.supplier import SupplierServiceState
from topics.targeting import Counts, TargetingKind, TargetingState

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
)


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
    ack = await story.people.submit(
        MANAGER,
        numbered,
        {
            "label": "Spring <b> & *friends*",
            "start_date": "2026-12-01",
            "start_time": "09:30",
            "end_date": "2026-12-24",
            "targeting": str(UUID(int=11)),
            "template": "Spring letter",
            "budget": "Marketing 2026",
            "models": ["CALL Call", "VISIT Visit"],
            "service": "Letters (Router)",
            "stock": "Leaflets (Depot)",
            "reviewers": ["Robin Clarke"],
            "description": "What it is",
            "remark": "A remark",
            "proof_now": ["yes"],
        },
    )
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
    assert plan.action_model_ids == (UUID(int=14), UUID(int=15))
    assert (plan.budget_id, plan.supplier_service_id) == (UUID(int=13), UUID(int=16))
    assert plan.stock_line_id == UUID(int=17)
    assert plan.reviewer_ids == (samples.REVIEWER.operator_id,)
    assert (plan.description, plan.remark) == ("What it is", "A remark")


async def test_a_proof_wished_for_in_the_form_is_asked_for_once_the_target_is_counted(
    story: BotStory,
) -> None:
    form = await opened_form(story)
    await story.people.submit(MANAGER, form, {"label": "Spring", "proof_now": ["yes"]})
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
    form = await opened_form(story)
    for values, field, words in MISTAKES:
        ack = await story.people.submit(MANAGER, form, values)
        assert words in ack.errors[field]
        assert ack.problem is None
        assert len(await story.people.views(MANAGER)) == 1
    assert await story.emitted(CreateCampaign) == []
    again = await story.people.submit(
        MANAGER, form, {"label": "Good", "start_date": None, "start_time": None, "end_date": None}
    )
    assert again.errors == {}
    assert len(await story.emitted(CreateCampaign)) == 1


async def test_a_choice_that_was_removed_meanwhile_is_an_error_on_its_field(
    story: BotStory,
) -> None:
    await story.hear(*CHOICES)
    form = await opened_form(story)
    # A choice is offered while the form is filled in, and gone when it is sent.
    offered = await story.people.suggest(MANAGER, form, "targeting", "lapsed")
    assert [option["text"]["text"] for option in offered] == ["Lapsed <customers> & friends"]
    await story.people.submit(MANAGER, form, {"label": " ", "targeting": str(UUID(int=11))})
    await story.runtime.pool.execute("DELETE FROM choices WHERE kind = 'targeting'")
    ack = await story.people.submit(MANAGER, form, {"label": "Spring"})
    assert "no longer exists" in ack.errors["targeting"]


async def test_a_submission_delivered_again_saves_once(story: BotStory) -> None:
    form = await opened_form(story)
    ack = await story.people.submit(MANAGER, form, {"label": "Spring"})
    again = await story.people.redeliver(ack)
    assert again.acknowledged
    assert len(await story.emitted(CreateCampaign)) == 1


async def test_who_saved_a_campaign_is_told_its_number(story: BotStory) -> None:
    form = await opened_form(story)
    await story.people.submit(MANAGER, form, {"label": "Spring"})
    (create,) = await story.emitted(CreateCampaign)
    await story.hear(
        CampaignCreated(campaign_id=create.campaign_id, number=1042, label="Spring", actor=ACTOR)
    )
    await story.people.wait_for_ephemeral(MANAGER, "C-1042 Spring is saved")
