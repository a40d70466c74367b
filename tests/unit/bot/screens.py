"""Every screen of the bot, made of what people typed, for the tests that look at them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from bot import cards, dates, level_cards, lists, modals, notices, stock_alerts, troubles
from bot.approval_list import approval_list
from bot.asked import CampaignFilter
from bot.cards import Beside, Setting, Target
from bot.course_cards import delegate_modal, delegated, escalated
from bot.cutting import clip, esc
from bot.fields import offered, state_of_choice, state_of_text
from bot.figures import budget_list, stock_list
from bot.form_reading import CRITERIA, MANY, ONE, STEPS
from bot.form_store import Counted
from bot.fund_cards import funds_card, refuse_modal
from bot.fund_store import Funds, FundsOutcome
from bot.home import home_view, stranger_home
from bot.limits import Json
from bot.linking import link_modal
from bot.order_buttons import date_buttons, missed_buttons, order_buttons
from bot.outside import event_list
from bot.reading import PAGE, ApprovalPage, Listed, Overview, Page, Which
from bot.steps import step_view, unsaved
from bot.stopping import launch_asked, stop_modal
from bot.store import Beat, Cost, Estimate, Person
from bot.words import say
from bot.workflow_list import WORKFLOWS_A_PAGE, workflow_list
from tests.unit.bot import level_samples
from tests.unit.bot.samples import (
    ENGLISH,
    FRENCH,
    NOW,
    PEOPLE,
    a_budget,
    a_campaign,
    a_cost,
    a_form,
    a_stock_line,
    a_workflow,
    an_approval,
    some_goods,
    sums,
)
from topics.budget import GoodsNeeded
from topics.campaign import CampaignStatus
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision
from topics.events import EventsFound, EventStatus, FoundChange, FoundEvent
from topics.funds import FundsAwaitApproval
from topics.levels import Grade, Indicator
from topics.message import Actor, Via, system_actor
from topics.schedules import OccurrenceCreated, StartMissed
from topics.stock import StockAlertCleared, StockAlertRaised
from topics.targeting import TargetCounts
from topics.workflows import Trouble, TroubleCleared, TroubleRaised, WorkflowStatus

WILD = "<!channel> & <@U0NOBODY001> *é* `x` _y_ " * 60
SETTINGS = (ENGLISH, FRENCH)


def people(words: str) -> dict[str, Person]:
    """Return three people in Slack, and one who is only a name."""
    outsider = Person("outsider", words, None, "en")
    return {
        **{str(UUID(int=i)): one for i, one in enumerate(PEOPLE.values())},
        "outsider": outsider,
    }


def campaigns(words: str) -> list[Any]:
    """Return a campaign in each state."""
    full = sums(
        targeted=9,
        messages_targeted=9,
        messages_sent=9,
        actions_generated=3,
        actions_waiting=3,
        deals_generated=1,
        dossier_items=2,
        extracted=4,
    )
    return [
        a_campaign(
            2000 + i,
            label=words,
            status=status,
            synthesis=full,
            waiting_for=words,
            waiting_workflow="w" * 100,
        )
        for i, status in enumerate(CampaignStatus)
    ]


def workflows(words: str) -> list[Any]:
    """Return more workflows than a page holds."""
    return [
        a_workflow(f"{'w' * 95}{i}", status=status, label=words, label_fr=words, error=words)
        for i, status in enumerate(list(WorkflowStatus) * 5)
    ]


def messages(setting: Setting, words: str = WILD) -> Iterator[tuple[str, Json]]:
    """Yield every message the bot can show, by name."""
    beside = _beside(words)
    for outcome in ApprovalOutcome:
        for kind in ApprovalKind:
            yield from _approval(setting, words, beside, outcome, kind)
    yield from _listed(setting, words)
    for state in campaigns(words):
        yield from _campaign(setting, words, state, beside.estimate)
    yield from _workflows(setting, words)
    left = {key: replace(one, has_left=True) for key, one in people(words).items()}
    yield "nobody left", notices.nobody_left(an_approval(), Beside(left), setting)
    line = say(setting.language, "refused", what="C-7", reason=esc(words, 1000))
    yield "unsaved", unsaved(uuid4(), line, "program_id", setting.language)
    yield from _dates(setting, words)
    yield from _means(setting, words)
    yield from _other_lists(setting, words)
    yield from _outside(setting, words)
    yield from _levels(setting, words)


def _beside(words: str) -> Beside:
    """Return what stands beside the longest card there is."""
    before = an_approval(subject="Before", count=7, content_hash="old", decided_at=NOW)
    lines = [a_stock_line(line_id=UUID(int=number), label=words[:200]) for number in range(9)]
    goods = tuple(GoodsNeeded(line_id=UUID(int=number), quantity=10**8) for number in range(1, 10))
    estimate = Estimate(10**12, 5, "EUR", NOW, goods)
    stock = {line.line_id: line for line in lines}
    return Beside(people(words), estimate, words, "F0123456789", before, Cost(5, "EUR"), stock)


def _approval(
    setting: Setting, words: str, beside: Beside, outcome: ApprovalOutcome, kind: ApprovalKind
) -> Iterator[tuple[str, Json]]:
    state = an_approval(
        campaign_label=words,
        subject=words,
        reason=words,
        outcome=outcome,
        kind=kind,
        has_letter=True,
        content_hash=None if kind is ApprovalKind.TARGET else "c" * 64,
        reviewer_ids=tuple(uuid4() for _ in range(50)),
        decided_by="outsider",
        decided_at=NOW,
        warnings=[ContentWarning(code="c", text=words[:500], text_fr=words[:500])] * 9,
    )
    for added in ([], list(beside.people) * 5):
        yield (
            f"escalated {kind} {len(added)}",
            escalated(state, added, NOW, beside.people, setting),
        )
    yield (
        f"delegated {kind}",
        delegated(state, "outsider", "stranger", words, beside.people, setting),
    )
    yield f"card {outcome} {kind}", cards.approval_card(state, beside, setting)
    yield (
        f"reminder {outcome} {kind}",
        notices.reminder(
            state,
            number=3,
            deadline_at=NOW + timedelta(days=1),
            now=NOW,
            beside=beside,
            setting=setting,
            to="x",
        ),
    )


def _listed(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    found = campaigns(words)
    yield "list", lists.campaign_list(Page(found, newer=True, older=True), setting)
    filtered = CampaignFilter(mine=True, status=CampaignStatus.RUNNING, words=clip(words, 60))
    yield "filtered", lists.campaign_list(Page(found, True, True, filtered), setting)
    yield "none like that", lists.campaign_list(Page([], False, False, filtered), setting)
    yield "empty list", lists.campaign_list(Page([], newer=False, older=False), setting)


def _campaign(
    setting: Setting, words: str, state: Any, estimate: Estimate | None
) -> Iterator[tuple[str, Json]]:
    yield (
        f"status {state.status}",
        lists.campaign_status(state, people(words), setting, now=NOW),
    )
    orders = order_buttons(state, setting, may_manage=True, estimate=estimate)
    shown = lists.campaign_status(state, {}, setting, now=NOW, buttons=orders)
    yield f"orders {state.status}", shown
    shown = lists.live_status(state, people(words), setting, now=NOW)
    yield f"live {state.status}", shown
    yield f"waits {state.status}", lists.waits(state, setting.language)
    yield f"no more {state.status}", lists.waits_no_more(state, words, setting.language)
    yield f"finished {state.status}", lists.finished(state, setting.language)
    date = dates.date_card(state, setting, date_buttons(state, setting))
    yield f"date {state.status}", date
    asked = launch_asked(state, setting, estimate)
    yield f"launch {state.status}", asked
    yield f"answered {state.status}", dates.answered(state, setting)
    late = state.model_copy(update={"missed": True})
    orders = order_buttons(late, setting, may_manage=True)
    shown = lists.campaign_status(late, {}, setting, now=NOW, buttons=orders)
    yield f"missed {state.status}", shown


def _workflows(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    beats = {"campaign": Beat(NOW - timedelta(days=1), 10)}
    for start in (0, WORKFLOWS_A_PAGE):
        yield (
            f"workflows from {start}",
            workflow_list(workflows(words), beats, setting, now=NOW, may_control=True, start=start),
        )
    yield "no workflows", workflow_list([], {}, setting, now=NOW, may_control=True)


def _outside(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    """Yield outside events, one of each status, in the pages that are answered."""
    found = [an_event(status, words) for status in EventStatus]
    for place in range(0, len(found), 5):
        shown = EventsFound(
            search_id=uuid4(),
            actor=system_actor("bot"),
            events=tuple(found[place : place + 5]),
            more=True,
        )
        yield f"outside events from {place}", event_list(shown, setting)
    purged = an_event(EventStatus.SENT, words).model_copy(update={"archived": True})
    left = EventsFound(search_id=uuid4(), actor=system_actor("bot"), events=(purged,))
    yield "an archived outside event", event_list(left, setting)
    none = EventsFound(search_id=uuid4(), actor=system_actor("bot"), events=())
    yield "no outside events", event_list(none, setting)


def _levels(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    """Yield the service-level card, and what is told of each crossing."""
    told = level_samples.told(kind=words[:200] or "-")
    yield "levels", level_cards.level_card(told, setting)
    late = told.model_copy(update={"is_late": True, "thresholds": ()})
    yield "levels late", level_cards.level_card(late, setting)
    nothing = told.model_copy(update={"as_of": None})
    yield "levels unknown", level_cards.level_card(nothing, setting)
    for indicator in Indicator:
        for after, value in ((Grade.ALERT, 1234.5), (Grade.NORMAL, None)):
            event = level_samples.a_crossing(
                indicator=indicator,
                channel="email",
                event_type=words[:200] or "-",
                before=Grade.WARNING,
                after=after,
                value=value,
            )
            yield f"{indicator} {after}", level_cards.crossed(event, setting)
            yield f"{indicator} over {after}", level_cards.over(event, setting)


def an_event(status: EventStatus, words: str) -> FoundEvent:
    """Return an outside event with a long history."""
    change = FoundChange(status=status, reason=words, at=NOW)
    return FoundEvent(
        event_id=uuid4(),
        event_type=words[:200] or "-",
        queue="realtime",
        status=status,
        external_id=words[:200],
        received_at=NOW,
        history=(change,) * 10,
        errors=9_999,
        next_try_at=NOW if status is EventStatus.PENDING else None,
        recycles_to=("email", "sms", words[:40] or "-"),
    )


def _dates(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    """Yield what is told of a campaign's dates before the campaign itself is known."""
    made = OccurrenceCreated(
        campaign_id=uuid4(),
        occurrence_id=uuid4(),
        number=2,
        label=words[:200],
        local_at="2026-12-01T09:00",
        zone="Europe/Paris",
        starts_at=NOW,
    )
    yield "date made", dates.made(made, setting)
    late = StartMissed(campaign_id=uuid4(), number=999_999_999, label=words[:200], start_at=NOW)
    buttons = missed_buttons(late.campaign_id, late.number, setting)
    yield "start missed", dates.missed(late, setting, setting.zone, buttons)


