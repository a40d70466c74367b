"""The campaign form's steps as people take them: on, back, asking for figures, saving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.blocks import content
from bot.cutting import esc
from bot.fields import Values
from bot.form_reading import ONE, STEPS, carried, read_campaign, read_criteria, step_of, typed_in
from bot.form_store import AIMED, MEANS, NAMED, SAVED, Form
from bot.front import NOTHING, Front, Outcome, Sender, Shown, Visit
from bot.limits import Json
from bot.presets import typed_of
from bot.reckoning import ask_count, ask_means
from bot.steps import AGAIN, ASKED, BACK, CALLBACKS, FIRST_FIELDS, RECKON, form_id, step_view
from shared.ids import new_id
from shared.rights import Right
from topics.campaign import CampaignPlan, CreateCampaign, OpenCampaignForm

_STEP_OF: Final = {callback: step for step, callback in CALLBACKS.items()}


def attach(app: AsyncApp, front: Front) -> None:
    """Register the steps of the campaign form."""

    async def submitted(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        step = _STEP_OF[view["callback_id"]]
        await front.submission(
            ack, _sender(body), lambda visit: take(visit, view), first_field=FIRST_FIELDS[step]
        )

    async def back(ack: AsyncAck, body: dict[str, Any]) -> None:
        await front.click(ack, _sender(body), lambda visit: step_back(visit, body["view"]))

    async def asked(ack: AsyncAck, body: dict[str, Any]) -> None:
        pressed = body["actions"][0]["action_id"] == RECKON
        await front.click(
            ack, _sender(body), lambda visit: reckon(visit, body["view"], afresh=pressed)
        )

    async def again(ack: AsyncAck, body: dict[str, Any]) -> None:
        value = str(body["actions"][0]["value"])
        await front.click(ack, _sender(body), lambda visit: reopen(visit, value))

    for callback in CALLBACKS.values():
        app.view(callback)(submitted)
    app.action(BACK)(back)
    app.action(AGAIN)(again)
    for name in (RECKON, *ASKED):
        app.action(name)(asked)


def _sender(body: dict[str, Any]) -> Sender:
    channel = (body.get("channel") or {}).get("id", "")
    return Sender(body["user"]["id"], channel, body["trigger_id"], "view")


async def open_form(visit: Visit, plan: CampaignPlan | None = None) -> None:
    """Open the campaign form and ask for its number; what was sent once is one form."""
    if await visit.once():
        await _open(visit, await typed_of(plan, visit.store, visit.choices), plan)


async def _open(visit: Visit, typed: Json, plan: CampaignPlan | None, step: int = NAMED) -> None:
    campaign_id, who = new_id(), visit.known.operator_id
    form = Form(campaign_id, who, visit.sender.channel, typed=typed, plan=plan, step=step)
    await visit.forms.open(form, visit.work.now)
    await visit.memory.ask(str(campaign_id), visit.ask, visit.work.now)
    await visit.open_view(form_id(form), step_view(form, visit.setting), form=campaign_id)
    visit.work.emit(OpenCampaignForm(campaign_id=campaign_id, actor=visit.actor))


async def reopen(visit: Visit, value: str) -> Json:
    """Open a form like one whose campaign could not be saved, with all that was typed in it."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    campaign_id, _, step = value.partition(" ")
    form = await visit.forms.find(UUID(campaign_id))
    if form is None or form.operator_id != visit.known.operator_id:
        return content(visit.say("form_gone"))
    if await visit.once():
        await _open(visit, form.typed, form.plan, int(step))
    return NOTHING


async def _typed(visit: Visit, view: Json) -> Form:
    """Return the form of a view with what is typed in it now; nobody else takes a step meanwhile.

    Raises:
        LookupError: it was forgotten since.
    """
    form = await visit.forms.find(UUID(view["private_metadata"]), lock=True)
    if form is None:
        raise LookupError("this form is not known here")
    typed = form.typed | typed_in(view)
    step = _STEP_OF[view["callback_id"]]
    return replace(form, typed=typed, step=step, view_hash=view.get("hash"))


