"""``/events levels`` with its picture, and crossings told once to the supervisors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bot.chromium import find_browser
from deploy.embedded.slack import Message, render_text
from tests.conftest import Open
from tests.integration.bot_story import MANAGER, SUPERVISOR, BotStory, telling
from tests.unit.bot.level_samples import a_crossing, told
from tests.unit.bot.samples import NOW
from topics.levels import AskForLevels, Grade


@pytest.fixture
async def drawing(open_service: Open, tmp_path: Path) -> AsyncIterator[BotStory]:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium is installed: pictures are not tested")
    async with telling(open_service, tmp_path, "socket", PROOF_BROWSER=found.path) as story:
        yield story


async def asked(story: BotStory, words: str = "levels") -> AskForLevels:
    await story.people.slash(MANAGER, "/events", words)
    await story.people.wait_for_ephemeral(MANAGER, "direct message")
    await story.quiet()
    return (await story.emitted(AskForLevels))[-1]


def pictured(message: Message) -> bool:
    return any(block["type"] == "image" for block in message.blocks)


async def test_the_card_comes_at_once_and_gets_its_picture(drawing: BotStory) -> None:
    ask = await asked(drawing)
    await drawing.people.rate_limit("files.getUploadURLExternal", retry_after=1)
    await drawing.hear(told(ask_id=ask.ask_id, actor=ask.actor))
    card = await drawing.people.wait_for_message("Service levels", MANAGER, 60, where=pictured)
    first = card.versions[0].content.blocks
    assert [block["type"] for block in first][:2] == ["header", "section"]
    [image] = [block for block in card.blocks if block["type"] == "image"]
    assert "5,321 in, 5,003 out, errors 7.7%" in image["alt_text"]
    [file] = await drawing.people.files()
    assert (file.id, file.completed) == (image["slack_file"]["id"], True)


async def test_without_a_browser_the_card_has_its_figures(story: BotStory) -> None:
    ask = await asked(story, "NIVEAUX")
    answer = told(ask_id=ask.ask_id, actor=ask.actor)
    await story.hear(answer, answer)
    card = await story.people.wait_for_message("Service levels", MANAGER)
    text = render_text(card)
    assert "5,321 (5,321 per hour)" in text
    assert "error rate: 7.7%, warning from 5%" in text
    assert "order.confirmed" in text
    await story.quiet()
    assert len(await story.people.messages(MANAGER)) == 1


async def test_a_crossing_is_told_once_again_when_worse_and_when_it_is_over(
    story: BotStory,
) -> None:
    warned = a_crossing()
    alerted = warned.model_copy(
        update={"before": Grade.WARNING, "after": Grade.ALERT, "value": 0.3, "limit": 0.2}
    )
    await story.hear(warned, warned)
    await story.people.wait_for_message("avertissement* : taux d’erreur est à 7,7", SUPERVISOR)
    await story.hear(alerted, alerted)
    alert = await story.people.wait_for_message("alerte* : taux d’erreur est à 30", SUPERVISOR)
    await story.quiet()
    assert len(await story.people.messages(SUPERVISOR)) == 2
    over = alerted.model_copy(
        update={
            "before": Grade.ALERT,
            "after": Grade.NORMAL,
            "value": 0.01,
            "at": NOW + timedelta(hours=1),
        }
    )
    await story.hear(over, over)
    await story.people.wait_for_message("Retour à la normale* : taux d’erreur est à 1", SUPERVISOR)
    await story.people.wait_for_update(alert, "c’était : alerte")
    await story.quiet()
    assert len(await story.people.messages(SUPERVISOR)) == 3
    await story.hear(warned.model_copy(update={"crossing_id": uuid4()}))
    await story.quiet()
    assert len(await story.people.messages(SUPERVISOR)) == 4
