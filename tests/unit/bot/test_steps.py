"""The campaign form's steps: what they keep, what they say of the target and its means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from bot.fields import state_of_choice, state_of_text
from bot.form_reading import (
    _TYPED,
    STEPS,
    carried,
    cost_wanted,
    goods_wanted,
    read_campaign,
    read_criteria,
    step_of,
)
from bot.form_store import AIMED, MEANS, NAMED, Counted, Form
from bot.steps import count_lines, means_lines, step_view
from bot.words import all_keys
from tests.unit.bot.samples import ENGLISH, FRENCH, NOW, a_cost, a_form, some_goods
from topics.budget import Volumes
from topics.campaign import CampaignPlan
from topics.targeting import ControlGroup, ControlMethod, Criterion, Operator, TargetCounts

NINE = UUID(int=9)
COUNTS = TargetCounts(
    records=1300,
    organisations=700,
    persons=1200,
    duplicates=12,
    opted_out=30,
    without_email=8,
    reachable=1150,
)


def choice(name: str, *, many: bool = False) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": name}, "value": str(NINE)}
    return state_of_choice(name, [option], many=many)


def counted(**fields: Any) -> Form:
    typed: dict[str, Any] = choice("targeting") | choice("template") | choice("budget") | fields
    return a_form(typed=typed, step=MEANS, counted=Counted(NINE, COUNTS))


def test_every_step_shows_what_was_typed_in_it_and_no_other() -> None:
    typed = state_of_text("label", "Spring") | choice("targeting") | choice("models", many=True)
    form = a_form(typed=typed)
    shown = {step: step_view(replace(form, step=step), ENGLISH) for step in STEPS}
    for step, blocks in STEPS.items():
        inputs = [one["block_id"] for one in shown[step]["blocks"] if one["type"] == "input"]
        assert sorted(inputs) == sorted(blocks)
    elements = {
        one["block_id"]: one["element"]
        for view in shown.values()
        for one in view["blocks"]
        if one["type"] == "input"
    }
    assert elements["label"]["initial_value"] == "Spring"
    assert elements["targeting"]["initial_option"]["value"] == str(NINE)
    assert [one["value"] for one in elements["models"]["initial_options"]] == [str(NINE)]
    assert not [name for name in elements["budget"] if name.startswith("initial")]
    assert {view["external_id"] for view in shown.values()} == {f"campaign:{form.campaign_id}"}


def test_the_number_comes_into_any_step_without_changing_its_fields() -> None:
    form = a_form()
    for step in STEPS:
        before = step_view(replace(form, step=step), ENGLISH)["blocks"]
        after = step_view(replace(form, step=step, number=1042), ENGLISH)["blocks"]
        assert before[1:] == after[1:]
        assert "C-1042" in str(after[0])
        assert "C-1042" not in str(before[0])


def test_the_count_adds_up_and_is_only_shown_of_the_target_chosen_now() -> None:
    form = counted()
    line = count_lines(form, "en")
    for figure in ("1,150", "1,200", "12 doubles", "30 opted out", "8 without"):
        assert figure in line
    assert "1 150" in count_lines(form, "fr").replace("\u202f", " ").replace("\xa0", " ")
    other = replace(form, counted=Counted(UUID(int=1), COUNTS))
    assert "Counting" in count_lines(other, "en")
    assert "Counting" in count_lines(replace(form, counted=None), "en")
    assert "Choose or describe" in count_lines(a_form(), "en")
    refused = replace(form, counted=Counted(NINE, None, "gone <away>"))
    assert "gone &lt;away&gt;" in count_lines(refused, "en")


def test_the_means_say_what_is_known_and_warn_of_what_lacks() -> None:
    form = counted(**choice("stock"))
    assert "being estimated" in "\n".join(means_lines(form, "en"))
    known = replace(form, cost=a_cost(form.campaign_id), goods=some_goods(form.campaign_id))
    shown = "\n".join(means_lines(known, "en"))
    assert "€1,234.56: more than the €0.05 left" in shown
    assert "&lt;choose&gt;" in shown
    assert "9 needed, 5 available. That is not enough." in shown
    enough = some_goods(form.campaign_id, covered=True)
    assert "alert level" in "\n".join(means_lines(replace(known, goods=enough), "en"))
    elsewhere = replace(known, cost=a_cost(form.campaign_id, budget_id=UUID(int=1)))
    assert "€" not in "\n".join(means_lines(elsewhere, "en"))
    no_budget = a_form(typed=choice("targeting"), counted=Counted(NINE, COUNTS))
    assert "choose a budget" in "\n".join(means_lines(no_budget, "en"))


def test_estimates_are_asked_for_as_a_draft_with_what_the_campaign_would_use() -> None:
    form = counted(**choice("service"), **choice("stock"), **state_of_text("per_letter", "3"))
    cost, goods = cost_wanted(form), goods_wanted(form)
    assert cost is not None
    assert goods is not None
    assert cost.draft
    assert cost.volumes == Volumes(emails=1150, letters=8)
    assert (goods.line_id, goods.quantity) == (NINE, 24)
    with_actions = cost_wanted(counted(**choice("models", many=True)))
    assert with_actions is not None
    assert with_actions.volumes == Volumes(emails=1150, organisations=700, persons=1200)
    assert cost_wanted(replace(form, counted=None)) is None
    assert goods_wanted(counted()) is None


def test_what_a_plan_says_and_the_form_does_not_is_carried_and_named() -> None:
    group = ControlGroup(method=ControlMethod.RANDOM)
    plan = CampaignPlan(label="Spring", budget_id=NINE, priority=1, control_group=group)
    assert carried(plan) == {"priority": 1, "control_group": group}
    form = a_form(plan=plan, step=MEANS)
    assert "Also taken over: priority, control group." in str(step_view(form, ENGLISH))
    assert "Also taken over" not in str(step_view(a_form(step=MEANS), ENGLISH))


def test_every_field_of_a_plan_is_in_the_form_or_has_a_name() -> None:
    for name in CampaignPlan.model_fields:
        assert name in _TYPED or f"kept_{name}" in all_keys()


def test_own_criteria_are_read_as_the_directory_writes_them() -> None:
    typed = (
        state_of_text("country", "fr; be,")
        | state_of_text("postal_code", " 75 ")
        | state_of_text("language", "FR")
    )
    assert read_criteria(typed, "en") == (
        (
            Criterion(field="site.country", operator=Operator.IN, values=("FR", "BE")),
            Criterion(field="site.postal_code", operator=Operator.STARTS_WITH, values=("75",)),
            Criterion(field="contact.language", operator=Operator.IN, values=("fr",)),
        ),
        {},
    )


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        (state_of_text("postal_code", "75, 13"), "postal_code"),
        (state_of_text("country", "FR") | choice("targeting"), "targeting"),
    ],
)
def test_a_target_that_makes_no_sense_is_an_error_at_its_field(
    typed: dict[str, Any], field: str
) -> None:
    _, errors = read_criteria(typed, "en")
    assert list(errors) == [field]
    assert step_of(field) == AIMED


@pytest.mark.parametrize("text", ["0", "1001", "two", "-1", "²"])
def test_goods_in_a_letter_are_a_number_people_can_count_on(text: str) -> None:
    typed = state_of_text("label", "Spring") | state_of_text("per_letter", text)
    for setting in (ENGLISH, FRENCH):
        said = read_campaign(typed, setting, NOW, targeting_id=None)
        assert list(said.errors) == ["per_letter"]
    assert step_of("per_letter") == MEANS
    assert step_of("end_date") == NAMED
