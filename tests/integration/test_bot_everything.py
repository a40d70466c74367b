"""Everything one can do with the bot, in either mode: its effect once, and nothing to strangers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.embedded.slack import View
from tests.integration.bot_cases import DEEDS
from tests.integration.bot_deeds import NO, OPERATORS, Deed, Kind, Place, do, hears, look, offered
from tests.integration.bot_story import BotStory
from topics.operators import OperatorState


async def ready(story: BotStory, deed: Deed) -> Place | None:
    """Let the bot know its world, and show where the deed is done."""
    await story.hear(*deed.world)
    place = await deed.screen(story, deed.who) if deed.screen else None
    await story.quiet()
    return place


async def emitted(story: BotStory) -> int:
    return (await story.rows())["outbox"]


async def as_a_stranger(story: BotStory, deed: Deed, place: Place | None) -> None:
    """Do it without being an operator any more: a polite no, and no command; then be one again."""
    operator = next(
        (one for one in deed.world if isinstance(one, OperatorState)), OPERATORS[deed.who]
    )
    await story.hear(operator.model_copy(update={"active": False, "version": 3}))
    before = await emitted(story)
    if deed.kind is Kind.OPTIONS or deed.picks:
        assert place is not None
        assert await offered(story, deed, place) == []
    else:
        # A modal holds what was filled in before; its selects offer a stranger nothing.
        ack = await do(story, replace(deed, values={}), place)
        assert ack.acknowledged, ack.problem
        if deed.home:
            await story.people.wait_for_home(deed.who, NO[operator.language])
        else:
            await hears(story, deed, ack, NO[operator.language])
    assert await emitted(story) == before
    await story.hear(operator.model_copy(update={"version": 4}))


async def as_one_may(story: BotStory, deed: Deed, place: Place | None) -> None:
    """Do it, see what comes of it, and have Slack send it again: nothing more comes of it."""
    if deed.kind is Kind.OPTIONS:
        assert place is not None
        assert any(deed.tells in text for text in await offered(story, deed, place))
        return
    made = await story.emitted(deed.emits) if deed.emits else []
    ack = await do(story, deed, place)
    assert (ack.acknowledged, ack.problem, ack.errors) == (True, None, {})
    await look(story, deed, ack)
    if deed.emits:
        assert len(await story.emitted(deed.emits)) == len(made) + 1
    await story.quiet()
    before = await story.rows()
    for attempt in (1, 2):
        again = await story.people.redeliver(ack, attempt=attempt, reason="http_timeout")
        assert again.acknowledged
    await story.quiet()
    assert await story.rows() == before


async def refused(story: BotStory, deed: Deed, place: View) -> None:
    """Send a modal with a mistake: it stays open, and names the field."""
    assert deed.wrong is not None
    values, field, words = deed.wrong
    before = await emitted(story)
    ack = await story.people.submit(deed.who, place, values)
    assert words in ack.errors[field]
    assert [view.id for view in await story.people.views(deed.who)] == [place.id]
    assert await emitted(story) == before


@pytest.mark.parametrize("deed", DEEDS, ids=str)
async def test_a_deed_has_its_effect_once_and_none_for_a_stranger(
    story: BotStory, deed: Deed
) -> None:
    place = await ready(story, deed)
    if deed.wrong:
        assert isinstance(place, View)
        await refused(story, deed, place)
    # A Home tab is drawn anew for who is a stranger: what was on it cannot be pressed then.
    last = deed.kind is Kind.EVENT or (isinstance(place, View) and place.given["type"] == "home")
    if not deed.is_open and not last:
        await as_a_stranger(story, deed, place)
    await as_one_may(story, deed, place)
    if not deed.is_open and last:
        await as_a_stranger(story, deed, place)
