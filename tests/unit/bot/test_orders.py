"""What lists are asked for, and what stopping, pausing and launching say before they are done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.asked import CampaignFilter, Turn
from bot.cutting import size
from bot.dates import standing
from bot.figures import budget_lines, read_turn, stock_lines, turn_value
from bot.limits import OPTION_VALUE_CHARS, VALUE_CHARS
from bot.lists import finished
from bot.order_buttons import _OFFERED, date_buttons, missed_buttons, offered, order_buttons
from bot.orders import ORDERS, OTHER_NAMES, VERBS, late_order
from bot.stopping import launch_asked, launch_question, pause_effect, stop_effect
from bot.store import Estimate
from services.campaign.domain.campaigns import ALLOWED
from tests.unit.bot import samples
from topics.campaign import CampaignStatus
from topics.schedules import CampaignKind

RUNNING = CampaignStatus.RUNNING


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", CampaignFilter()),
        ("mine", CampaignFilter(mine=True)),
        ("Miennes terminée", CampaignFilter(mine=True, status=CampaignStatus.FINISHED)),
        ("ready to run", CampaignFilter(status=CampaignStatus.READY_TO_RUN)),
        (
            "proof_pending spring",
            CampaignFilter(status=CampaignStatus.PROOF_PENDING, words="spring"),
        ),
        ("PRETE A EXECUTER", CampaignFilter(status=CampaignStatus.READY_TO_RUN)),
        ("running shoes", CampaignFilter(status=RUNNING, words="shoes")),
        ("runnings", CampaignFilter(words="runnings")),
        ("en cours d’exécution mine soldes d'été", CampaignFilter(True, RUNNING, "soldes d'été")),
    ],
)
def test_words_after_list_are_a_filter_in_either_language(
    typed: str, wanted: CampaignFilter
) -> None:
    assert CampaignFilter.of_words(typed) == wanted


@given(st.text(max_size=300), st.booleans(), st.integers(1, 10**9))
def test_a_filter_survives_the_buttons_it_travels_in(words: str, mine: bool, edge: int) -> None:
    asked = CampaignFilter.of_words(words)
    filtered = CampaignFilter(mine, CampaignStatus.PROOF_GENERATING, asked.words)
    turn = Turn(edge, filtered)
    assert size(str(turn)) <= VALUE_CHARS
    assert Turn.read(str(turn)) == turn
    start, kept = read_turn(turn_value(edge, words))
    assert (start, words.startswith(kept.rstrip("…\u2069"))) == (edge, True)


@given(st.text("aé漢🙂", max_size=300))
def test_a_filter_fits_an_option_of_the_select(words: str) -> None:
    filtered = CampaignFilter(
        True, CampaignStatus.PROOF_GENERATING, CampaignFilter.of_words(words).words
    )
    assert size(str(filtered)) <= OPTION_VALUE_CHARS


def test_a_button_of_an_older_message_still_turns_the_page() -> None:
    assert Turn.read("1016") == Turn(1016, CampaignFilter())


def test_a_stop_says_what_left_what_may_leave_and_what_will_not() -> None:
    sums = samples.sums(
        targeted=10_000,
        messages_targeted=10_000,
        messages_sent=1_203,
        messages_pending=8_797,
        actions_waiting=4,
    )
    state = samples.a_campaign(status=RUNNING, synthesis=sums)
    first, *rest = stop_effect(state, 41, "en")
    assert first == (
        "1,203 messages have left; 41 in flight may still leave; 8,756 will not leave any more."
    )
    assert len(rest) == 2
    assert "8 756 ne partiront plus" in stop_effect(state, 41, "fr")[0].replace("\u202f", " ")
    assert "8,756 messages are held back; 41 in flight" in pause_effect(state, 41, "en")


COST = Estimate(123_456, 100_000, "EUR")


def test_a_stop_says_about_what_is_used_of_the_cost() -> None:
    sums = samples.sums(messages_targeted=4, messages_sent=1, messages_pending=3)
    state = samples.a_campaign(status=RUNNING, synthesis=sums)
    assert "€1,234.56, of which about €308.64 is used" in stop_effect(state, 0, "en", COST)[1]
    before = samples.a_campaign(status=CampaignStatus.READY_TO_RUN)
    assert "about" not in " ".join(stop_effect(before, 0, "en", COST))


def test_a_launch_says_what_it_costs_and_a_typed_one_asks_first() -> None:
    state = samples.a_campaign(reachable=1203, status=CampaignStatus.READY_TO_RUN)
    asked = launch_asked(state, samples.ENGLISH, COST)
    assert "1,203 people" in asked["text"]
    assert "€1,234.56: more than the €1,000.00 left" in asked["text"]
    (button,) = asked["blocks"][1]["elements"]
    assert button["action_id"] == "campaign_launch"
    assert "confirm" not in button
    (launch, *_) = order_buttons(state, samples.FRENCH, may_manage=True, estimate=COST)
    assert "Coût" in launch["confirm"]["text"]["text"]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_numbers_of_a_stop_add_up(sent: int, pending: int, flight: int) -> None:
    sums = samples.sums(
        messages_targeted=sent + pending, messages_sent=sent, messages_pending=pending
    )
    state = samples.a_campaign(status=RUNNING, synthesis=sums)
    if not sent + pending:
        return
    said = stop_effect(state, flight, "en")[0].replace(",", "")
    numbers = [int(word) for word in said.split() if word.isdigit()]
    assert sum(numbers) == sent + pending


def test_before_its_start_a_stop_says_that_nothing_left() -> None:
    state = samples.a_campaign(status=CampaignStatus.READY_TO_RUN)
    assert "Nothing has left yet" in stop_effect(state, 0, "en")[0]
    assert pause_effect(state, 0, "en") == ""


def test_a_launch_asks_with_number_and_zone() -> None:
    asked = launch_question(samples.a_campaign(reachable=1203), samples.ENGLISH)
    assert "1,203 people" in asked
    assert "(Europe/Paris)" in asked


LEADS = {
    "launch": CampaignStatus.RUNNING,
    "pause": CampaignStatus.SUSPENDED,
    "resume": CampaignStatus.RUNNING,
    "proof": CampaignStatus.PROOF_GENERATING,
    "stop": CampaignStatus.CANCELLED,
}


@pytest.mark.parametrize("status", list(CampaignStatus))
def test_a_button_is_offered_where_the_campaign_may_go(status: CampaignStatus) -> None:
    for verb, leads_to in LEADS.items():
        if verb in _OFFERED[status]:
            assert leads_to in ALLOWED[status], verb
    assert ("stop" in _OFFERED[status]) == (CampaignStatus.CANCELLED in ALLOWED[status])
    assert set(_OFFERED[status]) <= set(VERBS)


def verbs(buttons: list[dict[str, Any]]) -> list[str]:
    return [one["action_id"].removeprefix("campaign_") for one in buttons]


@pytest.mark.parametrize("status", [CampaignStatus.READY_TO_TEST, CampaignStatus.READY_TO_RUN])
def test_a_missed_start_is_answered_before_anything_is_launched(status: CampaignStatus) -> None:
    state = samples.a_campaign(status=status, missed=True)
    shown = verbs(order_buttons(state, samples.ENGLISH, may_manage=True))
    assert shown[:2] == ["start_now", "drop"]
    assert not {"launch", "stop"} & set(shown)
    assert verbs(order_buttons(state, samples.ENGLISH, may_manage=False)) == ["follow"]
    assert verbs(missed_buttons(state.campaign_id, 1042, samples.ENGLISH)) == ["start_now", "drop"]
    assert set(offered(state)) <= set(VERBS)


def test_an_occurrence_is_approved_started_or_skipped_as_its_state_allows() -> None:
    states = {
        status: date_buttons(samples.a_campaign(status=status), samples.ENGLISH)
        for status in CampaignStatus
    }
    assert verbs(states[CampaignStatus.READY_TO_TEST]) == ["proof", "stop"]
    assert verbs(states[CampaignStatus.READY_TO_RUN]) == ["launch", "stop"]
    assert states[CampaignStatus.READY_TO_RUN][1]["text"]["text"] == "Skip this date…"
    assert states[CampaignStatus.FINISHED] == states[CampaignStatus.CANCELLED] == []


def test_what_an_occurrence_waits_for_is_said_first() -> None:
    said = {
        (status, code): standing(
            samples.a_campaign(status=status, waiting_code=code), samples.ENGLISH.language
        )
        for status in CampaignStatus
        for code in (None, "waits_launch")
    }
    assert said[CampaignStatus.PROOF_PENDING, None] == "To be approved"
    assert said[CampaignStatus.READY_TO_RUN, "waits_launch"] == "Approved, to be started"
    assert said[CampaignStatus.READY_TO_RUN, None] == "Approved, starts by itself"
    assert said[CampaignStatus.RUNNING, None] == "Running"


def test_a_late_click_is_told_how_the_campaign_stands() -> None:
    state = samples.a_campaign(status=CampaignStatus.FINISHED)
    assert "Finished" in late_order(state, "launch", "en")
    assert "Terminée" in late_order(state, "launch", "fr")


def test_every_verb_has_its_words() -> None:
    assert set(OTHER_NAMES.values()) <= {*ORDERS, "stop"}


def test_lists_of_money_and_goods_show_sums_that_add_up() -> None:
    line = budget_lines(samples.a_budget(), "en")
    assert "€10,000.00 allocated − €2,000.00 reserved − €3,000.00 spent = €5,000.00 left" in line
    assert "50 %" in line
    levels = {"planned_minor": 90_000, "committed_minor": 50_000, "invoiced_minor": 70_000}
    line = budget_lines(samples.a_budget(**levels, left_minor=380_000), "en")
    assert (
        "€2,000.00 reserved − €500.00 committed − €3,000.00 spent − €700.00 invoiced ="
        " €3,800.00 left · €900.00 only planned" in line
    )
    assert "600 in stock − 100 reserved = 500 free" in stock_lines(samples.a_stock_line(), "en")
    assert stock_lines(samples.a_stock_line(alert=True), "fr").startswith(":warning:")


def test_a_campaign_that_comes_back_shows_no_sums_of_its_own() -> None:
    once = samples.a_campaign(status=CampaignStatus.FINISHED)
    assert "Targeted" in str(finished(once, "en"))
    series = samples.a_campaign(status=CampaignStatus.FINISHED, kind=CampaignKind.RECURRING)
    said = str(finished(series, "en"))
    assert "Each date has a campaign of its own" in said
    assert "Targeted" not in said
