"""A screen that is over Slack's limits still goes out, mended, whichever way it takes."""

from __future__ import annotations

from typing import Any

import pytest

from bot import commands, events, limits, stepping, views
from bot.limits import Json
from bot.outgoing import Outgoing
from deploy.embedded.slack import check_blocks, check_view, render_text
from tests.integration.bot_story import CHANNEL, MANAGER, BotStory, opened_form
from tests.unit.bot import samples

LONG = "<!channel> مبيعات 👩🏽‍🚀 " * 400
PLAIN = {"type": "plain_text", "text": LONG}
MARKED = {"type": "mrkdwn", "text": LONG}
TOO_MUCH: list[Json] = [
    {"type": "header", "text": PLAIN},
    {"type": "section", "text": MARKED, "fields": [MARKED] * 12},
    {"type": "context", "elements": [MARKED] * 12},
    *({"type": "divider"} for _ in range(120)),
]


def message(name: str) -> Json:
    return {"text": f"{name} {LONG}", "blocks": TOO_MUCH}


def over(view: Json) -> Json:
    """Return a view with a longer title than Slack takes, and more blocks."""
    titled = {"title": PLAIN} if view["type"] == "modal" else {}
    return view | titled | {"blocks": [*view["blocks"], *TOO_MUCH]}


@pytest.fixture
def longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the form, the Home tab, a reply and the options longer than Slack takes."""

    def lengthen(place: Any, name: str) -> None:
        usual = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given, **named: over(usual(*given, **named)))

    lengthen(stepping, "step_view")
    lengthen(events, "home_view")
    monkeypatch.setattr(commands, "campaign_list", lambda *_given: message("Reply"))
    options = [{"text": PLAIN, "value": str(number)} for number in range(150)]
    monkeypatch.setattr(views, "offered", lambda _found: options)


async def test_messages_their_changes_and_what_one_is_told_are_mended(story: BotStory) -> None:
    async with story.runtime.uow.begin() as work:
        outgoing = Outgoing(work.connection, work.now)
        await outgoing.show("long:1", CHANNEL, message("Posted"))
        await outgoing.tell("long:2", samples.MANAGER.slack_user_id or "", CHANNEL, message("Told"))
        await outgoing.tell("long:3", samples.MANAGER.slack_user_id or "", "", message("Direct"))
    posted = await story.people.wait_for_message("Posted", CHANNEL)
    async with story.runtime.uow.begin() as work:
        await Outgoing(work.connection, work.now).show("long:1", CHANNEL, message("Changed"))
    changed = await story.people.wait_for_update(posted, "Changed")
    told = await story.people.wait_for_ephemeral(MANAGER, "Told")
    direct = await story.people.wait_for_message("Direct", MANAGER)
    await story.quiet()
    for shown in (posted, changed, told, direct):
        assert check_blocks(shown.blocks, "message") == []
        assert "<!" not in str([shown.text, *shown.blocks[1:]])


@pytest.mark.usefixtures("longer")
async def test_replies_forms_answers_options_and_the_home_tab_are_mended(story: BotStory) -> None:
    await story.hear(samples.a_campaign())
    ack = await story.people.slash(MANAGER, "/campaign", "list")
    assert ack.problem is None
    reply = await story.people.wait_for_ephemeral(MANAGER, "Reply")
    assert check_blocks(reply.blocks, "message") == []
    form = await opened_form(story)
    ack = await story.people.submit(MANAGER, form, {"label": "Spring"})
    assert (ack.problem, ack.errors) == (None, {})
    aimed = await story.people.wait_for_view(MANAGER, callback_id="campaign_target")
    assert len(await story.people.suggest(MANAGER, aimed, "targeting", "")) == limits.OPTIONS
    await story.people.click(MANAGER, aimed, "form_back")
    back = await story.people.wait_for_view(MANAGER, callback_id="campaign_new", after=form)
    await story.people.home_opened(MANAGER)
    home = await story.people.wait_for_home(MANAGER, "C-1042")
    for view in (form, aimed, back, home):
        assert check_view(view.given) == []
        assert len(view.blocks) <= limits.VIEW_BLOCKS
        assert "@channel" not in render_text(view)
