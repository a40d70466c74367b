"""Everything at once: limits, lost and half answers, a slow Slack, sockets cut, the bot restarted.

Drawn by a seed; each storm ends, and then what Slack shows is compared with what was to be said.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot import calls, messages, slack
from deploy.embedded.slack import Message, render_text
from tests.conftest import Open
from tests.integration.bot_story import (
    CHANNEL,
    MANAGER,
    REVIEWER,
    SUPERVISOR,
    BotStory,
    Mode,
    talking,
    telling,
)
from tests.unit.bot import samples
from tests.waiting import eventually
from topics.delivery import ApprovalReminded, ApprovalState, DecideApproval

METHODS = (
    *("chat.postMessage", "chat.postMessage", "chat.update", "conversations.history"),
    *("conversations.open", "conversations.list", "chat.postEphemeral", "users.info", "*"),
)
STEPS = 30


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again sooner than one would with Slack: here nobody is spared by waiting."""
    monkeypatch.setattr(messages, "LOST_WAIT", 0.05)
    monkeypatch.setattr(slack, "_retry_after", lambda _: 0.2)
    for module in (messages, calls):
        monkeypatch.setattr(module, "back_off", lambda _: 0.05)


class Storm:
    """One story in bad weather: what was said, clicked and reminded of, and what breaks."""

    def __init__(self, story: BotStory, seed: int) -> None:
        self.story = story
        self.draw = random.Random(seed)
        self.states: list[ApprovalState] = []
        self.clicked: set[Any] = set()
        self.reminders: Counter[int] = Counter()

    async def break_something(self) -> None:
        people, draw = self.story.people, self.draw
        method, times = draw.choice(METHODS), draw.randint(1, 3)
        kind = draw.choice(("limit", "lose", "half", "error", "slow", "cut", "refresh", "none"))
        if kind == "limit":
            await people.rate_limit(method, times=times)
        elif kind == "lose":
            await people.lose_answers(method, times=times)
        elif kind in {"half", "error"}:
            await people.fail(method, "internal_error", times=times, after_all=kind == "half")
        elif kind == "slow":
            await people.slow_answers(method, 0.2, times=times)
        elif kind in {"cut", "refresh"} and self.story.mode == "socket":
            await people.disconnect("drop" if kind == "cut" else "refresh_requested")

    async def go_on(self) -> None:
        steps = (self.new, self.change, self.change, self.click, self.remind, self.look_at_home)
        await (self.draw.choice(steps) if self.states else self.new)()

    async def new(self) -> None:
        number = 1001 + len(self.states)
        self.states.append(samples.an_approval(campaign_number=number, count=0))
        await self.story.hear(self.states[-1])

    async def change(self) -> None:
        place = self.draw.randrange(len(self.states))
        state = self.states[place]
        after = {"count": 10_000 + state.version, "version": state.version + 1}
        self.states[place] = state.model_copy(update=after)
        await self.story.hear(self.states[place])

    async def remind(self) -> None:
        place = self.draw.randrange(len(self.states))
        state = self.states[place]
        self.reminders[place] += 1
        await self.story.hear(
            ApprovalReminded(
                campaign_id=state.campaign_id,
                approval_id=state.approval_id,
                revision=state.revision,
                number=self.reminders[place],
                deadline_at=state.deadline_at,
                reviewer_ids=state.reviewer_ids,
            )
        )

    async def look_at_home(self) -> None:
        await self.surely(lambda: self.story.people.home_opened(MANAGER))

    async def click(self) -> None:
        state = self.draw.choice(self.states)
        shown = [row for row in await self.cards() if f"C-{state.campaign_number}" in row.text]
        if shown:
            await self.surely(lambda: self.story.people.click(REVIEWER, shown[0], "Approve"))
            self.clicked.add(state.approval_id)

    async def surely(self, deed: Any) -> None:
        """Do something until it is acknowledged, as people do; Slack may send it again."""

        async def done() -> Any:
            ack = await deed()
            return ack if ack.acknowledged else None

        ack = await eventually(done, what="an acknowledgement")
        for _ in range(self.draw.randint(0, 2)):
            await self.story.people.redeliver(ack)

    async def cards(self) -> list[Message]:
        rows = await self.story.people.messages(CHANNEL)
        return [row for row in rows if row.thread_ts is None]

    async def is_over(self) -> None:
        """Wait until all was said, then compare."""
        await self.story.people.no_faults()
        await self.story.quiet()
        cards = await self.cards()
        assert [card.text.split("C-")[1][:4] for card in cards] == [
            str(state.campaign_number) for state in self.states
        ]
        for card, state in zip(cards, self.states, strict=True):
            assert f"{state.count:,}" in render_text(card)
        decided = Counter(one.approval_id for one in await self.story.emitted(DecideApproval))
        assert decided == Counter(self.clicked)
        replies = [row for row in await self.story.people.messages(CHANNEL) if row.thread_ts]
        assert len(replies) == self.reminders.total()
        for who in (REVIEWER, SUPERVISOR):
            told = Counter(row.text for row in await self.story.people.messages(who))
            assert max(told.values(), default=1) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_after_a_storm_each_thing_was_said_once_and_in_order(
    mode: Mode, seed: int, open_service: Open, tmp_path: Path
) -> None:
    async with telling(open_service, tmp_path, mode) as story, AsyncExitStack() as bots:
        storm = Storm(story, seed)
        port = story.runtime.settings.model_dump()["slack_http_port"]
        for step in range(STEPS):
            await storm.break_something()
            await storm.go_on()
            if step == STEPS // 2:
                stop = story.stop
                await bots.enter_async_context(talking(story, port))
                stop.set()
            await asyncio.sleep(storm.draw.random() / 20)
        await storm.is_over()
