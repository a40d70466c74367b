"""What a person may do with the bot: one deed for each id that the app takes or shows.

The table of them is in :mod:`tests.integration.bot_cases`. It is what the tests run from, and what
the completeness test compares with the app's own ids, so an id without a case cannot stay unseen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from deploy.embedded.slack import Ack, Ephemeral, View, render_text
from deploy.embedded.slack import Message as SlackMessage
from tests.integration.bot_story import CHANNEL, MANAGER, REVIEWER, SUPERVISOR, BotStory
from tests.unit.bot import samples
from topics.message import Command, Message
from topics.operators import OperatorState

Place = SlackMessage | Ephemeral | View
Screen = Callable[[BotStory, str], Awaitable[Place]]
OPERATORS: Final[dict[str, OperatorState]] = {
    MANAGER: samples.MANAGER,
    REVIEWER: samples.REVIEWER,
    SUPERVISOR: samples.SUPERVISOR,
}
NO: Final = {"en": "Sorry, I do not know you", "fr": "Désolé"}


class Kind(StrEnum):
    """How Slack brings it to the app."""

    COMMAND = "command"
    ACTION = "action"
    VIEW = "view"
    OPTIONS = "options"
    SHORTCUT = "shortcut"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a person does, and what comes of it.

    Attributes:
        kind, name: what the app registers: a command with its first word, an action's or a view's
            id, a select's, a shortcut's, an event's.
        who: does it.
        world: what the bot knows before.
        screen: shows where it is done.
        typed: the rest of what is typed; what is looked for in a select; an option to pick.
        values, wrong: what a modal is filled with; and what it refuses: values, field, words.
        emits: the command that it makes, once.
        tells, opens, shows, home: what is seen then: words for this person alone, a modal of this
            id, words in a message, words on the Home tab.
        is_open: anybody may do it.
        picks: what is typed is one of the options that are looked up; a stranger is offered none.
    """

    kind: Kind
    name: str
    who: str = MANAGER
    world: tuple[Message, ...] = ()
    screen: Screen | None = None
    typed: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    wrong: tuple[dict[str, Any], str, str] | None = None
    emits: type[Command] | None = None
    tells: str = ""
    opens: str = ""
    shows: str = ""
    home: str = ""
    is_open: bool = False
    picks: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


async def do(story: BotStory, deed: Deed, place: Place | None) -> Ack:
    """Do it once, as Slack's client does; return how the app acknowledged it."""
    people, who = story.people, deed.who
    if deed.kind is Kind.COMMAND:
        command, _, word = deed.name.partition(" ")
        return await people.slash(who, command, " ".join((word, deed.typed or "")).strip())
    if deed.kind is Kind.EVENT:
        return await _happens(story, deed)
    assert place is not None
    if deed.kind is Kind.SHORTCUT:
        assert isinstance(place, SlackMessage)
        return await people.shortcut(who, deed.name, place)
    if deed.kind is Kind.VIEW:
        assert isinstance(place, View)
        return await people.submit(who, place, deed.values)
    return await people.click(who, place, deed.name, value=deed.typed, values=deed.values)


async def _happens(story: BotStory, deed: Deed) -> Ack:
    if deed.name == "app_home_opened":
        return await story.people.home_opened(deed.who)
    member = await story.people.change_member(deed.who, deleted=True)
    return await story.people.event({"type": deed.name, "user": {"id": member.id}})


async def offered(story: BotStory, deed: Deed, place: Place) -> list[str]:
    """Return the texts that a select offers for what is typed."""
    assert isinstance(place, SlackMessage | View)
    found = await story.people.suggest(deed.who, place, deed.name, deed.typed or "")
    return [option["text"]["text"] for option in found]


async def look(story: BotStory, deed: Deed, ack: Ack) -> None:
    """Wait until what should come of it is seen."""
    people, who = story.people, deed.who
    if deed.tells:
        await hears(story, deed, ack, deed.tells)
    if deed.opens:
        await people.wait_for_view(who, callback_id=deed.opens)
    if deed.shows:
        await people.wait_for_message(deed.shows)
    if deed.home:
        await people.wait_for_home(who, deed.home)


async def hears(story: BotStory, deed: Deed, ack: Ack, words: str) -> None:
    """Wait until the person alone was told something: in reply, in the form, in their messages."""
    if words in " ".join(ack.errors.values()):
        return

    async def told() -> bool | None:
        rows: list[SlackMessage | Ephemeral] = [*await story.people.ephemerals(deed.who)]
        rows += await story.people.messages(deed.who)
        return any(words in row.text or words in render_text(row) for row in rows) or None

    await story.people.wait_until(told, f"{words!r} for {deed.who}")


def typing(command: str, words: str = "", *, contains: str) -> Screen:
    """Return the screen that a command shows."""

    async def show(story: BotStory, who: str) -> Place:
        await story.people.slash(who, command, words)
        return await story.people.wait_for_ephemeral(who, contains)

    return show


def pressing(screen: Screen, action_id: str, *, contains: str, value: str | None = None) -> Screen:
    """Return the screen that a button of another one shows."""

    async def show(story: BotStory, who: str) -> Place:
        await story.people.click(who, await screen(story, who), action_id, value=value)
        return await story.people.wait_for_ephemeral(who, contains)

    return show


def form(
    callback_id: str, screen: Screen | None = None, press: str = "", typed: str = ""
) -> Screen:
    """Return the modal that a button, or a word after ``/campaign``, opens."""

    async def show(story: BotStory, who: str) -> Place:
        if screen is not None:
            await story.people.click(who, await screen(story, who), press)
        else:
            await story.people.slash(who, "/campaign", typed)
        return await story.people.wait_for_view(who, callback_id=callback_id)

    return show


def message(contains: str) -> Screen:
    """Return a message of the bot in its channel."""

    async def show(story: BotStory, _who: str) -> Place:
        return await story.people.wait_for_message(contains, CHANNEL)

    return show


def home(contains: str) -> Screen:
    """Return the person's Home tab."""

    async def show(story: BotStory, who: str) -> Place:
        await story.people.home_opened(who)
        return await story.people.wait_for_home(who, contains)

    return show


def said(words: str) -> Screen:
    """Return a message that somebody wrote."""

    async def show(story: BotStory, who: str) -> Place:
        await story.people.say(who, CHANNEL, words)
        return (await story.people.messages(CHANNEL))[-1]

    return show
