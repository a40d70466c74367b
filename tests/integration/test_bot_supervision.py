"""What supervisors are told in Slack when a workflow fails or a service is late; in both modes."""

from __future__ import annotations

from deploy.embedded.slack import render_text
from tests.integration.bot_story import CHANNEL, MANAGER, SUPERVISOR, BotStory
from tests.unit.bot import samples
from tests.unit.bot.samples import NOW
from topics.message import Actor, Via
from topics.workflows import (
    Control,
    ControlWorkflow,
    Trouble,
    TroubleCleared,
    TroubleRaised,
    WorkflowState,
    WorkflowStatus,
)


def raised(trouble: Trouble, name: str) -> TroubleRaised:
    return TroubleRaised(
        name=name, trouble=trouble, names=(name,), since=NOW, error="division by <zero>"
    )


async def test_a_supervisor_is_told_of_a_failed_workflow_and_starts_it(story: BotStory) -> None:
    event = raised(Trouble.FAILED, "budgetMgt")
    await story.hear(event, event)
    told = await story.people.wait_for_message("budgetMgt", SUPERVISOR)
    text = render_text(told)
    assert "est en échec depuis le" in text
    assert "division by <zero>" in text
    await story.people.click(SUPERVISOR, told, "workflow_start")
    assert await story.emitted(ControlWorkflow) == [
        ControlWorkflow(
            name="budgetMgt",
            control=Control.START,
            actor=Actor(id=str(samples.SUPERVISOR.operator_id), via=Via.SLACK),
        )
    ]
    over = TroubleCleared(name="budgetMgt", trouble=Trouble.FAILED, since=NOW)
    await story.hear(over)
    after = await story.people.wait_for_update(told, "fonctionne à nouveau")
    assert "workflow_start" not in str(after.blocks)
    await story.quiet()
    assert await story.people.messages(CHANNEL) == []


async def test_without_a_supervisor_in_slack_the_channel_is_told(story: BotStory) -> None:
    away = samples.SUPERVISOR.model_copy(update={"slack_user_id": None, "version": 2})
    await story.hear(away, raised(Trouble.LATE, "delivery"))
    told = await story.people.wait_for_message("no sign of life since", CHANNEL)
    await story.hear(TroubleCleared(name="delivery", trouble=Trouble.LATE, since=NOW))
    await story.people.wait_for_update(told, "is back")


async def test_the_supervisors_of_a_workflow_are_told_instead(story: BotStory) -> None:
    event = raised(Trouble.FAILED, "budgetMgt")
    mine = event.model_copy(update={"supervisors": (samples.MANAGER.operator_id,)})
    await story.hear(mine)
    await story.people.wait_for_message("budgetMgt", MANAGER)
    await story.quiet()
    assert await story.people.messages(SUPERVISOR) == []


async def test_an_instance_is_kept_among_the_workflows_until_it_ends(story: BotStory) -> None:
    made = WorkflowState(
        name="postProcessing-C1042-0123456789ab",
        version=1,
        service="supplier",
        label="Post-processing of letters.csv (C-1042)",
        label_fr="Post-traitement de letters.csv (C-1042)",
        package="Campaign",
        schedule="with supplierMgt",
        status=WorkflowStatus.STARTED,
        instance_of="supplierMgt",
    )
    kept = "SELECT count(*) FROM workflows WHERE name = $1"
    await story.hear(made)
    assert await story.runtime.pool.fetchval(kept, made.name) == 1
    await story.hear(made.model_copy(update={"version": 2, "ended_at": NOW}))
    assert await story.runtime.pool.fetchval(kept, made.name) == 0
