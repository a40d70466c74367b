"""The elements of Block Kit (buttons, selects, pickers, inputs) with Slack's limits, as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.embedded.slack.schema import (
    Check,
    any_text,
    anything,
    array,
    boolean,
    by_type,
    complaint,
    either,
    integer,
    not_both,
    plain_text,
    record,
    string,
)

ACTION_ID_CHARS = 255
OPTION_VALUE_CHARS = 150
OPTION_TEXT_CHARS = 75
OPTIONS_PER_SELECT = 100
URL_CHARS = 3000

_action_id = string(least=1, most=ACTION_ID_CHARS)
_placeholder = plain_text(150)
_date = string(pattern=r"\d{4}-\d{2}-\d{2}")
_time = string(pattern=r"([01]\d|2[0-3]):[0-5]\d")
_dispatch_config = record(
    {}, {"trigger_actions_on": array(string(one_of=("on_enter_pressed", "on_character_entered")))}
)
confirm = record(
    {
        "title": plain_text(100),
        "text": any_text(300),
        "confirm": plain_text(30),
        "deny": plain_text(30),
    },
    {"style": string(one_of=("primary", "danger"))},
)

_option = record(
    {
        "text": plain_text(OPTION_TEXT_CHARS),
        "value": string(least=1, most=OPTION_VALUE_CHARS),
    },
    {"description": plain_text(OPTION_TEXT_CHARS)},
)
_choice = record(
    {
        "text": any_text(OPTION_TEXT_CHARS),
        "value": string(least=1, most=OPTION_VALUE_CHARS),
    },
    {"description": any_text(OPTION_TEXT_CHARS)},
)
_overflow_option = record(
    {
        "text": plain_text(OPTION_TEXT_CHARS),
        "value": string(least=1, most=OPTION_VALUE_CHARS),
    },
    {"description": plain_text(OPTION_TEXT_CHARS), "url": string(most=URL_CHARS)},
)
_group = record(
    {
        "label": plain_text(OPTION_TEXT_CHARS),
        "options": array(_option, least=1, most=OPTIONS_PER_SELECT),
    }
)
_lists = {
    "options": array(_option, least=1, most=OPTIONS_PER_SELECT),
    "option_groups": array(_group, least=1, most=OPTIONS_PER_SELECT),
}
suggestion = record(
    {},
    {
        "options": array(_option, most=OPTIONS_PER_SELECT),
        "option_groups": array(_group, most=OPTIONS_PER_SELECT),
    },
    rules=(either("options", "option_groups"),),
)
"""What an app may answer when an external select asks for options: none is an answer too."""


def options_of(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return an element's options, those of its groups included, in the order shown."""
    groups = element.get("option_groups")
    lists = [element.get("options")]
    if isinstance(groups, list):
        lists += [group.get("options") for group in groups if isinstance(group, dict)]
    return [
        option
        for options in lists
        if isinstance(options, list)
        for option in options
        if isinstance(option, dict)
    ]


def _initial_among_options(value: object, pointer: str) -> Iterator[str]:
    """Slack refuses an initial choice that is not one of the options, letter for letter."""
    if not isinstance(value, dict):
        return
    initial = value.get("initial_options") or []
    chosen = [value["initial_option"]] if value.get("initial_option") else list(initial)
    known = options_of(value)
    for option in chosen:
        if option not in known:
            yield complaint("initial option must exactly match one of the options", pointer)


