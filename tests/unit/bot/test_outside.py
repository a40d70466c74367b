"""Outside events as a search in Slack shows them."""

from __future__ import annotations

from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from bot.cards import Setting
from bot.outside import event_list
from tests.unit.bot import samples
from topics.events import EventsFound, EventStatus
from topics.message import system_actor

SETTING = Setting("fr", ZoneInfo("Europe/Paris"), "https://muster.example")


@pytest.mark.parametrize(("archived", "kinds"), [(False, 3), (True, 2)])
def test_an_archived_event_says_so_and_has_no_button(archived: bool, kinds: int) -> None:
    event = samples.an_outside_event(EventStatus.SENT).model_copy(update={"archived": archived})
    found = EventsFound(search_id=uuid4(), actor=system_actor("bot"), events=(event,))
    shown = event_list(found, SETTING)
    assert len(shown["blocks"]) == kinds
    assert ("voici ce qu’en garde l’archive" in str(shown)) is archived