def some_funds(words: str, outcome: FundsOutcome = FundsOutcome.PENDING) -> Funds:
    """Return a budget approval, open or with an end."""
    asked = FundsAwaitApproval(
        campaign_id=uuid4(),
        campaign_number=999_999_999,
        campaign_label=clip(words, 200),
        hold_id=uuid4(),
        budget_id=uuid4(),
        budget_label=clip(words, 200),
        amount_minor=123_456_789,
        left_minor=-5,
        over_minor=5,
        currency="EUR",
        requested_by=Actor(id="outsider", via=Via.SLACK),
    )
    if outcome is FundsOutcome.PENDING:
        return Funds(asked, NOW)
    by = "outsider" if outcome is not FundsOutcome.GIVEN_BACK else ""
    return Funds(asked, NOW, outcome, decided_by=by, reason=words[:1000], ended_at=NOW)


def _means(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    """Yield what is said of money and goods."""
    for outcome in FundsOutcome:
        shown = funds_card(some_funds(words, outcome), people(words), setting)
        yield f"funds {outcome}", shown
    line: dict[str, Any] = {"line_id": uuid4(), "label": words[:200], "crossing": 3}
    low = StockAlertRaised(**line, in_stock=4, alert_level=5, stock=words[:200], on_order=90)
    yield "stock low", stock_alerts.raised(low, setting)
    back = StockAlertCleared(**line, in_stock=94)
    for trouble in Trouble:
        name = "w" * 100
        wrong = TroubleRaised(
            name=name, trouble=trouble, names=(name,) * 20, since=NOW, error=words[:2000]
        )
        yield f"trouble {trouble}", troubles.raised(wrong, setting)
        over = TroubleCleared(name=name, trouble=trouble, since=NOW)
        yield f"trouble {trouble} over", troubles.cleared(over, setting)
    yield "stock back", stock_alerts.cleared(back, setting)


def _other_lists(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    long = words[:500] or "-"
    states = [
        an_approval(campaign_label=long, kind=kind, requested_by="outsider", deadline_at=at)
        for kind in ApprovalKind
        for at in (NOW - timedelta(days=1), NOW + timedelta(days=1)) * 3
    ][:10]
    for which in Which:
        page = ApprovalPage(which, states, 10, more=True)
        funds = [some_funds(words).asked] * PAGE
        shown = approval_list(page, people(words), setting, now=NOW, funds=funds)
        yield f"approvals {which}", shown
        empty = ApprovalPage(which, [], 0, more=False)
        yield f"no approvals {which}", approval_list(empty, {}, setting, now=NOW)
    budgets = [a_budget(label=long, left_minor=left) for left in (-5, 0, 10**14)] * 3
    stock = [a_stock_line(label=long, stock=long, alert=alert) for alert in (True, False)] * 5
    yield "budgets", budget_list(Listed(budgets, 10, True, words), setting)
    yield "stock", stock_list(Listed(stock, 10, True, words), setting)
    for word in ("", words):
        yield f"no budgets {bool(word)}", budget_list(Listed([], 0, False, word), setting)
        yield f"no stock {bool(word)}", stock_list(Listed([], 0, False, word), setting)


def overview(words: str) -> Overview:
    """Return the fullest Home tab."""
    long = words[:500] or "-"
    states = [an_approval(campaign_label=long, requested_by="outsider")] * 10
    return Overview(
        campaigns(words)[:10],
        states,
        10_000,
        [a_campaign(3000, label=long, status=CampaignStatus.ERROR) for i in range(10)],
        [a_stock_line(label=long, stock=long, alert=True)] * 10,
        [a_budget(label=long, left_minor=0)] * 10,
        [some_funds(words).asked] * 10,
        workflows(words),
        {"campaign": Beat(NOW - timedelta(days=1), 10)},
    )


def _steps(setting: Setting, words: str) -> Iterator[tuple[str, Json]]:
    """Yield the steps of the campaign form: empty, filled, counted, estimated."""
    options = offered([(str(UUID(int=9)), words)])
    typed: Json = {}
    for block in (*ONE, *MANY):
        typed |= state_of_choice(block, options, many=block in MANY)
    for block in ("label", *CRITERIA, "per_letter", "description", "remark"):
        typed |= state_of_text(block, clip(words, 4 if block == "per_letter" else 200))
    full = replace(a_form(), number=999_999_999, typed=typed)
    counted = replace(full, counted=Counted(UUID(int=9), TargetCounts(reachable=10**9)))
    known = replace(counted, cost=a_cost(full.campaign_id), goods=some_goods(full.campaign_id))
    refused = replace(full, counted=Counted(UUID(int=9), None, words))
    for name, form in {
        "empty": a_form(),
        "full": full,
        "counted": counted,
        "known": known,
        "refused": refused,
    }.items():
        for step in STEPS:
            shown = step_view(replace(form, step=step), setting, notice=esc(words[:300]))
            yield f"step {step} {name}", shown


def views(setting: Setting, words: str = WILD) -> Iterator[tuple[str, Json]]:
    """Yield every modal and Home view the bot can show, by name."""
    target = Target(uuid4(), uuid4(), 7)
    yield from _steps(setting, words)
    seen = overview(words)
    known = people(words)
    yield "home", home_view(seen, known, setting, now=NOW, may_control=True)
    nothing = Overview([], [], 0, [], [], [], [], [], {})
    yield "empty home", home_view(nothing, {}, setting, now=NOW, may_control=False)
    yield "stranger", stranger_home(say(setting.language, "stranger"))
    yield "link", link_modal("U0NOBODY001", "C" * 20, setting)
    yield "delegate", delegate_modal(an_approval(campaign_label=words), "C" * 20, setting)
    yield "refuse funds", refuse_modal(some_funds(words), "C" * 20, setting)
    for state in campaigns(words):
        yield (
            f"stop {state.status}",
            stop_modal(
                state, 41, "C" * 20, setting, reason=words, estimate=Estimate(10**12, 5, "EUR")
            ),
        )
    for decision in (Decision.REJECT, Decision.REQUEST_CHANGES):
        yield (
            f"reason to {decision}",
            modals.reason_modal(
                target, decision, "C" * 20, what=cards.campaign_name(7, words), setting=setting
            ),
        )
