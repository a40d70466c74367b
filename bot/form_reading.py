"""What a campaign form says: its plan, its criteria, and what is wrong with them, by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID

from bot import formats
from bot.cards import Setting
from bot.fields import Values
from bot.form_store import AIMED, MEANS, NAMED, Form
from bot.limits import Json
from bot.words import say
from topics.budget import EstimateCost, Volumes
from topics.campaign import CampaignPlan
from topics.stock import EstimateStock
from topics.targeting import Criterion, Operator

LABEL_CHARS: Final = 200
MOST_PER_LETTER: Final = 1000
LAST_MINUTE: Final = time(23, 59)
# Form field → kind of choice; the plan's field bears the name on the right.
ONE: Final = {
    "targeting": "targeting_id",
    "template": "template_id",
    "program": "program_id",
    "budget": "budget_id",
    "service": "supplier_service_id",
    "stock": "stock_line_id",
}
MANY: Final = {"models": "action_model_ids", "reviewers": "reviewer_ids"}
CRITERIA: Final = {
    "country": ("site.country", Operator.IN),
    "postal_code": ("site.postal_code", Operator.STARTS_WITH),
    "segment": ("site.segment", Operator.IN),
    "language": ("contact.language", Operator.IN),
}
"""Form field → what it compares of the directory, and how."""
STEPS: Final = {
    NAMED: ("label", "template", "program", "start_date", "start_time", "end_date"),
    AIMED: ("targeting", *CRITERIA),
    MEANS: (
        *("budget", "models", "service", "stock", "per_letter"),
        *("reviewers", "description", "remark", "proof_now"),
    ),
}
_TYPED: Final = frozenset(
    {
        *("label", "description", "remark", "start_at", "end_at", "zone"),
        *("stock_quantity_per_letter", *ONE.values(), *MANY.values()),
    }
)
# The services name a plan's fields; the form has its own names for some.
BLOCK_OF: Final = {plan: block for block, plan in (ONE | MANY).items()} | {
    "label": "label",
    "start_at": "start_date",
    "end_at": "end_date",
    "description": "description",
    "remark": "remark",
    "stock_quantity_per_letter": "per_letter",
}


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a campaign form says; ``errors`` by field when it cannot be saved."""

    plan: CampaignPlan
    proof_wished: bool
    errors: dict[str, str]


def carried(plan: CampaignPlan | None) -> dict[str, Any]:
    """Return what a plan says that the form has no fields for: a duplicate keeps it."""
    if plan is None:
        return {}
    names = [name for name in CampaignPlan.model_fields if name not in _TYPED]
    return {name: value for name in names if (value := getattr(plan, name)) is not None}


def step_of(block: str) -> int:
    """Return the step that a field stands in."""
    return next(step for step, blocks in STEPS.items() if block in blocks)


def read_campaign(
    values: Mapping[str, Any], setting: Setting, now: datetime, *, targeting_id: UUID | None
) -> Submitted:
    """Return what a form's fields say, or what is wrong with them."""
    given = Values(values)
    errors: dict[str, str] = {}
    label = given.text("label")
    language = setting.language
    if label is None:
        errors["label"] = say(language, "label_missing")
    elif len(label) > LABEL_CHARS:
        errors["label"] = say(language, "label_long", count=len(label))
        label = label[:LABEL_CHARS]
    start_at, end_at = _dates(given, setting, now, errors)
    chosen: dict[str, Any] = {plan: given.one(block) for block, plan in ONE.items()}
    for block, plan in MANY.items():
        chosen[plan] = tuple(UUID(one) for one in given.many(block)) or None
    plan_made = CampaignPlan(
        label=label,
        start_at=start_at,
        end_at=end_at,
        zone=setting.zone.key,
        description=given.text("description"),
        remark=given.text("remark"),
        stock_quantity_per_letter=_per_letter(given, language, errors),
        **chosen | {"targeting_id": targeting_id},
    )
    return Submitted(plan_made, bool(given.many("proof_now")), errors)


def _dates(
    given: Values, setting: Setting, now: datetime, errors: dict[str, str]
) -> tuple[datetime | None, datetime | None]:
    language = setting.language
    day, clock, last = given.day("start_date"), given.clock("start_time"), given.day("end_date")
    if clock and not day:
        errors["start_date"] = say(language, "date_missing")
    start_at = formats.local_to_utc(day, clock or time(), setting.zone) if day else None
    end_at = formats.local_to_utc(last, LAST_MINUTE, setting.zone) if last else None
    if end_at is not None and end_at <= now:
        errors["end_date"] = say(language, "end_past")
    elif end_at is not None and start_at is not None and end_at <= start_at:
        errors["end_date"] = say(language, "end_before")
    return start_at.astimezone(UTC) if start_at else None, end_at


def _per_letter(given: Values, language: str, errors: dict[str, str]) -> int | None:
    """Return how many goods go into a letter; a number people can count on."""
    text = given.text("per_letter")
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PER_LETTER:
        errors["per_letter"] = say(language, "per_letter_wrong", most=MOST_PER_LETTER)
        return None
    return int(text)


def read_criteria(
    values: Mapping[str, Any], language: str
) -> tuple[tuple[Criterion, ...], dict[str, str]]:
    """Return the criteria a form says itself, and what is wrong with its target, by field."""
    given = Values(values)
    found, errors = [], {}
    for block, (name, operator) in CRITERIA.items():
        typed = (given.text(block) or "").replace(";", ",").split(",")
        words = tuple(word.strip() for word in typed if word.strip())
        if operator is Operator.STARTS_WITH and len(words) > 1:
            errors[block] = say(language, "one_only")
        elif words:
            shown = tuple(map(_CASES.get(block, str), words))
            found.append(Criterion(field=name, operator=operator, values=shown[:200]))
    if found and given.one("targeting"):
        errors["targeting"] = say(language, "either_target")
    return tuple(found), errors


_CASES: Final = {"country": str.upper, "language": str.lower}
"""How the directory writes codes that people write either way."""


def volumes(form: Form) -> Volumes:
    """Return what a form's campaign would use at most, as campaignMgt reckons it."""
    given, counts = Values(form.typed), form.counts
    if counts is None:
        return Volumes()
    has_message, has_models = given.one("template") is not None, bool(given.many("models"))
    by_letter = has_message and given.one("service") is not None
    return Volumes(
        emails=counts.reachable if has_message else 0,
        letters=counts.without_email if by_letter else 0,
        organisations=counts.organisations if has_models else 0,
        persons=counts.persons if has_models else 0,
    )


def cost_wanted(form: Form) -> EstimateCost | None:
    """Return what to ask of the budget chosen, once the target is counted."""
    given = Values(form.typed)
    budget_id = given.one("budget")
    if budget_id is None or form.counts is None:
        return None
    return EstimateCost(
        campaign_id=form.campaign_id,
        budget_id=budget_id,
        volumes=volumes(form),
        program_id=given.one("program"),
        draft=True,
    )


def goods_wanted(form: Form) -> EstimateStock | None:
    """Return what to ask of the stock line chosen, once the target is counted."""
    given = Values(form.typed)
    line_id = given.one("stock")
    if line_id is None or form.counts is None:
        return None
    errors: dict[str, str] = {}
    each = _per_letter(given, "en", errors) or 1
    quantity = volumes(form).letters * each
    return EstimateStock(campaign_id=form.campaign_id, line_id=line_id, quantity=quantity)


def typed_in(view: Json) -> Json:
    """Return the fields of a form that a view holds, as its state says them."""
    known = {block for blocks in STEPS.values() for block in blocks}
    return {name: value for name, value in view["state"]["values"].items() if name in known}
