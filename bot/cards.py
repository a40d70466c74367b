"""The proof card and what goes with it: pure, from states to what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from bot import formats
from bot.blocks import (
    actions,
    button,
    content,
    context,
    divider,
    facts,
    header,
    link,
    option,
    section,
    select,
    slack_image,
)
from bot.cutting import esc, typed
from bot.labels import outcome_name
from bot.limits import Json
from bot.store import Cost, Estimate, Person
from bot.teams import HOME, bare, team_of
from bot.words import in_language, say
from topics.budget import GoodsNeeded
from topics.delivery import ApprovalKind, ApprovalOutcome, ApprovalState, Decision
from topics.stock import StockLineState

SHOWN_REVIEWERS: Final = 12
SHOWN_WARNINGS: Final = 3
SHOWN_GOODS: Final = 5
SNOOZE: Final = "approval_snooze"
DELEGATE: Final = "approval_delegate"
SNOOZE_HOURS: Final = (1, 4, 24)
BUTTON_WORDS: Final[dict[Decision, tuple[str, str | None]]] = {
    Decision.APPROVE: ("approve", "primary"),
    Decision.REQUEST_CHANGES: ("request_changes", None),
    Decision.REJECT: ("reject", "danger"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How things are shown: language, zone, where the pages are, in which workspace."""

    language: str
    zone: ZoneInfo
    public_url: str
    team: str = HOME


@dataclass(frozen=True, slots=True)
class Beside:
    """What a card says beside its approval.

    ``picture`` is Slack's file of what the message looks like, ``approved`` what was last approved
    of the campaign, ``stock`` the lines that its cost types take of.
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    estimate: Estimate | None = None
    stock_alert: str = ""
    picture: str | None = None
    approved: ApprovalState | None = None
    approved_cost: Cost | None = None
    stock: Mapping[UUID, StockLineState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What a button of a card stands for: this revision of this approval."""

    approval_id: UUID
    campaign_id: UUID
    revision: int

    def __str__(self) -> str:
        return f"{self.approval_id}/{self.campaign_id}/{self.revision}"

    @classmethod
    def read(cls, value: str) -> Target:
        """Return the target of a button's value.

        Raises:
            ValueError: it is no value of ours.
        """
        approval_id, campaign_id, revision = value.split("/")
        return cls(UUID(approval_id), UUID(campaign_id), int(revision))


def campaign_name(number: int, label: str) -> str:
    """Return a campaign as sentences name it (mrkdwn)."""
    return f"*C-{number}* {esc(label)}"


def mention(who: str, people: Mapping[str, Person], setting: Setting) -> str:
    """Return somebody as mrkdwn: a mention when they are in that workspace, else their name."""
    language = setting.language
    if who.startswith("system:"):
        return say(language, "the_product")
    person = people.get(who)
    if person is None:
        return esc(who, 80)
    if person.has_left:
        return say(language, "has_left", name=esc(person.name, 80))
    account = person.slack_user_id
    is_here = account and team_of(account) == setting.team
    return f"<@{bare(account)}>" if account and is_here else esc(person.name, 80)


_TITLES: Final = {
    ApprovalKind.PROOF: "card_proof",
    ApprovalKind.TARGET: "card_target",
    ApprovalKind.EXTRACTION_FILE: "card_file",
    ApprovalKind.ROUTER_PROOF: "card_router_proof",
    ApprovalKind.EXTERNAL_CONTENT: "card_external",
    ApprovalKind.START: "card_start",
}


def approval_title(state: ApprovalState, language: str) -> str:
    """Return a card's title (plain text)."""
    return say(
        language,
        _TITLES[state.kind],
        proof=state.proof_number or 1,
        number=f"C-{state.campaign_number}",
        label=typed(state.campaign_label),
    )


def approval_card(state: ApprovalState, beside: Beside, setting: Setting) -> Json:
    """Return the card of an approval: with buttons while it is open, else with its end."""
    title = approval_title(state, setting.language)
    is_open = state.outcome is ApprovalOutcome.PENDING
    end = [] if is_open else [section(end_line(state, beside, setting))]
    if state.reason and not is_open:
        label = say(setting.language, "reason")
        end.append(section(f"*{label}*: {esc(state.reason, 2000)}"))
    blocks = [header(title), *end, facts(_facts(state, beside, setting))]
    if state.subject:
        named = "file" if state.file_id else "subject"
        label = say(setting.language, named)
        blocks.append(context(f"{label}: {esc(state.subject)}"))
    if state.warnings and is_open:
        blocks.append(_warnings(state, setting.language))
    if is_open:
        blocks += _changes(state, beside, setting)
    if beside.picture and team_of(beside.picture) == setting.team:
        alt = say(setting.language, "picture_of", subject=typed(state.subject))
        blocks.append(slack_image(bare(beside.picture), alt))
    if is_open:
        blocks += [_reviewers(state, beside, setting), divider()]
    buttons = _buttons(state, setting, is_open=is_open)
    if buttons:
        blocks.append(actions(f"approval:{state.approval_id}", buttons))
    summary = esc(title) if is_open else f"{esc(title)}: {_end_name(state, setting)}"
    return content(summary, blocks)


