"""The three steps of a new campaign: what it is, whom it reaches, what it takes. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bot import formats
from bot.blocks import (
    actions,
    button,
    chooser,
    content,
    context,
    field,
    modal,
    option,
    section,
    text_input,
)
from bot.cards import Setting, cost_line
from bot.cutting import esc
from bot.fields import Values, starting
from bot.form_reading import BLOCK_OF, CRITERIA, LABEL_CHARS, MANY, carried, step_of
from bot.form_store import AIMED, MEANS, NAMED, Form
from bot.labels import sentence
from bot.limits import Json
from bot.store import Estimate
from bot.words import say
from topics.targeting import TargetCounts

CALLBACKS: Final = {NAMED: "campaign_new", AIMED: "campaign_target", MEANS: "campaign_means"}
FIRST_FIELDS: Final = {NAMED: "label", AIMED: "targeting", MEANS: "budget"}
"""Where an error stands that is about no field."""
BACK: Final = "form_back"
RECKON: Final = "form_reckon"
AGAIN: Final = "form_again"
ASKED: Final = ("targeting", "budget", "models", "service", "stock")
"""Choices that are answered with figures as soon as they are made."""
CRITERION_CHARS: Final = 300


def form_id(form: Form) -> str:
    """Return the view's external id of a campaign form."""
    return f"campaign:{form.campaign_id}"


def step_view(form: Form, setting: Setting, *, notice: str = "") -> Json:
    """Return the step that a form is at, with what was typed; ``notice`` says what to mend."""
    language = setting.language
    title = say(language, "new_campaign")
    if form.number is not None:
        title = say(language, "campaign_number", number=f"C-{form.number}")
    blocks = {NAMED: _named, AIMED: _aimed, MEANS: _means}[form.step](form, setting)
    return modal(
        CALLBACKS[form.step],
        title,
        [_note(form, language), *([section(f":warning: {notice}")] if notice else []), *blocks],
        submit=say(language, "save" if form.step == MEANS else "go_on"),
        close=say(language, "close"),
        metadata=str(form.campaign_id),
        external_id=form_id(form),
    )


def unsaved(campaign_id: UUID, line: str, plan_field: str, language: str) -> Json:
    """Return why a campaign could not be saved, with a button back to its form's step to mend."""
    block = BLOCK_OF.get(plan_field)
    step = step_of(block) if block else NAMED
    again = button(say(language, "form_again"), AGAIN, f"{campaign_id} {step}")
    return content(line, [section(line), actions(f"form:{campaign_id}", [again])])


def _note(form: Form, language: str) -> Json:
    number = say(language, "number_comes")
    if form.number is not None:
        number = say(language, "number_is", number=f"C-{form.number}")
    return context(say(language, "step_of", step=form.step, number=number))


def _text(
    name: str, form: Form, language: str, *, most: int, multiline: bool = False, hint: str = ""
) -> Json:
    return field(
        name,
        say(language, name),
        starting(text_input(most, multiline=multiline), name, form.typed),
        optional=name != "label",
        hint=say(language, hint) if hint else None,
    )


def _choice(name: str, form: Form, language: str, *, hint: str = "") -> Json:
    element = chooser(say(language, "choose"), many=name in MANY)
    return field(
        name,
        say(language, name),
        starting(element, name, form.typed),
        hint=say(language, hint) if hint else None,
        told=name in ASKED,
    )


def _day(name: str, form: Form, language: str, hint: str) -> Json:
    picker = starting({"type": "datepicker"}, name, form.typed)
    return field(name, say(language, name), picker, hint=say(language, hint))


def _named(form: Form, setting: Setting) -> list[Json]:
    language = setting.language
    clock = starting({"type": "timepicker"}, "start_time", form.typed)
    return [
        _text("label", form, language, most=LABEL_CHARS),
        _choice("template", form, language),
        _choice("program", form, language),
        _day("start_date", form, language, "start_hint"),
        field("start_time", say(language, "start_time", zone=setting.zone.key), clock),
        _day("end_date", form, language, "end_hint"),
    ]


