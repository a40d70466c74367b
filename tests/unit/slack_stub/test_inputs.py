"""Values a person gives become the state Slack sends, or are refused before they leave."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from deploy.embedded.slack.inputs import (
    InputRefused,
    filled,
    find_element,
    initial_values,
    require_complete,
)
from deploy.embedded.slack.places import require_told
from tests.unit.slack_stub.samples import field, option

OPTIONS = [option("Low", "1"), option("High", "2")]


@pytest.mark.parametrize(
    ("element", "value", "state"),
    [
        ({"type": "plain_text_input"}, "Spring", {"value": "Spring"}),
        ({"type": "number_input"}, 12, {"value": "12"}),
        ({"type": "plain_text_input"}, None, {"value": None}),
        ({"type": "static_select", "options": OPTIONS}, "2", {"selected_option": OPTIONS[1]}),
        ({"type": "static_select", "options": OPTIONS}, "High", {"selected_option": OPTIONS[1]}),
        ({"type": "radio_buttons", "options": OPTIONS}, "lo", {"selected_option": OPTIONS[0]}),
        (
            {"type": "static_select", "option_groups": [{"options": OPTIONS}]},
            "1",
            {"selected_option": OPTIONS[0]},
        ),
        ({"type": "checkboxes", "options": OPTIONS}, ["1", "2"], {"selected_options": OPTIONS}),
        ({"type": "checkboxes", "options": OPTIONS}, None, {"selected_options": []}),
        (
            {"type": "multi_static_select", "options": OPTIONS},
            "1",
            {"selected_options": OPTIONS[:1]},
        ),
        ({"type": "users_select"}, "U0MANAGER01", {"selected_user": "U0MANAGER01"}),
        ({"type": "multi_users_select"}, ["U1", "U2"], {"selected_users": ["U1", "U2"]}),
        ({"type": "conversations_select"}, "C1", {"selected_conversation": "C1"}),
        ({"type": "datepicker"}, date(2026, 12, 1), {"selected_date": "2026-12-01"}),
        ({"type": "timepicker"}, time(9, 30), {"selected_time": "09:30"}),
        (
            {"type": "datetimepicker"},
            datetime(2026, 12, 1, tzinfo=UTC),
            {"selected_date_time": 1796083200},
        ),
    ],
)
def test_a_value_becomes_the_state_of_its_element(
    element: dict[str, Any], value: Any, state: dict[str, Any]
) -> None:
    assert filled({"action_id": "a", **element}, value) == {"type": element["type"], **state}


@pytest.mark.parametrize(
    ("element", "value", "words"),
    [
        ({"type": "static_select", "options": OPTIONS}, "3", "'3' is not offered"),
        ({"type": "plain_text_input", "max_length": 3}, "four", "4 characters"),
        ({"type": "plain_text_input", "min_length": 3}, "no", "2 characters"),
        ({"type": "button"}, "x", "holds no value"),
    ],
)
def test_what_the_client_does_not_send(element: dict[str, Any], value: Any, words: str) -> None:
    with pytest.raises(InputRefused, match=words):
        filled({"action_id": "a", **element}, value)


def test_elements_are_found_by_block_action_or_both() -> None:
    blocks = [
        field("label", {"type": "plain_text_input", "action_id": "said"}),
        field("remark", {"type": "plain_text_input", "action_id": "said"}),
    ]
    assert find_element(blocks, "label")[0]["block_id"] == "label"
    assert find_element(blocks, "remark.said")[0]["block_id"] == "remark"
    with pytest.raises(InputRefused, match="several elements"):
        find_element(blocks, "said")
    with pytest.raises(InputRefused, match=r"no element.*label\.said, remark\.said"):
        find_element(blocks, "budget")


def test_required_fields_are_named_when_empty() -> None:
    blocks = [
        field("label", {"type": "plain_text_input", "action_id": "a", "initial_value": "x"}),
        field("remark", {"type": "plain_text_input", "action_id": "a"}),
        field("notes", {"type": "plain_text_input", "action_id": "a"}, optional=True),
    ]
    with pytest.raises(InputRefused, match=r"remark \(Remark\)$"):
        require_complete(blocks, initial_values(blocks))


def test_a_field_tells_of_a_choice_before_its_form_is_sent_only_where_it_was_asked_to() -> None:
    quiet = {"type": "input", "block_id": "budget"}
    require_told(quiet | {"dispatch_action": True})
    require_told({"type": "actions", "block_id": "row"})
    with pytest.raises(InputRefused, match="budget has no dispatch_action"):
        require_told(quiet)
