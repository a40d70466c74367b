"""``/events``: an outside event found by id, address or its sender's name, and what can be done.

An address never leaves the bot: it is searched for by its keyed hash.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import formats, levels
from bot.actions import pressed, sender_of
from bot.answers import person_of, personal, tell
from bot.blocks import actions, button, confirmed, content, header, section
from bot.cards import Setting
from bot.commands import sender_of as typed_by
from bot.cutting import esc, typed
from bot.front import NOTHING, Front, Visit
from bot.labels import sentence
from bot.limits import Json
from bot.memory import Memory
from bot.words import say
from shared.ids import new_id, recipient_key
from shared.registry import Registry
from shared.rights import Right
from shared.uow import Work
from topics.events import (
    ControlEvent,
    EventControl,
    EventControlled,
    EventControlRefused,
    EventsFound,
    EventStatus,
    FindEvents,
    FoundEvent,
)
from topics.message import Via
from topics.outside import EMAIL, SMS, WEBHOOK, is_address
from topics.phones import e164

registry: Final = Registry()
LONGEST: Final = 200
_OFFERED: Final[dict[EventStatus, EventControl]] = {
    EventStatus.PENDING: EventControl.PAUSE,
    EventStatus.PAUSED: EventControl.RESUME,
    EventStatus.SENT: EventControl.RESEND,
    EventStatus.IGNORED: EventControl.RESEND,
    EventStatus.DELIVERY_ERROR: EventControl.RESEND,
    EventStatus.EXPIRED: EventControl.RESEND,
}
_CHANNELS: Final = {EMAIL: "channel_email", SMS: "channel_sms", WEBHOOK: "channel_webhook"}


def attach(app: AsyncApp, front: Front) -> None:
    """Register the command and the buttons."""

    async def events(ack: AsyncAck, command: dict[str, Any]) -> None:
        words = str(command.get("text") or "").strip()
        await front.command(ack, typed_by(command), lambda visit: find(visit, words))

    async def controlled(ack: AsyncAck, body: dict[str, Any]) -> None:
        name, value = pressed(body)
        wanted = EventControl(name.removeprefix("event_"))
        event_id, _, channel = value.partition(" ")
        await front.click(
            ack,
            sender_of(body),
            lambda visit: control(visit, UUID(event_id), wanted, channel or None),
        )

    app.command("/events")(events)
    for one in EventControl:
        app.action(f"event_{one}")(controlled)


async def find(visit: Visit, words: str) -> Json:
    """Ask Message Center for events; the answer is told when it comes."""
    if words.lower() in levels.WORDS:
        return await levels.ask(visit)
    refusal = visit.refusal(Right.MANAGE_EVENTS)
    if refusal:
        return refusal
    if not words or len(words) > LONGEST:
        return content(visit.say("events_help"))
    if not await visit.once():
        return NOTHING
    search_id = new_id()
    await visit.memory.ask(f"events:{search_id}", visit.ask, visit.work.now)
    visit.work.emit(_search(visit, search_id, words))
    return content(visit.say("events_asked"))


def _search(visit: Visit, search_id: UUID, words: str) -> FindEvents:
    by: dict[str, Any] = {"search_id": search_id, "actor": visit.actor}
    try:
        return FindEvents(event_id=UUID(words), **by)
    except ValueError:
        pass
    if is_address(words):
        return FindEvents(recipient_key=recipient_key(visit.settings.secret, EMAIL, words), **by)
    if words.startswith("+") and (number := e164(words)):
        return FindEvents(recipient_key=recipient_key(visit.settings.secret, SMS, number), **by)
    return FindEvents(external_id=words, **by)


async def control(visit: Visit, event_id: UUID, wanted: EventControl, channel: str | None) -> Json:
    """Ask Message Center to hold an event back, let it go on, send it again or recycle it."""
    refusal = visit.refusal(Right.MANAGE_EVENTS)
    if refusal:
        return refusal
    if not await visit.once():
        return NOTHING
    await visit.memory.ask(f"event:{event_id}", visit.ask, visit.work.now)
    visit.work.emit(
        ControlEvent(event_id=event_id, control=wanted, channel=channel, actor=visit.actor)
    )
    return NOTHING


@registry.on(EventsFound)
async def tell_found(found: EventsFound, work: Work) -> None:
    """Show who searched what was found, once."""
    for ask in await Memory(work.connection).answered(f"events:{found.search_id}"):
        person = await person_of(work, ask.operator_id)
        if person is not None:
            await tell(work, person, ask.channel, event_list(found, personal(work, person)))


@registry.on(EventControlled)
async def tell_controlled(event: EventControlled, work: Work) -> None:
    """Tell who asked that it was done."""
    await _tell(work, event, f"event_done_{event.control}", id=str(event.result_id))


@registry.on(EventControlRefused)
async def tell_control_refused(event: EventControlRefused, work: Work) -> None:
    """Tell who asked why it was not done."""
    person = await person_of(work, event.actor.id)
    language = person.language if person else "en"
    what = say(language, f"event_do_{event.control}")
    await _tell(work, event, "refused", what=what, reason=esc(sentence(language, event.reason)))


async def _tell(
    work: Work, event: EventControlled | EventControlRefused, key: str, **values: str
) -> None:
    person = await person_of(work, event.actor.id)
    if person is None or event.actor.via is not Via.SLACK:
        return
    memory = Memory(work.connection)
    channel = await memory.channel_of(f"event:{event.event_id}", event.actor.id)
    await tell(work, person, channel, content(say(person.language, key, **values)))


def event_list(found: EventsFound, setting: Setting) -> Json:
    """Return events with every status they had, and the button each allows."""
    language = setting.language
    title = say(language, "events_title")
    if not found.events:
        return content(say(language, "events_none"))
    blocks = [header(title)]
    for event in found.events:
        blocks.append(section(_lines(event, setting)))
        offered = None if event.archived else _OFFERED.get(event.status)
        if offered is not None:
            blocks.append(
                actions(f"event:{event.event_id}", [_button(offered, event.event_id, language)])
            )
        blocks += [
            actions(f"event:{event.event_id}:{to}", [_recycling(event.event_id, to, language)])
            for to in event.recycles_to
        ]
    if found.more:
        more = say(language, "events_more", count=formats.count(len(found.events), language))
        blocks.append(section(more))
    return content(title, blocks)


def _lines(event: FoundEvent, setting: Setting) -> str:
    language = setting.language
    lines = [
        say(
            language,
            "events_line",
            type=esc(event.event_type),
            status=say(language, f"event_{event.status}"),
            queue=say(language, f"queue_{event.queue}"),
            at=formats.moment(event.received_at, setting.zone, language),
            id=str(event.event_id),
        )
    ]
    if event.external_id:
        lines.append(say(language, "events_external", name=esc(event.external_id)))
    if event.next_try_at is not None:
        lines.append(
            say(
                language,
                "events_tries",
                count=formats.count(event.errors, language),
                at=formats.moment(event.next_try_at, setting.zone, language),
            )
        )
    if event.archived:
        lines.append(say(language, "events_archived"))
    for change in event.history:
        at = formats.moment(change.at, setting.zone, language)
        why = f" ({esc(sentence(language, change.reason))})" if change.reason else ""
        lines.append(f"• {at}: {say(language, f'event_{change.status}')}{why}")
    return "\n".join(lines)


def _button(wanted: EventControl, event_id: UUID, language: str) -> Json:
    text = say(language, f"event_do_{wanted}")
    made = button(text, f"event_{wanted}", str(event_id))
    if wanted is not EventControl.RESEND:
        return made
    return confirmed(
        made,
        title=text,
        text=say(language, "event_resend_question"),
        yes=text,
        no=say(language, "close"),
    )


def _recycling(event_id: UUID, to: str, language: str) -> Json:
    name = f"event_{EventControl.RECYCLE}"
    text = say(language, "event_do_recycle_to", channel=channel_name(to, language))
    return confirmed(
        button(text, name, f"{event_id} {to}"),
        title=text,
        text=say(language, "event_recycle_question"),
        yes=text,
        no=say(language, "close"),
    )


def channel_name(channel: str, language: str) -> str:
    """Return what a channel is called on screen; one that is not known here by its own name."""
    known = _CHANNELS.get(channel)
    return say(language, known) if known else typed(channel)