def _aimed(form: Form, setting: Setting) -> list[Json]:
    language = setting.language
    return [
        _choice("targeting", form, language),
        context(say(language, "or_criteria")),
        *(
            _text(name, form, language, most=CRITERION_CHARS, hint=f"hint_{name}")
            for name in CRITERIA
        ),
        section(count_lines(form, language)),
        actions("form_aimed", _buttons(language, "count_it")),
    ]


def _means(form: Form, setting: Setting) -> list[Json]:
    language = setting.language
    wish = {"type": "checkboxes", "options": [option(say(language, "proof_now_choice"), "yes")]}
    proof = field("proof_now", say(language, "proof_now"), starting(wish, "proof_now", form.typed))
    return [
        section("\n".join(means_lines(form, language))),
        *(_choice(name, form, language) for name in ("budget", "models", "service", "stock")),
        _text("per_letter", form, language, most=4, hint="hint_per_letter"),
        _choice("reviewers", form, language),
        _text("description", form, language, most=3000, multiline=True),
        _text("remark", form, language, most=3000, multiline=True),
        proof,
        *_kept(form, language),
        actions("form_means", _buttons(language, "reckon_it")),
    ]


def _kept(form: Form, language: str) -> list[Json]:
    """Return what is taken over from another campaign without a field of its own."""
    names = [say(language, f"kept_{name}") for name in carried(form.plan)]
    return [context(say(language, "also_kept", what=", ".join(names)))] if names else []


def _buttons(language: str, asked: str) -> list[Json]:
    return [
        button(say(language, "back"), BACK, "back"),
        button(say(language, asked), RECKON, "ask"),
    ]


def count_lines(form: Form, language: str) -> str:
    """Return the count of a form's target, net of doubles and opt-outs, or what it waits for."""
    if form.targeting_id is None:
        return say(language, "count_none")
    known = form.counted
    if known is None or known.targeting_id != form.targeting_id:
        return say(language, "counting")
    if known.counts is None:
        why = say(language, "count_refused", reason=esc(sentence(language, known.reason), 500))
        return f":warning: {why}"
    return _counts_line(known.counts, language)


def _counts_line(counts: TargetCounts, language: str) -> str:
    names = ("reachable", "duplicates", "opted_out", "without_email")
    shown = {name: formats.count(getattr(counts, name), language) for name in names}
    matched = sum(getattr(counts, name) for name in names)
    return say(
        language,
        "count_line",
        matched=formats.count(matched, language),
        records=formats.count(counts.records, language),
        organisations=formats.count(counts.organisations, language),
        **shown,
    )


def means_lines(form: Form, language: str) -> list[str]:
    """Return what a form's campaign would reach, cost and take, as far as it is known."""
    given = Values(form.typed)
    lines = [count_lines(form, language)]
    if form.counts is None:
        return lines
    name = say(language, "cost")
    lines.append(f"*{name}*: {_cost(form, given, language)}")
    if given.one("stock"):
        name = say(language, "stock_warning")
        lines.append(f"*{name}*: {_goods(form, given, language)}")
    return lines


def _cost(form: Form, given: Values, language: str) -> str:
    budget_id, cost = given.one("budget"), form.cost
    if budget_id is None:
        return say(language, "cost_none")
    if cost is None or cost.budget_id != budget_id:
        return say(language, "reckoning")
    line = cost_line(Estimate(cost.amount_minor, cost.left_minor, cost.currency), language)
    return f"{line} _{esc(cost.note, 300)}_" if cost.note else line


def _goods(form: Form, given: Values, language: str) -> str:
    goods = form.goods
    if goods is None or goods.line_id != given.one("stock"):
        return say(language, "reckoning")
    line = say(
        language,
        "goods_line",
        asked=formats.count(goods.asked, language),
        available=formats.count(goods.available, language),
    )
    if not goods.covered:
        lacking = say(language, "goods_lacking")
        return f":warning: {line} {lacking}"
    alert = say(language, "goods_alert")
    return f"{line} {alert}" if goods.reaches_alert else line
