"""The messages behind the bot's read models: states of campaigns, choices, workflows."""

from __future__ import annotations

from typing import Final

from bot import dates, lists
from bot.cards import Setting
from bot.choices import Choices
from bot.form_store import Forms
from bot.memory import Memory
from bot.order_buttons import date_buttons
from bot.outgoing import Outgoing
from bot.places import channel_for, settings_of
from bot.store import Beat, BotStore
from bot.teams import team_of
from shared.registry import Registry
from shared.uow import Work
from topics.actions import ActionModelState
from topics.budget import BudgetState
from topics.campaign import CampaignState, CampaignStatus, RequestProof
from topics.delivery import Channel, DeliveryProgressed, TemplateState
from topics.message import Actor, Via
from topics.plans import ProgramState
from topics.stock import StockLineState
from topics.supplier import SupplierServiceState
from topics.workflows import WorkflowHeartbeat

registry = Registry()

_PROVABLE: Final = frozenset({CampaignStatus.READY_TO_TEST, CampaignStatus.READY_TO_RUN})
_ENDED: Final = frozenset({CampaignStatus.FINISHED, CampaignStatus.CANCELLED})


def outgoing_of(work: Work) -> Outgoing:
    """Return what is to be said in Slack, in this transaction."""
    since = work.cause.time if work.cause else None
    return Outgoing(work.connection, work.now, is_on=settings_of(work).slack_is_on, since=since)


def channel_setting(work: Work, channel: str = "") -> Setting:
    """Return how things are shown in a channel: in the instance's language."""
    settings = settings_of(work)
    return Setting(settings.muster_language, settings.zone, settings.public_url, team_of(channel))


@registry.on(CampaignState)
async def keep_campaign(state: CampaignState, work: Work) -> None:
    """Keep a campaign; ask for a proof that was wished for; tell the channel what matters."""
    before = await BotStore(work.connection).save_campaign(state)
    if before is state:
        return
    await _ask_for_proof(state, work)
    await _show_live(state, work)
    await show_date(state, work)
    await _show_answered(before, state, work)
    await _tell_waiting(before, state, work)
    newly_finished = state.status is CampaignStatus.FINISHED and (
        before is not None and before.status is not CampaignStatus.FINISHED
    )
    outgoing = outgoing_of(work)
    key = f"finished:{state.campaign_id}"
    # Sums may still settle after the end: the message that stands follows them.
    if newly_finished or (state.status in _ENDED and await outgoing.is_shown(key)):
        shown = lists.finished(state, settings_of(work).muster_language)
        await outgoing.show(key, await channel_for(state.campaign_id, work), shown)


async def _show_live(state: CampaignState, work: Work) -> None:
    """Have the messages that follow a campaign show it; after its end they rest."""
    memory, store = Memory(work.connection), BotStore(work.connection)
    followers = await memory.followers(state.campaign_id)
    if not followers:
        return
    people = await store.people([state.manager_id, *followers])
    general, outgoing = channel_setting(work), outgoing_of(work)
    for operator_id, key in followers.items():
        person = people.get(operator_id)
        if person is not None and person.slack_user_id:
            own = Setting(
                person.language,
                general.zone,
                general.public_url,
                team_of(person.slack_user_id),
            )
            shown = lists.live_status(state, people, own, now=work.now)
            await outgoing.show(key, person.slack_user_id, shown)
    if state.status in _ENDED:
        await memory.unfollow(state.campaign_id)


async def show_date(state: CampaignState, work: Work) -> None:
    """Have the message of an occurrence, where there is one, show how it stands."""
    outgoing, key = outgoing_of(work), dates.date_key(state.campaign_id)
    if state.series_id is not None and await outgoing.is_shown(key):
        channel = await channel_for(state.campaign_id, work)
        setting = channel_setting(work, channel)
        estimate = await Memory(work.connection).estimate(state.campaign_id)
        shown = dates.date_card(state, setting, date_buttons(state, setting, estimate))
        await outgoing.show(key, channel, shown)


