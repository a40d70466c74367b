"""Slash commands and lists, in Socket Mode and over signed HTTP."""

from __future__ import annotations

from deploy.embedded.slack import render_text
from shared.ids import new_id
from tests.integration.bot_story import (
    MANAGER,
    REVIEWER,
    STRANGER,
    SUPERVISOR,
    BotStory,
    opened_form,
)
from tests.unit.bot import samples
from topics.campaign import (
    CampaignMoved,
    CampaignRefused,
    CampaignStatus,
    LaunchCampaign,
    OpenCampaignForm,
    RequestProof,
    ResumeCampaign,
    RetryCampaign,
    SuspendCampaign,
)
from topics.delivery import TemplateState
from topics.message import Actor, Command, Via
from topics.workflows import Control, ControlWorkflow, WorkflowRefused, WorkflowStatus

ACTOR = Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)


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
    ("retry C-1042", RetryCampaign),
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
        assert fields.get("reason", "") in {"", "too many complaints"}
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


HELPLESS = (
    ("", "What I understand"),
    ("help", "What I understand"),
    ("dance &lt;!channel&gt;", "I do not know “dance &lt;!channel&gt;”"),
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
    commands = ("/approvals", "/budget", "/stock", "/workflows")
    for command, words in (("/campaign", "list"), *((one, "") for one in commands)):
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
