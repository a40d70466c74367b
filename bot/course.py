"""An open approval's course in Slack: who put it off, to whom it was handed on, whom it reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from bot.answers import cause_id, person_of, personal, tell
from bot.approvals import card_key
from bot.blocks import content
from bot.cards import Setting
from bot.course_cards import delegated, escalated, snoozed_line
from bot.handlers import channel_setting, outgoing_of
from bot.limits import Json
from bot.memory import Memory
from bot.places import channel_for
from bot.store import BotStore, Person
from shared.errors import Transient
from shared.registry import Registry
from shared.uow import Work
from topics.approvals import ApprovalDelegated, ApprovalEscalated, ApprovalSnoozed
from topics.delivery import ApprovalState
from topics.message import Via

registry: Final = Registry()


@registry.on(ApprovalSnoozed)
async def tell_snoozed(event: ApprovalSnoozed, work: Work) -> None:
    """Tell who put their reminders off until when they have peace."""
    state = await _known(event.approval_id, work)
    person = await person_of(work, event.actor.id)
    if person is None or event.actor.via is not Via.SLACK:
        return
    line = snoozed_line(state, event.until, personal(work, person))
    channel = await Memory(work.connection).channel_of(str(event.approval_id), event.actor.id)
    await tell(work, person, channel, content(line))


@registry.on(ApprovalDelegated)
async def tell_delegated(event: ApprovalDelegated, work: Work) -> None:
    """Tell whom an approval was handed on to, and the card's thread."""
    state = await _known(event.approval_id, work)
    to = str(event.to)
    people = await BotStore(work.connection).people([event.actor.id, to])

    def words(setting: Setting) -> Json:
        return delegated(state, event.actor.id, to, event.comment, people, setting)

    await _spread(f"delegated:{cause_id(work)}", state, [to], people, words, work)


@registry.on(ApprovalEscalated)
async def tell_escalated(event: ApprovalEscalated, work: Work) -> None:
    """Tell who is asked too that nobody answered, and the card's thread."""
    state = await _known(event.approval_id, work)
    added = [str(one) for one in event.operator_ids]
    people = await BotStore(work.connection).people(added)

    def words(setting: Setting) -> Json:
        return escalated(state, added, event.deadline_at, people, setting)

    await _spread(f"escalated:{state.approval_id}", state, added, people, words, work)


async def _known(approval_id: UUID, work: Work) -> ApprovalState:
    """Return an approval.

    Raises:
        Transient: its state, which travels on another topic, is not here yet.
    """
    state = await BotStore(work.connection).approval(approval_id)
    if state is None:
        raise Transient("the approval is not known yet")
    return state


async def _spread(
    key: str,
    state: ApprovalState,
    told: Sequence[str],
    people: Mapping[str, Person],
    words: Callable[[Setting], Json],
    work: Work,
) -> None:
    """Say something in the thread of an approval's card, and to people each in their language."""
    outgoing = outgoing_of(work)
    thread = card_key(state.approval_id)
    channel = await outgoing.place_of(thread) or await channel_for(state.campaign_id, work)
    shown = words(channel_setting(work, channel))
    await outgoing.show(key, channel, shown, thread_key=thread)
    for operator_id in told:
        person = people.get(operator_id)
        if person is not None and person.slack_user_id and not person.has_left:
            shown = words(personal(work, person))
            await outgoing.show(f"{key}:{operator_id}", person.slack_user_id, shown)
