"""Slack accounts become operators': by their address in Slack, or by an administrator."""

from __future__ import annotations

from uuid import UUID

from deploy.embedded.slack import render_text
from shared.ids import recipient_key
from tests.integration.bot_cases import ADMINISTRATOR
from tests.integration.bot_story import MANAGER, STRANGER, BotStory
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.message import Actor, Via
from topics.operators import LinkOperator, OperatorLinked, OperatorNotLinked, OperatorState, Role

SAM = OperatorState(operator_id=UUID(int=77), name="Sam Doe", roles=(Role.MANAGER,), version=1)
ACCOUNT = "U0STRANGER1"


async def introduced(story: BotStory) -> LinkOperator:
    """Return the bot's own wish to link somebody."""

    async def wished() -> bool:
        return bool(await story.emitted(LinkOperator))

    await eventually(wished, what="Slack having said who the stranger is")
    (wish,) = await story.emitted(LinkOperator)
    return wish


async def test_a_stranger_is_told_how_to_be_linked_and_is_by_the_address(story: BotStory) -> None:
    await story.people.slash(STRANGER, "/campaign", "list")
    told = await story.people.wait_for_ephemeral(STRANGER, "I do not know you")
    assert "/campaign link @you" in render_text(told)
    wish = await introduced(story)
    secret = story.runtime.settings.secret
    assert wish.email_key == recipient_key(secret, "email", "sam.doe@elsewhere.example")
    assert (wish.slack_user_id, wish.actor.id) == (ACCOUNT, "system:bot")
    linked = OperatorLinked(
        slack_user_id=ACCOUNT, operator_id=SAM.operator_id, name="Sam Doe", actor=wish.actor
    )
    await story.hear(SAM.model_copy(update={"slack_user_id": ACCOUNT}), linked)
    await story.people.wait_for_message("Hello Sam Doe", STRANGER)
    await story.people.slash(STRANGER, "/campaign", "list")
    await story.people.wait_for_ephemeral(STRANGER, "no campaign")


async def test_an_address_that_slack_has_not_confirmed_links_nobody(story: BotStory) -> None:
    await story.people.change_member(STRANGER, email="")
    await story.people.slash(STRANGER, "/campaign", "list")

    async def met() -> bool:
        found = await story.runtime.pool.fetchval(
            "SELECT checked_at > '-infinity' FROM slack_people WHERE slack_user_id = $1", ACCOUNT
        )
        return bool(found)

    await eventually(met, what="Slack having said who the stranger is")
    assert await story.emitted(LinkOperator) == []


async def test_an_administrator_links_by_address_and_hears_what_came_of_it(
    story: BotStory,
) -> None:
    await story.hear(ADMINISTRATOR)
    typed = f"link <@{ACCOUNT}|stranger> <mailto:Sam@Example.org|Sam@Example.org>"
    await story.people.slash(MANAGER, "/campaign", typed)
    (wish,) = await story.emitted(LinkOperator)
    assert wish.email_key == recipient_key(
        story.runtime.settings.secret, "email", "sam@example.org"
    )
    assert wish.actor == Actor(id=str(samples.MANAGER.operator_id), via=Via.SLACK)
    no = OperatorNotLinked(
        slack_user_id=ACCOUNT, reason="nobody has it", code="unknown", actor=wish.actor
    )
    await story.hear(no)
    told = await story.people.wait_for_ephemeral(MANAGER, "nobody has it")
    assert f"<@{ACCOUNT}>" in told.text
    await story.hear(no)
    await story.quiet()
    assert len([one for one in await story.people.ephemerals(MANAGER) if "nobody" in one.text]) == 1


async def test_who_is_no_administrator_links_nobody(story: BotStory) -> None:
    await story.people.slash(MANAGER, "/campaign", f"link <@{ACCOUNT}|stranger> Robin Clarke")
    await story.people.wait_for_ephemeral(MANAGER, "manage operators")
    assert await story.emitted(LinkOperator) == []