def _facts(state: ApprovalState, beside: Beside, setting: Setting) -> list[tuple[str, str]]:
    language = setting.language
    hash_shown = state.content_hash and f"`{formats.short_hash(state.content_hash)}`"
    found = [
        (say(language, "asked_by"), mention(state.requested_by, beside.people, setting)),
        (say(language, "count"), formats.count(state.count, language)),
        (say(language, "deadline"), formats.moment(state.deadline_at, setting.zone, language)),
        (say(language, "content"), hash_shown or say(language, "no_content")),
        (say(language, "snapshot"), f"`{formats.short_hash(state.snapshot_hash)}`"),
    ]
    if state.send_doubles:
        found.append((say(language, "doubles"), say(language, "doubles_sent")))
    if beside.estimate:
        found.append((say(language, "cost"), _cost_then(beside.estimate, setting)))
        goods = beside.estimate.goods
        lines = [_goods_line(one, state, beside, language) for one in goods[:SHOWN_GOODS]]
        lines += [f"+{len(goods) - SHOWN_GOODS}"] if len(goods) > SHOWN_GOODS else []
        if lines:
            found.append((say(language, "stock_needed"), "\n".join(lines)))
    if beside.stock_alert:
        found.append((say(language, "stock_warning"), f":warning: {esc(beside.stock_alert)}"))
    return found


def _warnings(state: ApprovalState, language: str) -> Json:
    """Return what to look at in the content: how much, and the first of it."""
    count = len(state.warnings)
    title = say(language, "warnings", count=count)
    lines = [f":warning: *{title}*"]
    lines += [
        f"• {esc(in_language(language, (one.text, one.text_fr)))}"
        for one in state.warnings[:SHOWN_WARNINGS]
    ]
    if count > SHOWN_WARNINGS:
        lines.append(say(language, "more_warnings", count=count - SHOWN_WARNINGS))
    return section("\n".join(lines))


def _changes(state: ApprovalState, beside: Beside, setting: Setting) -> list[Json]:
    """Return what differs from what was last approved; nothing where nothing was."""
    before, language = beside.approved, setting.language
    if before is None or (before.approval_id, before.revision) == (
        state.approval_id,
        state.revision,
    ):
        return []
    found = []
    if before.subject != state.subject:
        old, new = esc(before.subject), esc(state.subject)
        found.append(say(language, "changed_subject", old=old, new=new))
    if before.count != state.count:
        old, new = formats.count(before.count, language), formats.count(state.count, language)
        found.append(say(language, "changed_count", old=old, new=new))
    if before.content_hash != state.content_hash:
        found.append(say(language, "changed_content"))
    if before.snapshot_hash != state.snapshot_hash:
        found.append(say(language, "changed_target"))
    cost, cost_before = beside.estimate, beside.approved_cost
    if cost and cost_before and cost.amount_minor != cost_before.amount_minor:
        old = formats.money(cost_before.amount_minor, cost_before.currency, language)
        new = formats.money(cost.amount_minor, cost.currency, language)
        found.append(say(language, "changed_cost", old=old, new=new))
    if before.send_doubles != state.send_doubles:
        found.append(say(language, "changed_doubles"))
    lines = found or [say(language, "changed_nothing")]
    title = say(language, "changed_since", at=_at(before.decided_at, setting))
    return [section("\n".join([f"*{title}*", *(f"• {line}" for line in lines)]))]


def cost_line(estimate: Estimate, language: str) -> str:
    """Return what a campaign would cost, with a warning when the budget lacks it."""
    over = estimate.amount_minor > estimate.left_minor
    line = say(
        language,
        "cost_over" if over else "cost_line",
        amount=formats.money(estimate.amount_minor, estimate.currency, language),
        left=formats.money(estimate.left_minor, estimate.currency, language),
    )
    return f":warning: {line}" if over else line


def _cost_then(estimate: Estimate, setting: Setting) -> str:
    """Return what was estimated, and when: what is left changes with other campaigns' costs."""
    line = cost_line(estimate, setting.language)
    if estimate.at is None:
        return line
    at = formats.moment(estimate.at, setting.zone, setting.language)
    when = say(setting.language, "estimated_at", at=at)
    return f"{line} ({when})"


