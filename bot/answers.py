"""Answers of the services, told to who asked: numbers, moves, refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from bot.blocks import content
from bot.cards import Setting, already_decided, campaign_name
from bot.cutting import esc
from bot.form_store import Forms
from bot.handlers import channel_setting, outgoing_of
from bot.labels import control_name, reason_text, sentence, status_name, workflow_name
from bot.limits import Json
from bot.memory import Memory
from bot.places import settings_of
from bot.steps import unsaved
from bot.store import Ask, BotStore, Person
from bot.teams import team_of
from bot.words import all_keys, say
from shared.registry import Registry
from shared.uow import Work
from topics.campaign import (
    CampaignCreated,
    CampaignMoved,
    CampaignRefused,
    CampaignStatus,
    CreateCampaign,
)
from topics.delivery import AnswerRefused, ApprovalOutcome
from topics.message import Actor, Via
from topics.workflows import WorkflowRefused, WorkflowState

registry = Registry()

FRESH: Final = timedelta(hours=12)
"""An answer older than this comes from a topic read again: nobody waits for it."""
VERBS: Final = {
    "RequestProof": "verb_proof",
    "LaunchCampaign": "verb_launch",
    "SuspendCampaign": "verb_pause",
    "ResumeCampaign": "verb_resume",
    "CancelCampaign": "verb_stop",
    "RetryCampaign": "verb_retry",
    "CreateCampaign": "save",
    "OpenCampaignForm": "new_campaign",
    "AnswerMissedStart": "verb_missed",
}
_NOTABLE: Final = frozenset(
    {CampaignStatus.ERROR, CampaignStatus.SUSPENDED, CampaignStatus.FINISHED}
)
_MAY_ANSWER_AGAIN: Final = frozenset({"not_reviewer", "self_approval", "reason_missing"})


def is_fresh(work: Work) -> bool:
    """Whether the message being handled was just made."""
    cause = work.cause
    return cause is None or cause.time is None or work.now - cause.time < FRESH


def cause_id(work: Work) -> str:
    """Return what makes telling of this message unique."""
    return work.cause.id if work.cause else str(work.now.timestamp())


async def person_of(work: Work, operator_id: str) -> Person | None:
    """Return an operator who can be reached in Slack."""
    found = (await BotStore(work.connection).people([operator_id])).get(operator_id)
    return found if found and found.slack_user_id else None


def personal(work: Work, person: Person) -> Setting:
    """Return how things are shown to one person."""
    general = channel_setting(work)
    account = person.slack_user_id or ""
    return Setting(person.language, general.zone, general.public_url, team_of(account))


async def tell(work: Work, person: Person, channel: str, words: Json) -> None:
    """Tell one person something, once per message handled."""
    if person.slack_user_id and is_fresh(work):
        outgoing = outgoing_of(work)
        await outgoing.tell(cause_id(work), person.slack_user_id, channel, words)


async def tell_actor(work: Work, actor: Actor, subject: str, key: str, **values: str) -> None:
    """Tell who acted from Slack, where they asked about the subject."""
    if actor.via is not Via.SLACK:
        return
    person = await person_of(work, actor.id)
    if person is not None:
        channel = await Memory(work.connection).channel_of(subject, actor.id)
        await tell(work, person, channel, content(say(person.language, key, **values)))


async def known_name(work: Work, campaign_id: UUID, number: int | None) -> str:
    """Return a campaign's name as far as it is known."""
    state = await BotStore(work.connection).campaign(campaign_id)
    if state is not None:
        return campaign_name(state.number, state.label)
    form = await Forms(work.connection).find(campaign_id)
    known = number or (form.number if form else None)
    return f"*C-{known}*" if known else "*C-…*"


@registry.on(CampaignCreated)
async def tell_created(event: CampaignCreated, work: Work) -> None:
    """Tell who saved a campaign that it is saved."""
    name = campaign_name(event.number, event.label)
    await tell_actor(work, event.actor, str(event.campaign_id), "created", campaign=name)


@registry.on(CampaignMoved)
async def tell_moved(event: CampaignMoved, work: Work) -> None:
    """Tell those who asked about a campaign what became of it."""
    notable = event.after in _NOTABLE or bool(event.reason and event.actor.is_system)
    for ask in await Memory(work.connection).askers(str(event.campaign_id)):
        if notable or ask.operator_id == event.actor.id:
            await _tell_move(event, ask, work)


