"""``/events``: what is asked of Message Center, and what its answers say."""

from __future__ import annotations

import pytest

from shared.ids import recipient_key
from tests.integration.bot_cases import event_shown
from tests.integration.bot_story import MANAGER, REVIEWER, BotStory
from tests.unit.bot import samples
from topics.events import (
    ControlEvent,
    EventControl,
    EventControlled,
    EventControlRefused,
    EventStatus,
    FindEvents,
)

EVENT = samples.an_outside_event(EventStatus.DELIVERY_ERROR)


async def test_an_address_is_asked_for_by_its_key_and_never_said(story: BotStory) -> None:
    for words in ("Ann@Example.org", str(EVENT.event_id), "X-1"):
        await story.people.slash(MANAGER, "/events", words)
        await story.people.wait_for_ephemeral(MANAGER, "Looking for it")
    await story.quiet()
    by_address, by_id, by_name = await story.emitted(FindEvents)
    secret = story.runtime.settings.secret
    assert by_address.recipient_key == recipient_key(secret, "email", "ann@example.org")
    assert (by_address.event_id, by_address.external_id) == (None, None)
    assert (by_id.event_id, by_name.external_id) == (EVENT.event_id, "X-1")
    said = await story.runtime.pool.fetchval("SELECT string_agg(value::text, '') FROM outbox")
    assert "example.org" not in said.lower()


@pytest.mark.parametrize("words", ["", "x" * 201])
async def test_a_search_for_nothing_gets_help(story: BotStory, words: str) -> None:
    await story.people.slash(MANAGER, "/events", words)
    await story.people.wait_for_ephemeral(MANAGER, "an e-mail address")
    assert await story.emitted(FindEvents) == []


async def test_who_may_not_manage_events_asks_nothing(story: BotStory) -> None:
    ack = await story.people.slash(REVIEWER, "/events", "X-1")
    assert ack.acknowledged
    await story.quiet()
    assert await story.emitted(FindEvents) == []


async def test_a_resend_is_asked_once_and_its_outcome_told(story: BotStory) -> None:
    shown = await event_shown(story, MANAGER, EventStatus.DELIVERY_ERROR)
    assert "Delivery error" in str(shown.content)
    await story.people.click(MANAGER, shown, "event_resend")
    await story.quiet()
    [asked] = await story.emitted(ControlEvent)
    assert (asked.event_id, asked.control) == (EVENT.event_id, EventControl.RESEND)
    fields = {"event_id": asked.event_id, "control": asked.control, "actor": asked.actor}
    await story.hear(EventControlled(result_id=samples.an_approval().approval_id, **fields))
    await story.people.wait_for_ephemeral(MANAGER, "sent again as another event")
    await story.hear(EventControlRefused(reason="its address was erased", **fields))
    await story.people.wait_for_ephemeral(MANAGER, "its address was erased")
