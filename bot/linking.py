"""Slack accounts and operators: who is linked by whom, asked for here and decided by web."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from bot.answers import person_of, tell
from bot.blocks import chooser, content, field, modal, option, section, user_chooser
from bot.cards import Setting
from bot.cutting import esc, read_marked, typed
from bot.fields import Values
from bot.front import NOTHING, Outcome, Visit
from bot.handlers import outgoing_of
from bot.labels import reason_text
from bot.limits import Json
from bot.memory import Memory
from bot.places import settings_of
from bot.store import Ask
from bot.teams import bare, qualified
from bot.words import say
from shared.ids import recipient_key
from shared.registry import Registry
from shared.rights import Right
from shared.uow import Work
from topics.message import Actor, Via
from topics.operators import LinkOperator, OperatorLinked, OperatorNotLinked

registry: Final = Registry()
LINK: Final = "operator_link"
OPERATOR: Final = "operator"
ACCOUNT: Final = "slack_user"
ITSELF: Final = Actor(id="system:bot", via=Via.SYSTEM)
_USER: Final = re.compile(r"^<@([A-Z0-9]{2,40})(?:\|[^>]*)?>")
_ADDRESS: Final = re.compile(r"^[^@\s]+@[^@\s]+$")


async def typed_link(visit: Visit, rest: str) -> Json:
    """Carry out ``/campaign link @user operator``; with less than that, ask in a modal."""
    refusal = visit.refusal(Right.MANAGE_OPERATORS)
    if refusal:
        return refusal
    found = _USER.match(rest)
    if rest and found is None:
        return content(visit.say("link_no_user"))
    user = qualified(visit.team, found[1]) if found else ""
    named = read_marked(rest[found.end() :]) if found else ""
    if not named:
        if await visit.once():
            view = link_modal(user, visit.sender.channel, visit.setting)
            await visit.open_view(f"link:{visit.sender.trigger}", view)
        return NOTHING
    if _ADDRESS.match(named):
        key = recipient_key(visit.settings.secret, "email", named)
        await ask_to_link(visit, user, visit.sender.channel, email_key=key)
    else:
        operator_id = await visit.choices.operator_named(named)
        if operator_id is None:
            return content(visit.say("link_no_operator", operator=esc(named, 80)))
        await ask_to_link(visit, user, visit.sender.channel, operator_id=UUID(operator_id))
    return content(visit.say("link_asked", user=f"<@{bare(user)}>", operator=esc(named, 80)))


async def ask_to_link(
    visit: Visit,
    user: str,
    channel: str,
    *,
    operator_id: UUID | None = None,
    email_key: str = "",
) -> None:
    """Ask web to link an account, once for what was sent; its answer is told when it comes."""
    if not await visit.once():
        return
    ask = Ask(visit.known.operator_id, channel)
    await visit.memory.ask(_subject(user), ask, visit.work.now)
    visit.work.emit(
        LinkOperator(
            slack_user_id=user, operator_id=operator_id, email_key=email_key, actor=visit.actor
        )
    )


def introduction(settings_secret: bytes, slack_user_id: str, email: str) -> LinkOperator:
    """Return the bot's own wish: to link an account by the address that Slack has confirmed."""
    key = recipient_key(settings_secret, "email", email)
    return LinkOperator(slack_user_id=slack_user_id, email_key=key, actor=ITSELF)


def link_modal(user: str, channel: str, setting: Setting) -> Json:
    """Return the modal that asks which account is which operator."""
    language = setting.language
    return modal(
        LINK,
        say(language, "link_title"),
        [
            section(say(language, "link_intro")),
            field(ACCOUNT, say(language, "link_user"), user_chooser(bare(user)), optional=False),
            field(OPERATOR, say(language, "link_operator"), chooser(say(language, "choose"))),
        ],
        submit=say(language, "link_it"),
        close=say(language, "close"),
        metadata=channel,
    )


async def submit_link(visit: Visit, view: Json) -> Outcome:
    """Link as the modal says."""
    refusal = visit.refusal(Right.MANAGE_OPERATORS)
    if refusal:
        return {ACCOUNT: str(refusal["text"])}
    values = Values(view["state"]["values"])
    user, operator_id = values.user(ACCOUNT), values.one(OPERATOR)
    if user is None or operator_id is None:
        return {OPERATOR: visit.say("link_nobody")}
    user = qualified(visit.team, user)
    await ask_to_link(visit, user, str(view["private_metadata"]), operator_id=operator_id)
    return {}


async def suggest_operators(visit: Visit, query: str) -> list[Json]:
    """Return the operators that the modal's select offers; none to who may not link them."""
    if visit.refusal(Right.MANAGE_OPERATORS):
        return []
    found = await visit.choices.operators(query)
    return [option(typed(choice.label), choice.id) for choice in found]


def _subject(user: str) -> str:
    return f"link:{user}"


@registry.on(OperatorLinked)
async def tell_linked(event: OperatorLinked, work: Work) -> None:
    """Greet who is linked now, and tell who asked for it."""
    person = await person_of(work, str(event.operator_id))
    language = person.language if person else settings_of(work).muster_language
    words = content(say(language, "linked", name=esc(event.name)))
    await outgoing_of(work).tell(f"linked:{event.operator_id}", event.slack_user_id, "", words)
    await _tell_asker(event, "linked_for", work, name=esc(event.name))


@registry.on(OperatorNotLinked)
async def tell_not_linked(event: OperatorNotLinked, work: Work) -> None:
    """Tell who asked for a link why it was not made."""
    await _tell_asker(event, "not_linked", work)


async def _tell_asker(
    event: OperatorLinked | OperatorNotLinked, key: str, work: Work, **values: str
) -> None:
    for ask in await Memory(work.connection).answered(_subject(event.slack_user_id)):
        person = await person_of(work, ask.operator_id)
        if person is None:
            continue
        if isinstance(event, OperatorNotLinked):
            zone = settings_of(work).zone
            values["reason"] = esc(reason_text(person.language, zone, event.reason, event.code, {}))
        words = content(say(person.language, key, user=f"<@{bare(event.slack_user_id)}>", **values))
        await tell(work, person, ask.channel, words)