async def _show_answered(before: CampaignState | None, state: CampaignState, work: Work) -> None:
    """Have the question about a missed start say how it was answered."""
    if before is None or not before.missed or state.missed:
        return
    outgoing = outgoing_of(work)
    for key, target in await outgoing.shown_under(dates.missed_key(state.campaign_id)):
        await outgoing.show(key, target, dates.answered(state, channel_setting(work, target)))


@registry.on(DeliveryProgressed)
async def keep_flight(event: DeliveryProgressed, work: Work) -> None:
    """Note how many messages may be in a server's hands, for who thinks of stopping."""
    await BotStore(work.connection).save_flight(event.campaign_id, event.in_flight, event.revision)


async def _ask_for_proof(state: CampaignState, work: Work) -> None:
    """Ask for the proof once the target is counted, for who ticked it in the form."""
    if state.status not in _PROVABLE or state.snapshot_id is not None:
        return
    forms = Forms(work.connection)
    if await forms.grant_wish(state.campaign_id):
        form = await forms.find(state.campaign_id)
        actor = Actor(id=form.operator_id if form else state.manager_id, via=Via.SLACK)
        work.emit(RequestProof(campaign_id=state.campaign_id, actor=actor))


async def _tell_waiting(before: CampaignState | None, state: CampaignState, work: Work) -> None:
    """Say in the channel that a campaign waits for a stopped workflow, and when no longer."""
    waited = before.waiting_workflow if before else None
    if waited == state.waiting_workflow:
        return
    language = settings_of(work).muster_language
    channel = await channel_for(state.campaign_id, work)
    outgoing = outgoing_of(work)
    key = f"waiting:{state.campaign_id}"
    if state.waiting_workflow:
        shown = lists.waits(state, language)
        await outgoing.show(key, channel, shown)
    elif waited and await outgoing.is_shown(key):
        shown = lists.waits_no_more(state, waited, language)
        await outgoing.show(key, channel, shown)


@registry.on(TemplateState)
async def keep_template(state: TemplateState, work: Work) -> None:
    """Keep a template for the form of campaigns, which are sent by e-mail."""
    if state.channel is not Channel.EMAIL:
        return
    await Choices(work.connection).save(
        "template", state.template_id, version=state.version, label=state.label
    )


@registry.on(BudgetState)
async def keep_budget(state: BudgetState, work: Work) -> None:
    """Keep a budget for the form."""
    await Choices(work.connection).save(
        "budget", state.budget_id, version=state.version, label=state.label, state=state
    )


@registry.on(ProgramState)
async def keep_program(state: ProgramState, work: Work) -> None:
    """Keep a program for the form."""
    await Choices(work.connection).save(
        "program", state.program_id, version=state.version, label=state.label
    )


@registry.on(ActionModelState)
async def keep_model(state: ActionModelState, work: Work) -> None:
    """Keep an action model for the form."""
    await Choices(work.connection).save(
        "models", state.model_id, version=state.version, label=f"{state.code} {state.label}"
    )


@registry.on(SupplierServiceState)
async def keep_service(state: SupplierServiceState, work: Work) -> None:
    """Keep a supplier's service for the form."""
    await Choices(work.connection).save(
        "service",
        state.service_id,
        version=state.version,
        label=f"{state.label} ({state.supplier})",
    )


@registry.on(WorkflowHeartbeat)
async def keep_beat(beat: WorkflowHeartbeat, work: Work) -> None:
    """Note that a service's workflow engine is alive."""
    await BotStore(work.connection).save_beat(beat.service, Beat(beat.at, beat.interval_seconds))


def stock_alert(state: StockLineState) -> str:
    """Return a stock line's warning, empty when there is enough."""
    if not state.alert:
        return ""
    left = state.in_stock - state.reserved
    return f"{state.label}: {left} ≤ {state.alert_level}"
