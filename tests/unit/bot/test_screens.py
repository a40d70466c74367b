"""Every screen stays within Slack's limits, whatever people typed, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot import cards
from bot.cards import Beside, Setting
from bot.fields import offered
from bot.store import Beat
from bot.workflow_list import policy, trouble, workflow_list
from deploy.embedded.slack import check_blocks, check_view
from tests.unit.bot.samples import ENGLISH, FRENCH, NOW, a_workflow, an_approval
from tests.unit.bot.screens import SETTINGS, WILD, messages, views
from topics.content import ContentWarning
from topics.delivery import ApprovalOutcome
from topics.workflows import WorkflowStatus


@pytest.mark.parametrize("setting", SETTINGS, ids=["en", "fr"])
def test_every_message_is_one_slack_takes(setting: Setting) -> None:
    seen = 0
    for name, shown in messages(setting):
        assert check_blocks(shown["blocks"], "message") == [], name
        assert 0 < len(shown["text"]) <= 4000, name
        seen += 1
    assert seen > 60


@pytest.mark.parametrize("setting", SETTINGS, ids=["en", "fr"])
def test_every_view_is_one_slack_takes(setting: Setting) -> None:
    for name, view in views(setting):
        assert check_view(view) == [], name


def test_options_are_cut_to_what_slack_takes() -> None:
    option = offered([("i" * 36, WILD)])[0]
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
    ("silence", "late"), [(timedelta(seconds=19), False), (timedelta(seconds=21), True)]
)
def test_a_workflow_is_late_after_two_missed_heartbeats(silence: timedelta, late: bool) -> None:
    words = trouble(a_workflow(), Beat(NOW - silence, 10), ENGLISH, NOW)
    assert bool(words) is late


def test_an_unconditional_stop_asks_first_and_says_what_it_does() -> None:
    for setting, words in (
        (ENGLISH, ("undoes what it wrote", "would let the step finish")),
        (FRENCH, ("annule ce qu’elle a écrit", "la laisserait finir")),
    ):
        shown = workflow_list([a_workflow()], {}, setting, now=NOW, may_control=True)
        (found,) = [
            one
            for block in shown["blocks"]
            for one in block.get("elements", ())
            if one.get("action_id") == "workflow_stop_now"
        ]
        question = found["confirm"]["text"]["text"]
        assert all(word in question for word in words)


@pytest.mark.parametrize(
    ("setting", "first", "second"),
    [
        (ENGLISH, "Campaigns that wait for it: 3", "Waits for *budgetMgt*."),
        (FRENCH, "Campagnes qui l’attendent : 3", "Attend *budgetMgt*."),
    ],
)
def test_what_stands_still_comes_first_with_who_waits_for_it_and_a_start_button(
    setting: Setting, first: str, second: str
) -> None:
    states = [
        a_workflow("aMgt"),
        a_workflow("budgetMgt", status=WorkflowStatus.STOPPED),
        a_workflow("operationMgt"),
        a_workflow("zMgt", service="silent"),
    ]
    beats = {"campaign": Beat(NOW, 10), "silent": Beat(NOW - timedelta(seconds=21), 10)}
    shown = workflow_list(
        states, beats, setting, now=NOW, may_control=True, waiting={"budgetMgt": 3}
    )
    texts = [block["text"]["text"] for block in shown["blocks"] if block["type"] == "section"]
    order = [text.partition("*")[2].partition("*")[0] for text in texts]
    assert order == ["budgetMgt", "zMgt", "aMgt", "operationMgt"]
    assert first in texts[0]
    assert second in texts[3]
    buttons = next(block for block in shown["blocks"] if block["type"] == "actions")
    assert [one["action_id"] for one in buttons["elements"]] == ["workflow_start"]


def test_an_error_policy_is_shown_with_the_failures_so_far() -> None:
    def line(**changes: Any) -> str:
        return policy(a_workflow(**changes), "en")

    assert line(failures_ignored=0) == "Stops at the first failure."
    assert line(failures_ignored=3) == "Failures ignored in a row: up to 3."
    assert line(failures_ignored=3, failures=2) == "Failures in a row: 2; up to 3 are ignored."


def test_a_stopped_workflow_is_never_called_late() -> None:
    beat = Beat(NOW - timedelta(days=1), 10)
    stopped = a_workflow(status=WorkflowStatus.STOPPED)
    assert trouble(stopped, beat, ENGLISH, NOW) == ""
