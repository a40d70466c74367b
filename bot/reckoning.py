"""Has the services count and estimate for a campaign form what is not known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bot.cutting import clip
from bot.fields import Values
from bot.form_reading import cost_wanted, goods_wanted, read_criteria
from bot.form_store import Form, criteria_id
from bot.words import say
from shared.uow import Work
from topics.message import Actor
from topics.targeting import CountTarget, SaveTargeting

LABEL_CHARS: Final = 200


def ask_count(work: Work, form: Form, actor: Actor, language: str, *, afresh: bool) -> Form:
    """Have a form's target counted, if it is another one or is to be counted ``afresh``.

    The form's own criteria are saved first: their count is asked for when they are.
    """
    chosen = Values(form.typed).one("targeting")
    criteria, errors = read_criteria(form.typed, language)
    if chosen is not None or errors:
        criteria = form.criteria if errors else ()
    is_new = criteria != form.criteria
    form = replace(form, criteria=criteria)
    known = form.counted is not None and form.counted.targeting_id == form.targeting_id
    if form.targeting_id is None or errors or (known and not afresh and not is_new):
        return form
    if chosen is not None:
        work.emit(CountTarget(campaign_id=form.campaign_id, targeting_id=chosen))
    elif is_new or afresh:
        work.emit(
            SaveTargeting(
                targeting_id=criteria_id(form.campaign_id),
                actor=actor,
                label=own_label(form, language),
                criteria=criteria,
            )
        )
    return replace(form, counted=None, cost=None, goods=None)


def own_label(form: Form, language: str) -> str:
    """Return what the targeting of a form's own criteria is called."""
    label = Values(form.typed).text("label") or ""
    name = f"C-{form.number} {label}" if form.number else label
    return clip(say(language, "own_target", name=name.strip()), LABEL_CHARS)


def ask_means(work: Work, form: Form) -> Form:
    """Have the cost and the goods estimated of what a form says now, as far as it is counted."""
    for wanted in (cost_wanted(form), goods_wanted(form)):
        if wanted is not None:
            work.emit(wanted)
    return replace(form, cost=None, goods=None)
