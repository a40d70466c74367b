"""Every screen of the bot, made of what people typed, for the tests that look at them all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from bot import cards, lists, modals
from bot.cards import Beside, Setting, Target
from bot.limits import Json
from bot.store import Beat, Estimate, Page, Person
from tests.unit.bot.samples import (
    ENGLISH,
    FRENCH,
    NOW,
    PEOPLE,
    a_campaign,
    a_workflow,
    an_approval,
    sums,
)
from topics.campaign import CampaignStatus
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision
from topics.workflows import WorkflowStatus

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
    beside = Beside(people(words), Estimate(10**12, 5, "EUR"), words)
    for outcome in ApprovalOutcome:
        for kind in ApprovalKind:
            state = an_approval(
                campaign_label=words,
                subject=words,
                reason=words,
                outcome=outcome,
                kind=kind,
                content_hash=None if kind is ApprovalKind.TARGET else "c" * 64,
                reviewer_ids=tuple(uuid4() for _ in range(50)),
                decided_by="outsider",
                decided_at=NOW,
            )
            yield f"card {outcome} {kind}", cards.approval_card(state, beside, setting)
            yield (
                f"reminder {outcome} {kind}",
                cards.reminder(
                    state,
                    number=3,
                    deadline_at=NOW + timedelta(days=1),
                    now=NOW,
                    beside=beside,
                    setting=setting,
                    to="x",
                ),
            )
    found = campaigns(words)
    yield "list", lists.campaign_list(Page(found, newer=True, older=True), setting)
    yield "empty list", lists.campaign_list(Page([], newer=False, older=False), setting)
    for state in found:
        yield (
            f"status {state.status}",
            lists.campaign_status(state, people(words), setting, now=NOW),
        )
        yield f"waits {state.status}", lists.waits(state, setting.language)
        yield f"no more {state.status}", lists.waits_no_more(state, words, setting.language)
        yield f"finished {state.status}", lists.finished(state, setting.language)
    beats = {"campaign": Beat(NOW - timedelta(days=1), 10)}
    for start in (0, lists.WORKFLOWS_A_PAGE):
        yield (
            f"workflows from {start}",
            lists.workflow_list(
                workflows(words), beats, setting, now=NOW, may_control=True, start=start
            ),
        )
    yield "no workflows", lists.workflow_list([], {}, setting, now=NOW, may_control=True)


def views(setting: Setting, words: str = WILD) -> Iterator[tuple[str, Json]]:
    """Yield every modal and Home view the bot can show, by name."""
    target = Target(uuid4(), uuid4(), 7)
    yield "new form", modals.campaign_modal(uuid4(), None, setting)
    yield "numbered form", modals.campaign_modal(uuid4(), 999_999_999, setting)
    for decision in (Decision.REJECT, Decision.REQUEST_CHANGES):
        yield (
            f"reason to {decision}",
            modals.reason_modal(
                target, decision, "C" * 20, what=cards.campaign_name(7, words), setting=setting
            ),
        )
