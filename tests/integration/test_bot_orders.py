"""Lists with filters, orders with their effect, followed campaigns, in either mode."""

from __future__ import annotations

from datetime import timedelta

from deploy.embedded.slack import render_text
from shared.ids import new_id
from tests.integration.bot_story import (
    MANAGER,
    REVIEWER,
    STRANGER,
    SUPERVISOR,
    BotStory,
    saved_form,
)
from tests.unit.bot import samples
from topics.campaign import (
    CampaignFormOpened,
    CampaignPlan,
    CampaignState,
    CampaignStatus,
    CancelCampaign,
    CreateCampaign,
    LaunchCampaign,
    OpenCampaignForm,
    SuspendCampaign,
)
from topics.delivery import ApprovalOutcome, DeliveryCounts, DeliveryProgressed, TemplateState
from topics.message import Actor, Via
from topics.operators import Role
from topics.targeting import ControlGroup, ControlMethod

ACTOR = Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)
OTHER = str(samples.SUPERVISOR.operator_id)


def running(version: int = 1, sent: int = 1_203) -> CampaignState:
    return samples.a_campaign(
        status=CampaignStatus.RUNNING,
        version=version,
        synthesis=samples.sums(
            targeted=10_000,
            messages_targeted=10_000,
            messages_sent=sent,
            messages_pending=10_000 - sent,
        ),
    )


async def test_a_list_is_filtered_by_owner_state_and_words_and_keeps_its_filter(
    story: BotStory,
) -> None:
    for number in range(1001, 1013):
        await story.hear(samples.a_campaign(number, status=CampaignStatus.RUNNING))
    await story.hear(
        samples.a_campaign(1013, status=CampaignStatus.RUNNING, manager_id=OTHER),
        samples.a_campaign(1014, status=CampaignStatus.FINISHED),
        samples.a_campaign(1015, status=CampaignStatus.RUNNING, label="Winter"),
    )
    await story.people.slash(MANAGER, "/campaign", "list mine running spring")
    first = await story.people.wait_for_ephemeral(MANAGER, "C-1012")
    text = render_text(first)
    assert all(f"C-{number}" not in text for number in (1013, 1014, 1015, 1002))
    await story.people.click(MANAGER, first, "list_below")
    second = await story.people.wait_for_ephemeral(MANAGER, "C-1002")
    assert "C-1001" in render_text(second)
    await story.people.click(MANAGER, second, "list_words")
    wider = await story.people.wait_for_ephemeral(MANAGER, "C-1015")
    assert "C-1013" not in render_text(wider)
    await story.people.click(MANAGER, wider, "list_mine")
    everybodys = await story.people.wait_for_ephemeral(MANAGER, "C-1013")
    await story.people.click(MANAGER, everybodys, "list_status", value="Finished")
    finished = await story.people.wait_for_ephemeral(MANAGER, "C-1014")
    assert "C-1015" not in render_text(finished)
    await story.people.slash(MANAGER, "/campaign", "list nothing like it")
    await story.people.wait_for_ephemeral(MANAGER, "No campaign is like that")


async def test_a_stop_says_its_effect_and_is_sent_once(story: BotStory) -> None:
    state = running()
    await story.hear(state)
    await story.hear(
        DeliveryProgressed(
            campaign_id=state.campaign_id,
            run_id=new_id(),
            delivery_id=new_id(),
            counts=DeliveryCounts(),
            in_flight=41,
            revision=5,
        )
    )
    ack = await story.people.slash(MANAGER, "/campaign", "stop C-1042 wrong &lt;date&gt;")
    view = await story.people.wait_for_view(MANAGER, callback_id="campaign_stop")
    await story.people.redeliver(ack)
    text = render_text(view)
    assert "1,203 messages have left; 41 in flight may still leave; 8,756 will not" in text
    assert await story.emitted(CancelCampaign) == []
    done = await story.people.submit(MANAGER, view)
    await story.people.redeliver(done)
    (command,) = await story.emitted(CancelCampaign)
    assert command.reason == "wrong <date>"
    assert command.actor == ACTOR