def _element(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Check:
    common = {"action_id": _action_id, "confirm": confirm, "focus_on_load": boolean}
    return record({"type": anything, **required}, {**common, **optional}, rules=rules)


def _select(extra: Mapping[str, Check], *rules: Check, required: Mapping[str, Check]) -> Check:
    return _element(required, {"placeholder": _placeholder, **extra}, *rules)


def _pair(
    name: str,
    extra: Mapping[str, Check],
    initial: tuple[str, Check],
    *rules: Check,
) -> dict[str, Check]:
    """Return the single and the multiple form of one select."""
    single = {**extra, initial[0]: initial[1]}
    many = {
        **{key: check for key, check in extra.items() if key != "response_url_enabled"},
        f"{initial[0]}s": array(initial[1]),
        "max_selected_items": integer(least=1),
    }
    return {
        f"{name}_select": _select(single, *rules, required={}),
        f"multi_{name}_select": _select(many, *rules, required={}),
    }


_STATIC_RULES = (
    either("options", "option_groups"),
    not_both("options", "option_groups"),
    _initial_among_options,
)
_identifier = string(least=1)
SELECTS: dict[str, Check] = {
    **_pair("static", _lists, ("initial_option", _option), *_STATIC_RULES),
    **_pair("external", {"min_query_length": integer(least=0)}, ("initial_option", _option)),
    **_pair("users", {}, ("initial_user", _identifier)),
    **_pair("channels", {"response_url_enabled": boolean}, ("initial_channel", _identifier)),
    **_pair(
        "conversations",
        {
            "response_url_enabled": boolean,
            "default_to_current_conversation": boolean,
            "filter": anything,
        },
        ("initial_conversation", _identifier),
    ),
}

PICKERS: dict[str, Check] = {
    "datepicker": _element({}, {"placeholder": _placeholder, "initial_date": _date}),
    "timepicker": _element(
        {}, {"placeholder": _placeholder, "initial_time": _time, "timezone": string()}
    ),
    "datetimepicker": _element(
        {}, {"initial_date_time": integer(least=1_000_000_000, most=9_999_999_999)}
    ),
    "checkboxes": _element(
        {"options": array(_choice, least=1, most=10)},
        {"initial_options": array(_choice, least=1, most=10)},
        _initial_among_options,
    ),
    "radio_buttons": _element(
        {"options": array(_choice, least=1, most=10)},
        {"initial_option": _choice},
        _initial_among_options,
    ),
}

_WRITTEN = {"placeholder": _placeholder, "dispatch_action_config": _dispatch_config}
_number = string(pattern=r"-?\d+(\.\d+)?")
WRITTEN: dict[str, Check] = {
    "plain_text_input": _element(
        {},
        {
            **_WRITTEN,
            "initial_value": string(most=3000),
            "multiline": boolean,
            "min_length": integer(least=0, most=3000),
            "max_length": integer(least=1, most=3000),
        },
    ),
    "email_text_input": _element({}, {**_WRITTEN, "initial_value": string()}),
    "url_text_input": _element({}, {**_WRITTEN, "initial_value": string()}),
    "number_input": _element(
        {"is_decimal_allowed": boolean},
        {**_WRITTEN, "initial_value": _number, "min_value": _number, "max_value": _number},
    ),
    "rich_text_input": _element({}, {**_WRITTEN, "initial_value": anything}),
}
FILE_INPUT: dict[str, Check] = {
    "file_input": _element(
        {}, {"filetypes": array(string(least=1)), "max_files": integer(least=1, most=10)}
    )
}

BUTTON: dict[str, Check] = {
    "button": _element(
        {"text": plain_text(75)},
        {
            "url": string(most=URL_CHARS),
            "value": string(most=2000),
            "style": string(one_of=("primary", "danger")),
            "accessibility_label": string(most=75),
        },
    )
}
OVERFLOW: dict[str, Check] = {
    "overflow": _element({"options": array(_overflow_option, least=1, most=5)}, {})
}
IMAGE: dict[str, Check] = {
    "image": record(
        {"type": anything, "alt_text": string(least=1, most=2000)},
        {"image_url": string(least=1, most=URL_CHARS), "slack_file": anything},
        rules=(either("image_url", "slack_file"),),
    )
}

in_actions = by_type({**BUTTON, **OVERFLOW, **SELECTS, **PICKERS})
in_section = by_type({**BUTTON, **OVERFLOW, **SELECTS, **PICKERS, **IMAGE})
in_input = by_type({**SELECTS, **PICKERS, **WRITTEN})
in_modal_input = by_type({**SELECTS, **PICKERS, **WRITTEN, **FILE_INPUT})
