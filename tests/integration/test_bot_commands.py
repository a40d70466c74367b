"""Slash commands, lists and forms, in Socket Mode and over signed HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from deploy.embedded.slack import View, render_text
from shared.ids import new_id
from tests.conftest import Open
from tests.integration.bot_story import (
    MANAGER,
    REVIEWER,
    STRANGER,
    SUPERVISOR,
    BotStory,
    Mode,
    telling,
)
from tests.unit.bot import samples
from topics.actions import ActionModelState, ModelKind
from topics.budget import BudgetState
from topics.campaign import (
    CampaignCreated,
    CampaignFormOpened,
    CampaignMoved,
    CampaignRefused,
    CampaignStatus,
    CancelCampaign,
    CreateCampaign,
    LaunchCampaign,
    OpenCampaignForm,
    RequestProof,
    ResumeCampaign,
    SuspendCampaign,
)
from topics.delivery import TemplateState
from topics.message import Actor, Command, Message, Via
from topics.stock import StockLineState
from topics.supplier import SupplierServiceState
from topics.targeting import Counts, TargetingKind, TargetingState
from topics.workflows import Control, ControlWorkflow, WorkflowRefused, WorkflowStatus

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


@pytest.fixture(params=["socket", "http"])
async def story(
    request: pytest.FixtureRequest, open_service: Open, tmp_path: Path
) -> AsyncIterator[BotStory]:
    mode: Mode = request.param
    async with telling(open_service, tmp_path, mode) as told:
        yield told


async def opened_form(story: BotStory) -> View:
    ack = await story.people.slash(MANAGER, "/campaign", "new")
    assert ack.acknowledged
    assert ack.seconds < 1
    return await story.people.wait_for_view(MANAGER, callback_id="campaign_new")


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


async def test_a_command_delivered_again_opens_one_form(story: BotStory) -> None:
    ack = await story.people.slash(MANAGER, "/campaign", "new")
    await story.people.wait_for_view(MANAGER)
    assert (await story.people.redeliver(ack)).acknowledged
    if story.mode == "http":
        assert (await story.people.replay()).acknowledged
    await story.quiet()
    assert len(await story.emitted(OpenCampaignForm)) == 1
    assert len(await story.people.views(MANAGER)) == 1


async def test_the_list_shows_ten_a_page_newest_first_and_turns(story: BotStory) -> None:
    for number in range(1001, 1026):
        await story.hear(samples.a_campaign(number, waiting_for="waits for <all> of us"))
    await story.people.slash(MANAGER, "/campaign", "list")
    first = await story.people.wait_for_ephemeral(MANAGER, "C-1025")
    text = render_text(first)
    assert "C-1016" in text
    assert "C-1015" not in text
    assert "waits for <all> of us" in text
    assert "Ready to test" in text
    await story.people.click(MANAGER, first, "list_below")
    second = await story.people.wait_for_ephemeral(MANAGER, "C-1015")
    assert "C-1006" in render_text(second)
    await story.people.click(MANAGER, second, "list_below")
    last = await story.people.wait_for_ephemeral(MANAGER, "C-1001")
    assert "Older" not in render_text(last)
    await story.people.click(MANAGER, last, "list_above")
    back = await story.people.wait_for_ephemeral(MANAGER, "C-1006")
    assert "C-1015" in render_text(back)


async def test_status_shows_sums_that_add_up_and_a_button_for_the_stopped_workflow(
    story: BotStory,
) -> None:
    state = samples.a_campaign(
        status=CampaignStatus.RUNNING,
        waiting_for="waits for deliveryMgt, which is stopped",
        waiting_workflow="deliveryMgt",
        synthesis=samples.sums(
            targeted=10,
            messages_targeted=10,
            messages_sent=6,
            messages_failed=1,
            messages_ignored=2,
            messages_pending=1,
        ),
    )
    await story.hear(state)
    await story.people.slash(SUPERVISOR, "/campaign", "status c-1042")
    shown = await story.people.wait_for_ephemeral(SUPERVISOR, "C-1042")
    text = render_text(shown)
    assert "6 envoyés + 1 en échec + 2 ignorés + 0 ambigus + 1 en attente = 10" in text
    assert "90 %" in text
    ack = await story.people.click(SUPERVISOR, shown, "workflow_start")
    assert ack.acknowledged
    (control,) = await story.emitted(ControlWorkflow)
    assert (control.name, control.control) == ("deliveryMgt", Control.START)
    assert control.actor.id == str(samples.SUPERVISOR.operator_id)


ORDERS: tuple[tuple[str, type[Command]], ...] = (
    ("proof C-1042", RequestProof),
    ("launch 1042", LaunchCampaign),
    ("pause c-1042 too many complaints", SuspendCampaign),
    ("resume C-1042", ResumeCampaign),
    ("cancel C-1042 not needed", CancelCampaign),
)


async def test_a_campaigns_command_is_sent_once_and_its_answer_told(story: BotStory) -> None:
    state = samples.a_campaign()
    await story.hear(state)
    for words, kind in ORDERS:
        ack = await story.people.slash(MANAGER, "/campaign", words)
        assert "C-1042" in str(ack.payload)
        await story.people.redeliver(ack)
        (command,) = await story.emitted(kind)
        fields = command.model_dump()
        assert fields["campaign_id"] == state.campaign_id
        assert fields.get("reason", "") in {"", "too many complaints", "not needed"}
        await story.hear(
            CampaignRefused(
                campaign_id=state.campaign_id,
                command=kind.__name__,
                reason=f"C-1042 cannot {words} <now>",
                actor=ACTOR,
            )
        )
        told = await story.people.wait_for_ephemeral(MANAGER, f"cannot {words} <now>")
        assert "refused" in told.text
    assert (await story.emitted(SuspendCampaign))[0].reason == "too many complaints"
    assert (await story.emitted(CancelCampaign))[0].reason == "not needed"
    await story.hear(
        CampaignMoved(
            campaign_id=state.campaign_id,
            number=1042,
            label=state.label,
            before=CampaignStatus.READY_TO_TEST,
            after=CampaignStatus.PROOF_GENERATING,
            actor=ACTOR,
        )
    )
    await story.people.wait_for_ephemeral(MANAGER, "Proof being generated")


async def test_who_saved_a_campaign_is_told_its_number(story: BotStory) -> None:
    form = await opened_form(story)
    await story.people.submit(MANAGER, form, {"label": "Spring"})
    (create,) = await story.emitted(CreateCampaign)
    await story.hear(
        CampaignCreated(campaign_id=create.campaign_id, number=1042, label="Spring", actor=ACTOR)
    )
    await story.people.wait_for_ephemeral(MANAGER, "C-1042 Spring is saved")


HELPLESS = (
    ("", "What I understand"),
    ("help", "What I understand"),
    ("dance <!channel>", "I do not know “dance &lt;!channel&gt;”"),
    ("proof", "C-1042"),
    ("proof C-x", "Which campaign"),
    ("status C-9", "no campaign C-9"),
    ("pause 99999999999999999999", "Which campaign"),
)


async def test_what_is_not_understood_gets_help(story: BotStory) -> None:
    for words, answer in HELPLESS:
        ack = await story.people.slash(MANAGER, "/campaign", words)
        assert answer in str(ack.payload)
    assert (await story.rows())["outbox"] == 0


async def test_who_has_no_right_gets_a_polite_no_and_leaves_no_row(story: BotStory) -> None:
    await story.hear(samples.a_campaign())
    for who in (STRANGER, REVIEWER):
        for words in ("new", "proof C-1042", "cancel C-1042"):
            ack = await story.people.slash(who, "/campaign", words)
            assert "Sorry" in str(ack.payload)
    for command, words in (("/campaign", "list"), ("/workflows", ""), ("/campaign", "help")):
        ack = await story.people.slash(STRANGER, command, words)
        assert "Sorry, I do not know you" in str(ack.payload)
    assert set((await story.rows()).values()) == {0}


async def test_workflows_are_listed_with_the_buttons_their_state_allows(story: BotStory) -> None:
    stopped = samples.a_workflow("supplierMgt", service="supplier", status=WorkflowStatus.STOPPED)
    failed = samples.a_workflow(
        "budgetMgt", service="budget", status=WorkflowStatus.FAILED, error="no <such> table"
    )
    await story.hear(samples.a_workflow(), stopped, failed)
    await story.people.slash(SUPERVISOR, "/workflows")
    shown = await story.people.wait_for_ephemeral(SUPERVISOR, "supplierMgt")
    text = render_text(shown)
    assert "no <such> table" in text
    await story.people.click(SUPERVISOR, shown, "workflow_start", block_id="workflow:supplierMgt")
    await story.people.click(
        SUPERVISOR, shown, "workflow_run_now", block_id="workflow:operationMgt"
    )
    await story.people.click(SUPERVISOR, shown, "workflow_pause", block_id="workflow:operationMgt")
    asked = [(one.name, one.control) for one in await story.emitted(ControlWorkflow)]
    assert asked == [
        ("supplierMgt", Control.START),
        ("operationMgt", Control.RUN_NOW),
        ("operationMgt", Control.PAUSE),
    ]
    await story.hear(stopped.model_copy(update={"status": WorkflowStatus.STARTED, "version": 2}))
    await story.people.wait_for_ephemeral(SUPERVISOR, "supplierMgt est maintenant démarré")
    await story.hear(
        WorkflowRefused(
            name="operationMgt",
            control=Control.PAUSE,
            reason="operationMgt is paused: it cannot pause",
            actor=Actor(id=str(samples.SUPERVISOR.operator_id), via=Via.SLACK),
        )
    )
    await story.people.wait_for_ephemeral(SUPERVISOR, "it cannot pause")


async def test_who_may_not_control_workflows_sees_no_buttons_and_cannot_press_an_old_one(
    story: BotStory,
) -> None:
    await story.hear(samples.a_workflow())
    await story.people.slash(REVIEWER, "/workflows")
    shown = await story.people.wait_for_ephemeral(REVIEWER, "operationMgt")
    assert [block["type"] for block in shown.blocks] == ["header", "section"]
    await story.people.slash(SUPERVISOR, "/workflows")
    old = await story.people.wait_for_ephemeral(SUPERVISOR, "operationMgt")
    supervisor = samples.SUPERVISOR.model_copy(update={"roles": (), "version": 2})
    await story.hear(supervisor)
    await story.people.click(SUPERVISOR, old, "workflow_stop")
    await story.people.wait_for_ephemeral(SUPERVISOR, "Désolé")
    assert await story.emitted(ControlWorkflow) == []


async def test_a_label_of_three_hundred_characters_fits_every_screen(story: BotStory) -> None:
    label = "é<&>" * 75
    await story.hear(samples.a_campaign(label=label, waiting_for="<" * 500))
    await story.hear(
        TemplateState(
            template_id=new_id(),
            label=label,
            language="en",
            subject="s",
            content_hash="c",
            version=1,
        )
    )
    for words in ("list", "status C-1042"):
        ack = await story.people.slash(MANAGER, "/campaign", words)
        assert ack.problem is None
    form = await opened_form(story)
    offered = await story.people.suggest(MANAGER, form, "template", "é")
    assert offered[0]["text"]["text"].endswith("…")