async def test_a_stop_of_what_ended_meanwhile_is_told_in_the_form(story: BotStory) -> None:
    await story.hear(running())
    await story.people.slash(MANAGER, "/campaign", "cancel C-1042")
    view = await story.people.wait_for_view(MANAGER, callback_id="campaign_stop")
    await story.hear(samples.a_campaign(status=CampaignStatus.FINISHED, version=2))
    late = await story.people.submit(MANAGER, view)
    assert late.errors == {"reason": "C-1042 has ended already."}
    manager = samples.MANAGER.model_copy(update={"roles": (), "version": 2})
    await story.hear(manager)
    removed = await story.people.submit(MANAGER, view)
    assert "your role does not let you" in str(removed.errors)
    assert await story.emitted(CancelCampaign) == []


async def test_status_offers_what_the_state_allows_and_buttons_work_once(story: BotStory) -> None:
    ready = samples.a_campaign(status=CampaignStatus.READY_TO_RUN, reachable=1203)
    await story.hear(ready)
    await story.people.slash(REVIEWER, "/campaign", "status C-1042")
    seen = await story.people.wait_for_ephemeral(REVIEWER, "C-1042")
    assert "Launch" not in render_text(seen)
    await story.people.slash(MANAGER, "/campaign", "status C-1042")
    shown = await story.people.wait_for_ephemeral(MANAGER, "C-1042")
    ack = await story.people.click(MANAGER, shown, "campaign_launch")
    await story.people.redeliver(ack)
    assert len(await story.emitted(LaunchCampaign)) == 1
    await story.hear(running(version=2))
    # A click on the old message: who clicked is told how it stands by now.
    await story.people.click(MANAGER, shown, "campaign_launch")
    await story.people.wait_for_ephemeral(MANAGER, "Running by now")
    # What is typed and cannot be is for the service to refuse.
    await story.people.slash(MANAGER, "/campaign", "launch C-1042")
    assert len(await story.emitted(LaunchCampaign)) == 2
    await story.people.slash(MANAGER, "/campaign", "pause C-1042")
    await story.people.wait_for_ephemeral(MANAGER, "8,797 messages are held back")
    assert len(await story.emitted(SuspendCampaign)) == 1
    removed = samples.MANAGER.model_copy(update={"roles": (Role.REVIEWER,), "version": 2})
    await story.hear(removed)
    await story.people.click(MANAGER, shown, "campaign_launch")
    await story.people.wait_for_ephemeral(MANAGER, "your role does not let you")
    assert len(await story.emitted(LaunchCampaign)) == 2


async def test_a_duplicate_starts_from_the_choices_of_the_other(story: BotStory) -> None:
    template = TemplateState(
        template_id=new_id(),
        label="Spring mail",
        language="en",
        subject="s",
        content_hash="c",
        version=1,
    )
    gone, reviewer = new_id(), samples.REVIEWER.operator_id
    plan = CampaignPlan(
        label="Spring 1042",
        description="Twice a year",
        template_id=template.template_id,
        budget_id=gone,
        reviewer_ids=(reviewer,),
        priority=1,
        control_group=ControlGroup(method=ControlMethod.FIRST),
    )
    state = samples.a_campaign(plan=plan, status=CampaignStatus.FINISHED)
    await story.hear(template, state)
    await story.people.slash(MANAGER, "/campaign", "duplicate C-1042")
    view = await story.people.wait_for_view(MANAGER, callback_id="campaign_new")
    (opened,) = await story.emitted(OpenCampaignForm)
    await story.hear(CampaignFormOpened(campaign_id=opened.campaign_id, number=1043, actor=ACTOR))
    numbered = await story.people.wait_for_view(MANAGER, contains="C-1043")
    assert numbered.id == view.id
    await saved_form(story, numbered)
    (created,) = await story.emitted(CreateCampaign)
    assert created.plan.label == "Spring 1042 (copy)"
    assert created.plan.description == "Twice a year"
    assert created.plan.template_id == template.template_id
    assert created.plan.reviewer_ids == (reviewer,)
    # The form has no fields for these.
    assert (created.plan.priority, created.plan.control_group) == (1, plan.control_group)
    # What was removed since is not chosen for anybody.
    assert created.plan.budget_id is None


