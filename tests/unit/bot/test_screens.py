"""Every screen stays within Slack's limits, whatever people typed, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bot import cards, lists, modals
from bot.blocks import Json
from bot.cards import Beside, Setting, Target
from bot.store import Beat, Estimate, Page
from deploy.embedded.slack import check_blocks, check_view
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
from topics.content import ContentWarning
from topics.delivery import ApprovalKind, ApprovalOutcome, Decision
from topics.workflows import WorkflowStatus

WILD = "<!channel> & <@U0MANAGER01> *é* `x` _y_ " * 60
SETTINGS = (ENGLISH, FRENCH)
MANY = {str(UUID(int=i)): one for i, one in enumerate(PEOPLE.values())}


def campaigns() -> list[Any]:
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
            label=WILD,
            status=status,
            synthesis=full,
            waiting_for=WILD,
            waiting_workflow="w" * 100,
        )
        for i, status in enumerate(CampaignStatus)
    ]


def workflows() -> list[Any]:
    return [
        a_workflow(f"{'w' * 95}{i}", status=status, label=WILD, label_fr=WILD, error=WILD)
        for i, status in enumerate(list(WorkflowStatus) * 5)
    ]


def messages(setting: Setting) -> Iterator[tuple[str, Json]]:
    """Yield every message the bot can show, by name."""
    beside = Beside(PEOPLE, Estimate(10**12, 5, "EUR"), WILD)
    for outcome in ApprovalOutcome:
        for kind in ApprovalKind:
            state = an_approval(
                campaign_label=WILD,
                subject=WILD,
                reason=WILD,
                outcome=outcome,
                kind=kind,
                content_hash=None if kind is ApprovalKind.TARGET else "c" * 64,
                reviewer_ids=tuple(uuid4() for _ in range(50)),
                decided_by="nobody we know",
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
    found = campaigns()
    yield "list", lists.campaign_list(Page(found, newer=True, older=True), setting)
    yield "empty list", lists.campaign_list(Page([], newer=False, older=False), setting)
    for state in found:
        yield f"status {state.status}", lists.campaign_status(state, MANY, setting, now=NOW)
        yield f"waits {state.status}", lists.waits(state, setting.language)
        yield f"no more {state.status}", lists.waits_no_more(state, WILD, setting.language)
        yield f"finished {state.status}", lists.finished(state, setting.language)
    beats = {"campaign": Beat(NOW - timedelta(days=1), 10)}
    for start in (0, lists.WORKFLOWS_A_PAGE):
        yield (
            f"workflows from {start}",
            lists.workflow_list(
                workflows(), beats, setting, now=NOW, may_control=True, start=start
            ),
        )
    yield "no workflows", lists.workflow_list([], {}, setting, now=NOW, may_control=True)


@pytest.mark.parametrize("setting", SETTINGS, ids=["en", "fr"])
def test_every_message_is_one_slack_takes(setting: Setting) -> None:
    seen = 0
    for name, shown in messages(setting):
        assert check_blocks(shown["blocks"], "message") == [], name
        assert 0 < len(shown["text"]) <= 4000, name
        seen += 1
    assert seen > 60


@pytest.mark.parametrize("setting", SETTINGS, ids=["en", "fr"])
def test_every_modal_is_one_slack_takes(setting: Setting) -> None:
    target = Target(uuid4(), uuid4(), 7)
    for view in (
        modals.campaign_modal(uuid4(), None, setting),
        modals.campaign_modal(uuid4(), 999_999_999, setting),
        modals.reason_modal(target, Decision.REJECT, "C" * 20, what=WILD, setting=setting),
        modals.reason_modal(target, Decision.REQUEST_CHANGES, "", what="x", setting=setting),
    ):
        assert check_view(view) == []


def test_options_are_cut_to_what_slack_takes() -> None:
    option = modals.offered([("i" * 36, WILD)])[0]
    assert len(option["text"]["text"]) == 75
    assert option["text"]["text"].endswith("…")


def _marked(shown: Any) -> Iterator[str]:
    """Yield every mrkdwn text in a message."""
    if isinstance(shown, list):
        for one in shown:
            yield from _marked(one)
    if isinstance(shown, dict):
        if shown.get("type") == "mrkdwn":
            yield shown["text"]
        for value in shown.values():
            yield from _marked(value)


def test_nobody_can_mention_a_channel_through_a_label() -> None:
    for name, shown in messages(ENGLISH):
        for text in [shown["text"], *_marked(shown["blocks"])]:
            assert "<!" not in text, name


def test_the_form_keeps_its_fields_when_its_number_comes() -> None:
    campaign_id = uuid4()
    before = modals.campaign_modal(campaign_id, None, ENGLISH)
    after = modals.campaign_modal(campaign_id, 1042, ENGLISH)
    assert before["external_id"] == after["external_id"]
    assert before["blocks"][1:] == after["blocks"][1:]
    assert before["blocks"][0] != after["blocks"][0]


def test_a_card_says_so_where_doubles_are_sent_to() -> None:
    said = {
        setting.language: str(
            cards.approval_card(an_approval(send_doubles=True), Beside(), setting)["blocks"]
        )
        for setting in SETTINGS
    }
    assert "contacts that share an address each get their message" in said["en"]
    assert "qui partagent une adresse reçoivent chacun leur message" in said["fr"]
    usual = cards.approval_card(an_approval(), Beside(), ENGLISH)
    assert "Doubles" not in str(usual["blocks"])


def test_an_open_card_shows_how_much_there_is_to_look_at_and_the_first_of_it() -> None:
    noticed = tuple(
        ContentWarning(code=f"c{n}", text=f"Look at <{n}>.", text_fr=f"Regardez <{n}>.")
        for n in range(5)
    )
    english, french = (
        str(cards.approval_card(an_approval(warnings=noticed), Beside(), setting)["blocks"])
        for setting in SETTINGS
    )
    assert "To look at in the message: 5" in english
    assert "Look at &lt;2&gt;." in english
    assert "Look at &lt;3&gt;." not in english
    assert "… and 2 more" in english
    assert "Regardez &lt;0&gt;." in french
    assert "… et 2 de plus" in french
    ended = an_approval(warnings=noticed, outcome=ApprovalOutcome.APPROVED, decided_at=NOW)
    assert "To look at" not in str(cards.approval_card(ended, Beside(), ENGLISH)["blocks"])


def test_the_five_ends_read_differently() -> None:
    ends = [one for one in ApprovalOutcome if one is not ApprovalOutcome.PENDING]
    lines = {
        cards.end_line(an_approval(outcome=end, decided_at=NOW), Beside(), ENGLISH).split("*")[1]
        for end in ends
    }
    assert lines == {"Approved", "Changes requested", "Rejected", "Expired", "Withdrawn"}


@pytest.mark.parametrize(
    ("silence", "late"), [(timedelta(seconds=29), False), (timedelta(seconds=31), True)]
)
def test_a_workflow_is_late_after_three_missed_heartbeats(silence: timedelta, late: bool) -> None:
    words = lists.trouble(a_workflow(), Beat(NOW - silence, 10), ENGLISH, NOW)
    assert bool(words) is late


def test_a_stopped_workflow_is_never_called_late() -> None:
    beat = Beat(NOW - timedelta(days=1), 10)
    stopped = a_workflow(status=WorkflowStatus.STOPPED)
    assert lists.trouble(stopped, beat, ENGLISH, NOW) == ""
