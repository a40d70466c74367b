"""What the stub refuses in blocks and views is what Slack refuses, each limit at its edge."""

from typing import Any

import pytest

from deploy.embedded.slack.blocks import Surface, check_blocks, check_view
from tests.unit.slack_stub.samples import (
    actions,
    approval_card,
    button,
    campaign_modal,
    field,
    mrkdwn,
    option,
    plain,
    section,
)

Json = dict[str, Any]


def options(count: int) -> list[Json]:
    return [option(f"Option {n}") for n in range(count)]


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "pick", "options": options(1), **more}


def header(text: str) -> Json:
    return {"type": "header", "text": plain(text)}


def text_input(**more: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "said", **more}


LIMITS: list[tuple[str, list[Json], list[Json], str]] = [
    ("blocks", [section()] * 50, [section()] * 51, "no more than 50 items"),
    ("section text", [section("x" * 3000)], [section("x" * 3001)], "less than 3001"),
    ("empty text", [section("x")], [section("")], "more than 0 characters"),
    (
        "field text",
        [section(fields=[mrkdwn("x" * 2000)])],
        [section(fields=[mrkdwn("x" * 2001)])],
        "less than 2001",
    ),
    (
        "fields",
        [section(fields=[mrkdwn("x")] * 10)],
        [section(fields=[mrkdwn("x")] * 11)],
        "no more than 10 items",
    ),
    (
        "button text",
        [actions(button(text="x" * 75))],
        [actions(button(text="x" * 76))],
        "less than 76",
    ),
    (
        "button value",
        [actions(button(value="x" * 2000))],
        [actions(button(value="x" * 2001))],
        "less than 2001",
    ),
    (
        "action_id",
        [actions(button("x" * 255))],
        [actions(button("x" * 256))],
        "less than 256",
    ),
    (
        "block_id",
        [section(block_id="x" * 255)],
        [section(block_id="x" * 256)],
        "less than 256",
    ),
    (
        "buttons",
        [actions(*(button(f"a{n}") for n in range(25)))],
        [actions(*(button(f"a{n}") for n in range(26)))],
        "no more than 25 items",
    ),
    (
        "context",
        [{"type": "context", "elements": [mrkdwn("x")] * 10}],
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items",
    ),
    ("header", [header("x" * 150)], [header("x" * 151)], "less than 151"),
    (
        "options",
        [actions(select(options=options(100)))],
        [actions(select(options=options(101)))],
        "no more than 100 items",
    ),
    (
        "option text",
        [actions(select(options=[option("x" * 75)]))],
        [actions(select(options=[option("x" * 76)]))],
        "less than 76",
    ),
    (
        "option value",
        [actions(select(options=[option("x", "v" * 150)]))],
        [actions(select(options=[option("x", "v" * 151)]))],
        "less than 151",
    ),
    (
        "placeholder",
        [actions(select(placeholder=plain("x" * 150)))],
        [actions(select(placeholder=plain("x" * 151)))],
        "less than 151",
    ),
    (
        "radio options",
        [actions({"type": "radio_buttons", "options": options(10)})],
        [actions({"type": "radio_buttons", "options": options(11)})],
        "no more than 10 items",
    ),
    (
        "overflow options",
        [section(accessory={"type": "overflow", "options": options(5)})],
        [section(accessory={"type": "overflow", "options": options(6)})],
        "no more than 5 items",
    ),
    (
        "max_length",
        [field("f", text_input(max_length=3000))],
        [field("f", text_input(max_length=3001))],
        "less than 3001",
    ),
]


@pytest.mark.parametrize(
    ("fitting", "over", "words"),
    [row[1:] for row in LIMITS],
    ids=[row[0] for row in LIMITS],
)
def test_a_limit_holds_at_its_edge(fitting: list[Json], over: list[Json], words: str) -> None:
    assert check_blocks(fitting, Surface.MESSAGE) == []
    (fault,) = check_blocks(over, Surface.MESSAGE)
    assert words in fault
    assert "[json-pointer:/blocks" in fault