async def test_a_message_becomes_the_form_of_a_campaign(story: BotStory) -> None:
    await story.people.say(
        REVIEWER, "#campaigns", "Spring sale &amp; more\nFor <@U0MANAGER01|Camille>, by Monday"
    )
    (message,) = await story.people.messages("#campaigns")
    ack = await story.people.shortcut(MANAGER, "campaign_from_message", message)
    view = await story.people.wait_for_view(MANAGER, callback_id="campaign_new")
    await story.people.redeliver(ack)
    await saved_form(story, view)
    (created,) = await story.emitted(CreateCampaign)
    assert created.plan.label == "Spring sale & more"
    assert created.plan.description == "Spring sale & more\nFor Camille, by Monday"
    for who in (STRANGER, REVIEWER):
        await story.people.shortcut(who, "campaign_from_message", message)
        await story.people.wait_for_ephemeral(who, "Sorry")
    assert len(await story.emitted(OpenCampaignForm)) == 1


async def test_a_followed_campaign_is_one_message_that_keeps_up_until_it_ends(
    story: BotStory,
) -> None:
    await story.hear(running())
    ack = await story.people.slash(SUPERVISOR, "/campaign", "follow C-1042")
    await story.people.redeliver(ack)
    message = await story.people.wait_for_message("C-1042", SUPERVISOR)
    for version in range(2, 42):
        await story.hear(running(version, sent=1_203 + 200 * version))
    shown = await story.people.wait_for_update(message, "94 %")
    # Forty changes in a burst are a few updates: one at once, the rest when the pause is over.
    assert len(shown.versions) < 20
    await story.people.slash(SUPERVISOR, "/campaign", "follow C-1042")
    await story.people.wait_for_ephemeral(SUPERVISOR, "suivez déjà")
    await story.hear(samples.a_campaign(status=CampaignStatus.FINISHED, version=50))
    over = await story.people.wait_for_update(shown, "Terminée")
    assert "campaign_unfollow" not in str(over.blocks)
    await story.quiet()
    assert len(await story.people.messages(SUPERVISOR)) == 1
    assert await story.runtime.pool.fetchval("SELECT count(*) FROM followers") == 0


async def test_who_no_longer_follows_gets_no_more_updates(story: BotStory) -> None:
    await story.hear(running())
    await story.people.slash(MANAGER, "/campaign", "follow C-1042")
    message = await story.people.wait_for_message("C-1042", MANAGER)
    await story.people.click(MANAGER, message, "campaign_unfollow")
    await story.people.wait_for_ephemeral(MANAGER, "no longer follow")
    await story.hear(running(2, sent=9_000))
    await story.quiet()
    (only,) = await story.people.messages(MANAGER)
    assert len(only.versions) == 1


async def test_approvals_are_listed_for_me_for_all_and_overdue(story: BotStory) -> None:
    now = samples.an_approval().requested_at
    mine = samples.an_approval(campaign_number=1001)
    others = samples.an_approval(
        campaign_number=1002,
        reviewer_ids=(samples.SUPERVISOR.operator_id,),
        requested_by=OTHER,
        deadline_at=now + timedelta(hours=2),
    )
    expired = samples.an_approval(
        campaign_number=1003,
        campaign_id=samples.a_campaign(1003).campaign_id,
        outcome=ApprovalOutcome.EXPIRED,
        deadline_at=now - timedelta(days=1),
    )
    await story.hear(mine, others, expired, samples.a_campaign(1003))
    await story.people.slash(REVIEWER, "/approvals")
    shown = await story.people.wait_for_ephemeral(REVIEWER, "C-1001")
    assert "C-1002" not in render_text(shown)
    await story.people.click(REVIEWER, shown, "approvals_waiting")
    every = render_text(await story.people.wait_for_ephemeral(REVIEWER, "C-1002"))
    assert every.index("C-1002") < every.index("C-1001")
    await story.people.click(REVIEWER, shown, "approvals_overdue")
    overdue = render_text(await story.people.wait_for_ephemeral(REVIEWER, "C-1003"))
    assert "C-1001" not in overdue
    await story.people.click(REVIEWER, shown, "approval_show")
    card = await story.people.wait_for_ephemeral(REVIEWER, "Proof 1 to approve")
    await story.people.click(REVIEWER, card, "approve")
    assert (await story.rows())["outbox"] == 1
    await story.people.slash(REVIEWER, "/approvals", "soon")
    await story.people.wait_for_ephemeral(REVIEWER, "I do not know")


