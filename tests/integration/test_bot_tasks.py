"""What nobody expected in one of the bot's tasks ends neither the bot nor its other tasks."""

from __future__ import annotations

from typing import Any

import pytest

from bot import http_mode, socket_mode
from bot.acquaintance import Acquaintance
from bot.messages import Messages
from bot.pictures import Pictures
from tests.integration.bot_story import CHANNEL, REVIEWER, BotStory
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.delivery import DecideApproval

PLACES: tuple[tuple[Any, str], ...] = (
    (Messages, "claim"),
    (Acquaintance, "meet"),
    (Pictures, "run"),
    (http_mode, "_listen"),
    (socket_mode, "_connected"),
)


@pytest.fixture(autouse=True)
def failed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let each of the bot's tasks fail at its first start; return which have."""
    names: set[str] = set()

    def failing_once(place: Any, name: str) -> None:
        usual = getattr(place, name)

        async def fail_once(*given: Any) -> Any:
            if name not in names:
                names.add(name)
                raise ZeroDivisionError
            return await usual(*given)

        monkeypatch.setattr(place, name, fail_once)

    for place, name in PLACES:
        failing_once(place, name)
    return names


async def test_each_task_is_started_again_and_what_was_to_be_said_is_said(
    story: BotStory, failed: set[str]
) -> None:
    assert {"_listen", "_connected"} & failed
    await story.hear(samples.an_approval())
    card = await story.people.wait_for_message("C-1042", CHANNEL)
    await eventually(lambda: {"claim", "meet", "run"} <= failed, what="each task having failed")
    assert story.runtime.supervision.problems
    assert (await story.people.click(REVIEWER, card, "Approve")).acknowledged
    assert len(await story.emitted(DecideApproval)) == 1
    await eventually(lambda: not story.runtime.supervision.problems, what="all being well")