def _goods_line(need: GoodsNeeded, state: ApprovalState, beside: Beside, language: str) -> str:
    """Return what a campaign takes of a line; once its goods are held, no shortage is its own."""
    line = beside.stock.get(need.line_id)
    asked = formats.count(need.quantity, language)
    if line is None:
        return say(language, "goods_of_unknown", asked=asked)
    free = line.in_stock - line.reserved
    said = say(
        language,
        "goods_of",
        asked=asked,
        label=esc(line.label, 80),
        free=formats.count(free, language),
    )
    short = state.file_id is None and state.outcome is ApprovalOutcome.PENDING
    return f":warning: {said}" if short and need.quantity > free else said


def reviewer_names(state: ApprovalState, beside: Beside, setting: Setting, *, but: str = "") -> str:
    """Return who may answer, without one of them."""
    language = setting.language
    if not state.reviewer_ids:
        return say(language, "anyone")
    ids = [str(one) for one in state.reviewer_ids if str(one) != but]
    names = [mention(one, beside.people, setting) for one in ids[:SHOWN_REVIEWERS]]
    more = [f"+{len(ids) - SHOWN_REVIEWERS}"] if len(ids) > SHOWN_REVIEWERS else []
    return ", ".join(names + more) or say(language, "nobody")


def _reviewers(state: ApprovalState, beside: Beside, setting: Setting) -> Json:
    names = reviewer_names(state, beside, setting)
    return context(say(setting.language, "reviewers_are", names=names))


def _buttons(state: ApprovalState, setting: Setting, *, is_open: bool) -> list[Json]:
    target = str(Target(state.approval_id, state.campaign_id, state.revision))
    found = []
    if is_open:
        for decision, (word, style) in BUTTON_WORDS.items():
            text = say(setting.language, word)
            found.append(button(text, decision.value, target, style=style))
        found += [
            button(say(setting.language, "delegate"), DELEGATE, str(state.approval_id)),
            _snooze(state, setting.language),
        ]
    if state.proof_path:
        url = f"{setting.public_url.rstrip('/')}/{state.proof_path.lstrip('/')}"
        of_file = state.kind is ApprovalKind.EXTRACTION_FILE
        word = say(setting.language, "see_file" if of_file else "see_proof")
        found.append(link(word, "see_proof", url))
        if state.has_letter:
            found.append(link(say(setting.language, "see_letter"), "see_letter", f"{url}/letter"))
    return found


def _snooze(state: ApprovalState, language: str) -> Json:
    choices = [
        option(say(language, f"snooze_{hours}"), f"{state.approval_id} {hours}")
        for hours in SNOOZE_HOURS
    ]
    return select(SNOOZE, say(language, "snooze"), choices)


def _end_name(state: ApprovalState, setting: Setting) -> str:
    return outcome_name(setting.language, state.outcome).capitalize()


def _at(at: datetime | None, setting: Setting) -> str:
    return formats.moment(at, setting.zone, setting.language) if at else "–"


def end_line(state: ApprovalState, beside: Beside, setting: Setting) -> str:
    """Return how an approval ended: one of five ends, each told as what it is."""
    language = setting.language
    by = mention(state.decided_by or "system:muster", beside.people, setting)
    if state.outcome is ApprovalOutcome.EXPIRED:
        return say(language, "expired_line", at=_at(state.deadline_at, setting))
    if state.outcome is ApprovalOutcome.WITHDRAWN:
        return say(language, "withdrawn_line", by=by, at=_at(state.decided_at, setting))
    return say(
        language,
        "decided_line",
        outcome=_end_name(state, setting),
        by=by,
        at=_at(state.decided_at, setting),
    )


def already_decided(
    *,
    what: str,
    outcome: ApprovalOutcome,
    by: str | None,
    at: datetime | None,
    people: Mapping[str, Person],
    setting: Setting,
) -> str:
    """Return what a late click is told: who decided, how and when."""
    language = setting.language
    named = outcome_name(language, outcome)
    when = _at(at, setting)
    if outcome is ApprovalOutcome.EXPIRED or not by:
        return say(language, "already_ended", what=what, outcome=named, at=when)
    who = mention(by, people, setting)
    return say(language, "already", what=what, outcome=named, by=who, at=when)


def late_click(state: ApprovalState, people: Mapping[str, Person], setting: Setting) -> str:
    """Return what a click on a decided card is told."""
    return already_decided(
        what=campaign_name(state.campaign_number, state.campaign_label),
        outcome=state.outcome,
        by=state.decided_by,
        at=state.decided_at or state.deadline_at,
        people=people,
        setting=setting,
    )