async def take(visit: Visit, view: Json) -> Outcome:
    """Take a submitted step: show the next one, save after the last, or say what is wrong."""
    step = _STEP_OF[view["callback_id"]]
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return {FIRST_FIELDS[step]: str(refusal["text"])}
    form = await _typed(visit, view)
    errors = await _errors(visit, form)
    here = {block: text for block, text in errors.items() if step_of(block) == step}
    if here:
        await visit.forms.keep(form, moved=False)
        return here
    if step == MEANS:
        return await _save(visit, form, view, errors)
    if not await visit.memory.take(f"step:{view['id']}:{view['hash']}", visit.work.now):
        return await _as_it_stands(visit, form.campaign_id)
    form = ask_count(visit.work, form, visit.actor, visit.language, afresh=False)
    form = replace(form, step=step + 1, view_hash=None)
    if form.step == MEANS:
        form = ask_means(visit.work, form)
    form = await visit.forms.keep(form, moved=True)
    return Shown(step_view(form, visit.setting))


async def _as_it_stands(visit: Visit, campaign_id: UUID) -> Outcome:
    """Return what answers a step that was taken before: the form at the step it is at."""
    form = await visit.forms.find(campaign_id)
    return Shown(step_view(form, visit.setting)) if form and form.step != SAVED else {}


async def _save(visit: Visit, form: Form, view: Json, errors: dict[str, str]) -> Outcome:
    """Save the campaign; what an earlier step lacks by now is shown there."""
    if errors:
        block = next(name for blocks in STEPS.values() for name in blocks if name in errors)
        form = replace(form, step=step_of(block), view_hash=None)
        form = await visit.forms.keep(form, moved=True)
        notice = visit.say("mend", field=_label(visit, block), error=esc(errors[block]))
        return Shown(step_view(form, visit.setting, notice=notice))
    if not await visit.memory.take(f"view:{view['id']}", visit.work.now):
        return {}
    plan, proof_wished = _read(visit, form)
    form = await visit.forms.keep(replace(form, step=SAVED), moved=True)
    await visit.forms.submit(
        form.campaign_id, stock_line_id=plan.stock_line_id, proof_wished=proof_wished
    )
    visit.work.emit(CreateCampaign(campaign_id=form.campaign_id, actor=visit.actor, plan=plan))
    return {}


def _label(visit: Visit, block: str) -> str:
    return visit.say(block, zone=visit.setting.zone.key)


def _read(visit: Visit, form: Form) -> tuple[CampaignPlan, bool]:
    said = read_campaign(form.typed, visit.setting, visit.work.now, targeting_id=form.targeting_id)
    return said.plan.model_copy(update=carried(form.plan)), said.proof_wished


async def _errors(visit: Visit, form: Form) -> dict[str, str]:
    """Return what is wrong with a form, by field: what was typed, and what was removed since."""
    said = read_campaign(form.typed, visit.setting, visit.work.now, targeting_id=None)
    criteria, errors = read_criteria(form.typed, visit.language)
    refusal = visit.refusal(Right.MANAGE_TARGETINGS) if criteria else None
    if refusal:
        errors |= {"country": str(refusal["text"])}
    return said.errors | errors | await _gone(visit, form)


async def _gone(visit: Visit, form: Form) -> dict[str, str]:
    """Return an error for each choice that was removed while the form was open."""
    plan, _ = _read(visit, form)
    chosen: dict[str, tuple[UUID, ...]] = {
        block: (getattr(plan, name),) for block, name in ONE.items() if getattr(plan, name)
    }
    chosen["models"] = plan.action_model_ids or ()
    if Values(form.typed).one("targeting") is None:
        # The form's own criteria may be on their way still.
        chosen.pop("targeting", None)
    return {
        block: visit.say("gone")
        for block, ids in chosen.items()
        if await visit.choices.missing(block, ids)
    }


async def step_back(visit: Visit, view: Json) -> Json:
    """Show the step before, with what was typed in it."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    if await visit.once():
        form = await _typed(visit, view)
        form = replace(form, step=max(NAMED, form.step - 1))
        form = await visit.forms.keep(form, moved=True)
        await _change(visit, form)
    return NOTHING


async def reckon(visit: Visit, view: Json, *, afresh: bool) -> Json:
    """Have counted and estimated what the open step says now; the figures come into it."""
    refusal = visit.refusal(Right.MANAGE_CAMPAIGNS)
    if refusal:
        return refusal
    if not await visit.once():
        return NOTHING
    form = await _typed(visit, view)
    if form.step == AIMED:
        form = ask_count(visit.work, form, visit.actor, visit.language, afresh=afresh)
    else:
        form = ask_means(visit.work, form)
    form = await visit.forms.keep(form, moved=False)
    await _change(visit, form)
    return NOTHING


async def _change(visit: Visit, form: Form) -> None:
    view = step_view(form, visit.setting)
    await visit.outgoing.change_form(
        form.campaign_id, form.turn, view, key=f"view:{visit.sender.trigger}"
    )