async def _tell_move(event: CampaignMoved, ask: Ask, work: Work) -> None:
    person = await person_of(work, ask.operator_id)
    if person is None:
        return
    language = person.language
    line = say(
        language,
        "moved_why" if event.reason else "moved",
        campaign=campaign_name(event.number, event.label),
        before=status_name(language, event.before),
        after=status_name(language, event.after),
        reason=esc(sentence(language, event.reason)),
    )
    await tell(work, person, ask.channel, content(line))


def _reason(event: CampaignRefused | WorkflowRefused, language: str, work: Work) -> str:
    zone = settings_of(work).zone
    return esc(reason_text(language, zone, event.reason, event.code, event.values), 1000)


@registry.on(CampaignRefused)
async def tell_refused(event: CampaignRefused, work: Work) -> None:
    """Tell who asked why a campaign's command was not carried out."""
    person = await person_of(work, event.actor.id)
    if person is None or event.actor.via is not Via.SLACK:
        return
    language = person.language
    name = await known_name(work, event.campaign_id, event.number)
    verb = say(language, VERBS[event.command]) if event.command in VERBS else event.command
    line = say(language, "refused", what=f"{name}, {verb}", reason=_reason(event, language, work))
    channel = await Memory(work.connection).channel_of(str(event.campaign_id), event.actor.id)
    if event.command == CreateCampaign.__name__:
        shown = unsaved(event.campaign_id, line, event.field or "", language)
    else:
        shown = content(line)
    await tell(work, person, channel, shown)


@registry.on(AnswerRefused)
async def tell_answer_refused(event: AnswerRefused, work: Work) -> None:
    """Tell who answered an approval why it did not count; first of all, that it was decided."""
    memory, store = Memory(work.connection), BotStore(work.connection)
    if event.code in _MAY_ANSWER_AGAIN:
        await memory.give_back(event.approval_id, event.actor.id)
    person = await person_of(work, event.actor.id)
    if person is None or event.actor.via is not Via.SLACK:
        return
    state = await store.approval(event.approval_id)
    name = await known_name(work, event.campaign_id, state.campaign_number if state else None)
    if event.outcome is not None and event.outcome is not ApprovalOutcome.PENDING:
        line = already_decided(
            what=name,
            outcome=event.outcome,
            by=event.decided_by,
            at=event.decided_at,
            people=await store.people([event.decided_by or ""]),
            setting=personal(work, person),
        )
    else:
        known = f"code_{event.code}"
        told = sentence(person.language, event.reason)
        reason = say(person.language, known) if known in all_keys() else esc(told, 1000)
        line = say(person.language, "answer_refused", what=name, reason=reason)
    channel = await memory.channel_of(str(event.approval_id), event.actor.id)
    await tell(work, person, channel, content(line))


@registry.on(WorkflowRefused)
async def tell_workflow_refused(event: WorkflowRefused, work: Work) -> None:
    """Tell who asked why a workflow's control was not carried out."""
    person = await person_of(work, event.actor.id)
    if person is None or event.actor.via is not Via.SLACK:
        return
    what = f"{control_name(person.language, event.control)} *{esc(event.name)}*"
    reason = _reason(event, person.language, work)
    line = say(person.language, "refused", what=what, reason=reason)
    memory = Memory(work.connection)
    channel = await memory.channel_of(f"workflow:{event.name}", event.actor.id)
    await tell(work, person, channel, content(line))


@registry.on(WorkflowState)
async def keep_workflow(state: WorkflowState, work: Work) -> None:
    """Keep a technical workflow, and tell who asked for a change of it how it stands now."""
    before = await BotStore(work.connection).save_workflow(state)
    if before is state or before is None or before.status is state.status:
        return
    for ask in await Memory(work.connection).answered(f"workflow:{state.name}"):
        person = await person_of(work, ask.operator_id)
        if person is not None:
            named = workflow_name(person.language, state.status)
            words = say(person.language, "workflow_now", name=esc(state.name), state=named)
            await tell(work, person, ask.channel, content(words))
