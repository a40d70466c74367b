"""The bot's modals, and what is read from them when they come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

import orjson

from bot import formats
from bot.blocks import chooser, context, field, modal, option, section, text_input
from bot.cards import Setting, Target
from bot.choices import Choices
from bot.cutting import typed
from bot.limits import Json
from bot.store import BotStore
from bot.words import say
from topics.campaign import CampaignPlan
from topics.delivery import Decision

CAMPAIGN: Final = "campaign_new"
REASON: Final = "approval_reason"
LABEL_CHARS: Final = 200
LAST_MINUTE: Final = time(23, 59)
# Form field → kind of choice; the plan's field bears the name on the right.
ONE: Final = {
    "targeting": "targeting_id",
    "template": "template_id",
    "budget": "budget_id",
    "service": "supplier_service_id",
    "stock": "stock_line_id",
}
MANY: Final = {"models": "action_model_ids", "reviewers": "reviewer_ids"}
# The services name a plan's fields; the form has its own names for some.
BLOCK_OF: Final = {plan: block for block, plan in (ONE | MANY).items()} | {
    "label": "label",
    "start_at": "start_date",
    "end_at": "end_date",
    "description": "description",
    "remark": "remark",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """What a form starts from: texts and, by field, the options chosen."""

    label: str = ""
    description: str = ""
    options: Mapping[str, Sequence[Json]] = field_of(default_factory=dict)

    @classmethod
    async def of(cls, plan: CampaignPlan | None, store: BotStore, choices: Choices) -> Preset:
        """Return a plan's choices as options; what was removed since is left out."""
        if plan is None:
            return cls()
        options: dict[str, Sequence[Json]] = {}
        for block, name in (ONE | MANY).items():
            chosen = getattr(plan, name) or ()
            ids = chosen if isinstance(chosen, tuple) else (chosen,)
            if ids:
                options[block] = await _offered_now(block, ids, store, choices)
        return cls(plan.label or "", plan.description or "", options)


async def _offered_now(
    block: str, ids: tuple[UUID, ...], store: BotStore, choices: Choices
) -> list[Json]:
    if block == "reviewers":
        people = await store.people(map(str, ids))
        return offered((one.operator_id, one.name) for one in people.values())
    return offered((one.id, one.label) for one in await choices.named(block, ids))


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a campaign form came back with; ``errors`` by block when it cannot be saved."""

    plan: CampaignPlan
    proof_wished: bool
    errors: dict[str, str]


def campaign_modal(
    campaign_id: UUID, number: int | None, setting: Setting, preset: Preset | None = None
) -> Json:
    """Return the campaign form; its number stands in it once it is known."""
    start = preset or Preset()
    language = setting.language
    title = say(language, "new_campaign")
    note = say(language, "number_comes")
    if number is not None:
        title = say(language, "campaign_number", number=f"C-{number}")
        note = say(language, "number_is", number=f"C-{number}")
    return modal(
        CAMPAIGN,
        title,
        [
            context(note),
            *_when_and_what(setting, start),
            *_selects(language, start),
            *_texts(language, start),
        ],
        submit=say(language, "save"),
        close=say(language, "close"),
        metadata=str(campaign_id),
        external_id=form_id(campaign_id),
    )


def form_id(campaign_id: UUID) -> str:
    """Return the view's external id of a campaign form."""
    return f"campaign:{campaign_id}"


def _when_and_what(setting: Setting, start: Preset) -> list[Json]:
    language = setting.language
    picker = {"type": "datepicker"}
    return [
        field(
            "label",
            say(language, "label"),
            text_input(LABEL_CHARS, initial=start.label),
            optional=False,
        ),
        field(
            "start_date",
            say(language, "start_date"),
            picker,
            hint=say(language, "start_hint"),
        ),
        field(
            "start_time",
            say(language, "start_time", zone=setting.zone.key),
            {"type": "timepicker"},
        ),
        field("end_date", say(language, "end_date"), picker, hint=say(language, "end_hint")),
    ]


def _selects(language: str, start: Preset) -> list[Json]:
    placeholder = say(language, "choose")
    order = ("targeting", "template", "budget", "models", "service", "stock", "reviewers")
    return [
        field(
            name,
            say(language, name),
            chooser(placeholder, many=name in MANY, initial=start.options.get(name, ())),
        )
        for name in order
    ]


def _texts(language: str, start: Preset) -> list[Json]:
    wish = option(say(language, "proof_now_choice"), "yes")
    return [
        field(
            "description",
            say(language, "description"),
            text_input(3000, multiline=True, initial=start.description),
        ),
        field("remark", say(language, "remark"), text_input(3000, multiline=True)),
        field("proof_now", say(language, "proof_now"), {"type": "checkboxes", "options": [wish]}),
    ]


class Values:
    """A view's state, by field."""

    def __init__(self, values: Json) -> None:
        self._values = values

    def _of(self, name: str) -> Json:
        found: Json = (self._values.get(name) or {}).get(name) or {}
        return found

    def text(self, name: str) -> str | None:
        """Return what was typed, trimmed; ``None`` when that is nothing."""
        return (self._of(name).get("value") or "").strip() or None

    def day(self, name: str) -> date | None:
        """Return a date picked."""
        found = self._of(name).get("selected_date")
        return date.fromisoformat(found) if found else None

    def clock(self, name: str) -> time | None:
        """Return a time picked."""
        found = self._of(name).get("selected_time")
        return time.fromisoformat(found) if found else None

    def one(self, name: str) -> UUID | None:
        """Return the id chosen in a select."""
        found = self._of(name).get("selected_option")
        return UUID(found["value"]) if found else None

    def many(self, name: str) -> list[str]:
        """Return the values chosen in a multi-select or ticked."""
        return [one["value"] for one in self._of(name).get("selected_options") or ()]


def read_campaign(values: Json, setting: Setting, now: datetime) -> Submitted:
    """Return what a submitted campaign form says, or what is wrong with it, by block."""
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
        **chosen,
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


def offered(choices: Iterable[tuple[str, str]]) -> list[Json]:
    """Return a select's options from (id, label) pairs."""
    return [option(typed(label), value) for value, label in choices]


def reason_modal(
    target: Target, decision: Decision, channel: str, *, what: str, setting: Setting
) -> Json:
    """Return the modal that asks why changes are requested or the proof is rejected."""
    language = setting.language
    word = "reject" if decision is Decision.REJECT else "request_changes"
    metadata = orjson.dumps([str(target), decision.value, channel]).decode()
    return modal(
        REASON,
        say(language, word),
        [
            section(what),
            field(
                "reason",
                say(language, "reason"),
                text_input(2000, multiline=True),
                optional=False,
            ),
        ],
        submit=say(language, "send"),
        close=say(language, "close"),
        metadata=metadata,
    )


def read_reason(view: Json) -> tuple[Target, Decision, str, str | None]:
    """Return the target, decision, channel and reason of a submitted reason modal."""
    target, decision, channel = orjson.loads(view["private_metadata"])
    reason = Values(view["state"]["values"]).text("reason")
    return Target.read(target), Decision(decision), channel, reason