WRONG: list[tuple[str, list[Any], str]] = [
    ("unknown block", [{"type": "banner"}], "unsupported type: banner"),
    ("no type", [{"text": plain("x")}], "missing required field: type"),
    ("not a block", ["text"], "must provide an object"),
    ("unknown element", [actions({"type": "dial"})], "unsupported type: dial"),
    (
        "input element in actions",
        [actions(text_input())],
        "unsupported type: plain_text_input",
    ),
    ("section of nothing", [{"type": "section"}], "must define either `text` or `fields`"),
    ("mrkdwn in a header", [{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn"),
    ("mrkdwn on a button", [actions({**button(), "text": mrkdwn("x")})], "unsupported type"),
    ("emoji in mrkdwn", [section() | {"text": {**mrkdwn("x"), "emoji": True}}], "additional"),
    ("unknown field", [section(color="red")], "invalid additional property: color"),
    ("style", [actions(button(style="loud"))], "must be a valid enum value"),
    ("no options", [actions({"type": "static_select"})], "must define either `options`"),
    (
        "initial not offered",
        [actions(select(initial_option=option("Other")))],
        "initial option must exactly match",
    ),
    (
        "block_id twice",
        [section(block_id="a"), section(block_id="a")],
        '`block_id` "a" already exists',
    ),
    (
        "action_id twice in a block",
        [actions(button("go"), button("go"), block_id="a")],
        '`action_id` "go" already exists for block_id "a"',
    ),
    ("date", [actions({"type": "datepicker", "initial_date": "1.12.2026"})], "valid format"),
    (
        "image without alt",
        [{"type": "image", "image_url": "u"}],
        "missing required field: alt_text",
    ),
    ("confirm", [actions(button(confirm={"title": plain("x")}))], "missing required field: text"),
]


@pytest.mark.parametrize(
    ("blocks", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_slack_does_not_know_is_refused(blocks: list[Any], words: str) -> None:
    faults = check_blocks(blocks, "message")
    assert any(words in fault for fault in faults), faults


def test_the_same_action_id_may_stand_in_two_blocks() -> None:
    assert check_blocks([actions(button("go")), actions(button("go"))], Surface.MESSAGE) == []


def test_every_kind_of_element_passes_when_rightly_used() -> None:
    pick: Json = {"options": options(2), "initial_option": option("Option 1")}
    elements: list[Json] = [
        {"type": "static_select", **pick},
        {"type": "multi_static_select", "options": options(2), "max_selected_items": 2},
        {"type": "external_select", "min_query_length": 0},
        {"type": "multi_external_select", "initial_options": [option("Known")]},
        {"type": "users_select", "initial_user": "U0MANAGER01"},
        {"type": "conversations_select", "default_to_current_conversation": True},
        {"type": "channels_select"},
        {"type": "checkboxes", "options": options(2), "initial_options": [option("Option 0")]},
        {"type": "radio_buttons", **pick},
        {"type": "datepicker", "initial_date": "2026-12-01"},
        {"type": "timepicker", "initial_time": "09:30"},
        {"type": "datetimepicker", "initial_date_time": 1_790_000_000},
    ]
    assert check_blocks([actions(*elements)], Surface.MESSAGE) == []
    written: list[Json] = [
        text_input(multiline=True),
        {"type": "email_text_input"},
        {"type": "url_text_input"},
        {"type": "number_input", "is_decimal_allowed": False, "min_value": "0"},
    ]
    fields = [field(f"f{n}", element) for n, element in enumerate([*elements, *written])]
    assert check_blocks(fields, Surface.MODAL) == []
    assert check_blocks(approval_card("Spring"), Surface.HOME) == []


def test_surfaces_differ() -> None:
    blocks = [section() for _ in range(51)]
    assert check_blocks(blocks, Surface.MESSAGE) != []
    assert check_blocks(blocks, Surface.MODAL) == []
    assert "no more than 100" in check_blocks([section()] * 101, Surface.HOME)[0]
    upload = [field("f", {"type": "file_input"})]
    assert check_blocks(upload, Surface.MODAL) == []
    assert check_blocks(upload, Surface.MESSAGE) != []


VIEWS: list[tuple[Json, str]] = [
    ({"title": plain("x" * 25)}, "must be less than 25 characters [json-pointer:/view/title/text]"),
    ({"submit": plain("x" * 25)}, "less than 25"),
    ({"close": plain("x" * 25)}, "less than 25"),
    ({"submit": None}, "`submit` is required"),
    ({"title": mrkdwn("x")}, "unsupported type: mrkdwn"),
    ({"private_metadata": "x" * 3001}, "less than 3001"),
    ({"external_id": "x" * 256}, "less than 256"),
    ({"callback_id": "x" * 256}, "less than 256"),
    ({"blocks": [section()] * 101}, "no more than 100 items allowed [json-pointer:/view/blocks]"),
    ({"blocks": None}, "missing required field: blocks"),
    ({"type": "dialog"}, "unsupported type: dialog"),
    ({"colour": "red"}, "invalid additional property: colour"),
]


@pytest.mark.parametrize(("change", "words"), VIEWS)
def test_views_slack_would_refuse(change: Json, words: str) -> None:
    assert check_view(campaign_modal()) == []
    faults = check_view({**campaign_modal(), **change})
    assert any(words in fault for fault in faults), faults


def test_a_home_tab_has_no_title() -> None:
    home = {"type": "home", "blocks": [section()]}
    assert check_view(home) == []
    assert check_view({**home, "title": plain("x")}) != []
