"""Messages to some people, each in their language; to the channel where nobody is in Slack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from bot.answers import personal
from bot.cards import Setting
from bot.handlers import channel_setting, outgoing_of
from bot.limits import Json
from bot.places import default_channel
from bot.store import BotStore, Person
from shared.uow import Work

MOST_TOLD: Final = 50
"""To how many people a message goes at most."""
Worded: TypeAlias = Callable[[Setting], Json]
"""Makes the message of how things are shown to its reader."""


async def publish(key: str, people: Sequence[Person], worded: Worded, work: Work) -> None:
    """Show a message to people, once a key and person."""
    outgoing = outgoing_of(work)
    for person in people:
        target = person.slack_user_id or ""
        await outgoing.show(f"{key}/{person.operator_id}", target, worded(personal(work, person)))
    if not people:
        channel = await default_channel(work)
        await outgoing.show(f"{key}/", channel, worded(channel_setting(work, channel)))


async def revise(key: str, worded: Worded, work: Work) -> None:
    """Have a message that was published say something else, wherever it stands."""
    outgoing = outgoing_of(work)
    told = {
        shown: (target, shown.rpartition("/")[2])
        for shown, target in await outgoing.shown_under(f"{key}/")
    }
    people = await BotStore(work.connection).people(operator for _, operator in told.values())
    for shown, (target, operator) in told.items():
        person = people.get(operator)
        setting = personal(work, person) if person else channel_setting(work, target)
        await outgoing.show(shown, target, worded(setting))