async def test_budgets_and_stock_show_what_is_left_alerts_first_and_turn(story: BotStory) -> None:
    budgets = [samples.a_budget(label=f"Budget {number:02}") for number in range(1, 13)]
    lines = [
        samples.a_stock_line(label="Envelopes", alert=False),
        samples.a_stock_line(label="Paper", alert=True, in_stock=150, reserved=0),
    ]
    await story.hear(*budgets, *lines)
    await story.people.slash(SUPERVISOR, "/budget")
    shown = await story.people.wait_for_ephemeral(SUPERVISOR, "Budget 10")
    assert "Budget 11" not in render_text(shown)
    await story.people.click(SUPERVISOR, shown, "budget_on")
    rest = await story.people.wait_for_ephemeral(SUPERVISOR, "Budget 12")
    await story.people.click(SUPERVISOR, rest, "budget_back")
    await story.people.slash(SUPERVISOR, "/budget", "budget 07")
    found = render_text(await story.people.wait_for_ephemeral(SUPERVISOR, "Budget 07"))
    assert "restants" in found
    assert "Budget 01" not in found
    await story.people.slash(MANAGER, "/stock")
    goods = render_text(await story.people.wait_for_ephemeral(MANAGER, "Paper"))
    assert goods.index("Paper") < goods.index("Envelopes")


async def test_the_home_tab_shows_what_is_mine_what_waits_and_what_is_wrong(
    story: BotStory,
) -> None:
    await story.hear(
        samples.a_campaign(1001),
        samples.a_campaign(1002, manager_id=OTHER),
        samples.a_campaign(1003, manager_id=OTHER, status=CampaignStatus.ERROR),
        samples.an_approval(campaign_number=1004),
        samples.a_stock_line(alert=True),
        samples.a_budget(left_minor=0),
        samples.a_workflow("supplierMgt", status="stopped"),
    )
    opened = await story.people.home_opened(MANAGER)
    text = render_text(await story.people.wait_for_home(MANAGER, "C-1001"))
    assert "C-1002" not in text
    for wanted in ("C-1003", "Envelopes", "Spring budget", "supplierMgt", "Waits for me: 0"):
        assert wanted in text
    await story.people.redeliver(opened)
    await story.people.home_opened(REVIEWER)
    for_reviewer = await story.people.wait_for_home(REVIEWER, "C-1004")
    assert "Waits for me: 1" in render_text(for_reviewer)
    await story.people.click(REVIEWER, for_reviewer, "approval_show")
    await story.people.wait_for_message("Proof 1 to approve", REVIEWER)
    await story.people.home_opened(SUPERVISOR)
    french = await story.people.wait_for_home(SUPERVISOR, "Attend ma réponse")
    await story.people.click(SUPERVISOR, french, "workflow_start")
    await story.people.click(SUPERVISOR, french, "home_refresh")
    await story.people.home_opened(STRANGER)
    await story.people.wait_for_home(STRANGER, "I do not know you")
    await story.quiet()
    published = await story.runtime.pool.fetchval(
        "SELECT count(*) FROM slack_calls WHERE kind = 'home'"
    )
    assert published == 5


async def test_the_home_tab_comes_after_a_storm_of_429_and_a_lost_answer(story: BotStory) -> None:
    await story.people.rate_limit("views.publish", times=2, retry_after=1)
    await story.people.lose_answers("views.publish")
    await story.hear(samples.a_campaign())
    await story.people.home_opened(MANAGER)
    await story.people.wait_for_home(MANAGER, "C-1042")
    await story.quiet()
