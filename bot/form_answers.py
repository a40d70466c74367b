"""What the services answer about a campaign form: its number, its target, its cost, its goods."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from bot.answers import cause_id, is_fresh, person_of, personal
from bot.choices import Choices
from bot.form_store import MEANS, SAVED, Counted, Form, Forms
from bot.handlers import outgoing_of
from bot.reckoning import ask_means
from bot.steps import step_view
from shared.registry import Registry
from shared.uow import Work
from topics.budget import CostEstimated
from topics.campaign import CampaignFormOpened
from topics.stock import StockEstimated
from topics.targeting import (
    CountTarget,
    TargetCounted,
    TargetingRefused,
    TargetingState,
    TargetRefused,
)

registry = Registry()


async def _open(campaign_id: UUID, work: Work) -> Form | None:
    """Return a form that is not saved yet, locked; ``None`` where it is none of ours."""
    form = await Forms(work.connection).find(campaign_id, lock=True)
    return form if form is not None and form.step != SAVED else None


async def _show(form: Form, work: Work) -> None:
    """Have the open form show what is known by now."""
    person = await person_of(work, form.operator_id)
    if person is not None and is_fresh(work):
        view = step_view(form, personal(work, person))
        key = f"{form.campaign_id}:{cause_id(work)}"
        await outgoing_of(work).change_form(form.campaign_id, form.turn, view, key=key)


async def _keep(form: Form, work: Work) -> None:
    await _show(await Forms(work.connection).keep(form, moved=False), work)


@registry.on(CampaignFormOpened)
async def show_number(event: CampaignFormOpened, work: Work) -> None:
    """Show the number in the form that is open."""
    form = await _open(event.campaign_id, work)
    if form is None or not await Forms(work.connection).number(event.campaign_id, event.number):
        return
    await _show(replace(form, number=event.number), work)


@registry.on(TargetCounted)
async def keep_count(event: TargetCounted, work: Work) -> None:
    """Show the count of the target that is still chosen; what it takes can be estimated now."""
    form = await _open(event.campaign_id, work)
    if form is None or form.targeting_id != event.targeting_id:
        return
    form = replace(form, counted=Counted(event.targeting_id, event.counts))
    await _keep(ask_means(work, form) if form.step == MEANS else form, work)


@registry.on(TargetRefused)
async def keep_no_count(event: TargetRefused, work: Work) -> None:
    """Show why the target that is still chosen has no count."""
    form = await _open(event.campaign_id, work)
    if form is not None and form.targeting_id == event.targeting_id and not event.snapshot_id:
        await _keep(replace(form, counted=Counted(event.targeting_id, None, event.reason)), work)


@registry.on(TargetingState)
async def keep_targeting(state: TargetingState, work: Work) -> None:
    """Keep a targeting for the form; one of a form's own criteria is counted now."""
    await Choices(work.connection).save(
        "targeting", state.targeting_id, version=state.version, label=state.label
    )
    for campaign_id in await Forms(work.connection).aimed_at(state.targeting_id):
        form = await _open(campaign_id, work)
        if form is not None and form.targeting_id == state.targeting_id:
            work.emit(CountTarget(campaign_id=campaign_id, targeting_id=state.targeting_id))


@registry.on(TargetingRefused)
async def keep_unsaved(event: TargetingRefused, work: Work) -> None:
    """Show why a form's own criteria cannot be counted."""
    for campaign_id in await Forms(work.connection).aimed_at(event.targeting_id):
        form = await _open(campaign_id, work)
        if form is not None and form.targeting_id == event.targeting_id:
            no_count = Counted(event.targeting_id, None, event.reason)
            await _keep(replace(form, counted=no_count), work)


@registry.on(StockEstimated)
async def keep_goods(event: StockEstimated, work: Work) -> None:
    """Show what the form's campaign would take of a stock line."""
    form = await _open(event.campaign_id, work)
    if form is not None:
        await _keep(replace(form, goods=event), work)


async def keep_cost(event: CostEstimated, work: Work) -> None:
    """Show what the form's campaign would cost."""
    form = await _open(event.campaign_id, work)
    if form is not None:
        await _keep(replace(form, cost=event), work)
